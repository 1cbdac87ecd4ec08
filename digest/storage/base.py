"""All that is asked of the store: the seam between it and everything else."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from digest.model.digest import Digest
from digest.model.paper import ArxivId, Paper
from digest.sources.window import Coverage
from digest.storage.values import (
    AddressChange,
    Bounced,
    Confirmation,
    Delay,
    DeliveryHistory,
    DeliveryResult,
    Figures,
    KeywordPage,
    KnownSubscriber,
    Mailing,
    Matched,
    News,
    PageChange,
    PaperHistory,
    Restored,
    Served,
    SubscriberStatus,
    Suppression,
    UnreadMail,
    Waiting,
)
from digest.subscribers.preferences import Preferences
from digest.subscribers.subscriber import Subscriber


class Store(Protocol):
    """Each method is one intent and one transaction: it happens whole or not at all.

    Subscribers are named by any address that has the `address_key` of theirs. Every method raises
    `StateError` when the state cannot be read or written.
    """

    def enrol(self, subscribers: Sequence[Subscriber], *, now: datetime, current_since: datetime) -> int:
        """Makes the enrolled subscribers and their subscriptions those of `subscribers`; ends all others.

        What a subscriber got stays known, so a keyword that is dropped and taken up again repeats nothing.
        Mailings of subscribers who have left are given up; returns how many. Those who return get them after
        all. A new subscription's backlog ends here if its query was covered since `current_since`, else
        with its next fetch. Subscribers who unsubscribed themselves are not enrolled until `rejoin`.
        """
        ...

    def covered_at(self) -> Mapping[str, datetime]:
        """For each query key that was ever fetched with success: when it last was."""
        ...

    def recent_hits(self, *, since: datetime) -> Mapping[str, frozenset[ArxivId]]:
        """For each query key: the papers it found that were submitted since that moment."""
        ...

    def coverage(self) -> Mapping[str, Coverage]:
        """For each query key of `covered_at`: how far it was fetched."""
        ...

    def record(
        self,
        papers: Iterable[Matched],
        *,
        covered: Mapping[str, datetime],
        now: datetime,
        newest: str = "",
    ) -> int:
        """Writes down a fetch that succeeded: its hits, and for each query key it covers, since when.

        Returns how many papers are new to this installation, but for those of the past. `newest` is the
        last paper in the order of announcements that arXiv has shown so far. A moment before the last one
        moves no coverage back. Of what was seen before, a higher version is a revision, and another text or
        other categories are a change; a paper keeps its hits.
        """
        ...

    def examined(self, query_keys: Iterable[str]) -> Mapping[bytes, bool]:
        """What the last `note_examined` told, if that was of just these queries; else nothing."""
        ...

    def note_examined(self, query_keys: Iterable[str], papers: Mapping[bytes, bool]) -> None:
        """Remembers papers whose hits on these queries are all written down, and whether there were any.

        A paper is named by 16 bytes that stand for the whole of its text.
        """
        ...

    def archive(self, *, now: datetime, lookback: timedelta) -> int:
        """Puts some of the papers away that fetches with this look-back no more ask for, in less room.

        Returns how many shelves it filled; when that is none, there is nothing to do. What is put away is
        slower to read, and counts as before, but that it is no part of a backlog any more.
        """
        ...

    def prune(self, *, now: datetime) -> int:
        """Forgets some of the mailings that ended more than 90 days ago, and returns how many.

        Ago means before the newest paper, where that is before `now`: the clock may be wrong.

        Those of subscribers who are told of new versions stay, for they say which versions a subscriber had,
        and so do suppressed ones, which `resume` sends.
        """
        ...

    def forget(self) -> None:
        """Gives up the papers that are kept in memory to be quick."""
        ...

    def newest_papers(self, query_key: str, *, limit: int) -> tuple[Paper, ...]:
        """The newest papers that a query found, by submission and then by id, each in its latest version.

        Papers whose source told no submission come after those of the month of their id that have one.
        """
        ...

    def count_as_seen(self, email: str, papers: Iterable[ArxivId]) -> int:
        """These papers were brought to this subscriber by something else: they are no news for them, ever.

        It may be said of anybody and of any paper, known or not, and as often as one likes. Returns of how
        many papers it had not been said.
        """
        ...

    def subscriber_statuses(self, emails: Sequence[str]) -> Mapping[str, SubscriberStatus]:
        """Where those of these subscribers stand who are enrolled, by `address_key`."""
        ...

    def news(self, email: str, *, backlog_since: datetime) -> News:
        """What a subscriber has not been served; of the backlog, what was submitted since `backlog_since`."""
        ...

    def enqueue(self, served: Sequence[Served]) -> int:
        """Closes these subscribers' sending times: puts the digests in the outbox and moves the cursors.

        Returns how many digests that were. A subscriber is left as they were if one of the mailings that
        their digest takes over is being sent by now.
        """
        ...

    def restored(self) -> Restored | None:
        """Whether an older copy was put in the place of the state: one not taken up yet, else the last one.

        Nothing tells it where copy and state were put back together, as with a snapshot of the machine.
        """
        ...

    def take_up_restored(self, *, now: datetime) -> Restored | None:
        """Goes on from an older copy, and returns it; `None` where there is none that was not taken up.

        Mailings that are not at their end may have been sent since it was made: they are repeated as they
        are, and never merged. To be called before anything is composed, when nobody else can be sending.
        """
        ...

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        """Takes back all that is being sent, as unknown, and returns how many that were.

        To be called when nobody else can be sending. What is due after `latest` was written down by a
        clock that was wrong, and is due now.
        """
        ...

    def retry_now(self, *, now: datetime) -> None:
        """Makes every mailing that waits for another attempt due at `now`."""
        ...

    def claim(self, *, now: datetime, until: datetime, limit: int) -> tuple[Mailing, ...]:
        """Marks up to `limit` mailings that are due as being sent, the longest due first, and returns them.

        They are nobody else's `until` that moment (the lease). Then whoever asks next gets them. Those of a
        subscriber who pauses are put off to the end of the pause.
        """
        ...

    def renew(self, numbers: Sequence[int], *, until: datetime) -> None:
        """Makes the lease of claimed mailings last longer."""
        ...

    def record_results(self, conclusions: Sequence[DeliveryResult], *, now: datetime) -> None:
        """Writes down what became of claimed mailings; the address of a `SUPPRESSED` one gets no more."""
        ...

    def release(self, numbers: Sequence[int], *, now: datetime, reply: str | None = None) -> None:
        """Gives claimed mailings back untried: the server is to blame, not they. `reply` is what it said."""
        ...

    def waiting(self) -> int:
        """How many mailings are written down and not at their end, but for those put off by a pause."""
        ...

    def next_due_at(self) -> datetime | None:
        """When the first of them is due."""
        ...

    def sent_since(self, moment: datetime) -> int:
        """How many mailings were last tried since then, whatever became of them."""
        ...

    def doubted(self) -> Mapping[str, datetime]:
        """The addresses, by `address_key`, that a server called dead and are not given up: since when."""
        ...

    def accepted_since(self, moment: datetime) -> int:
        """How many mailings a server took since then, and did not send back."""
        ...

    def record_of(self, domain: str, *, since: datetime) -> tuple[int, int]:
        """How many mailings to a domain were taken since then, and how many of its addresses suppressed.

        The latter since then or, where none was taken since, since the last one that was.
        """
        ...

    def note_bounce(
        self,
        token: str,
        *,
        recipient: str | None,
        concern: str,
        reply: str,
        now: datetime,
        retry_at: datetime,
    ) -> Bounced | None:
        """Counts a mailing as come back; `None` if none is called so, or `recipient` is not its subscriber.

        Where `recipient` is given, the mailing did not arrive: it goes again at
        `retry_at`, or before in the next digest if it can.
        `concern` is "dead", "doubtful" or "full" where the mailbox is why, else "other", which counts not.
        """
        ...

    def subscriber_of_mailing(self, tokens: Sequence[str]) -> str | None:
        """The address of whom the first of these tokens that names a mailing was mailed to."""
        ...

    def keep_unread(self, mail: UnreadMail, content: bytes) -> None:
        """Keeps a mail, whose number is given anew, and of all those kept the last fifty."""
        ...

    def unread_mails(self) -> tuple[UnreadMail, ...]:
        """Those kept, the oldest first."""
        ...

    def unread_content(self, number: int) -> bytes | None:
        """What is kept of one of them; `None` where it is not kept."""
        ...

    def clear_unread(self) -> None:
        """Forgets those kept."""
        ...

    def suppress(self, email: str, *, cause: str, now: datetime) -> None:
        """No more mail to this address. What waits for it is suppressed, and kept until `resume`."""
        ...

    def suppressions(self) -> tuple[Suppression, ...]:
        """The addresses that get no mail, the latest last."""
        ...

    def resume_since(self, moment: datetime | None, *, now: datetime) -> tuple[str, ...]:
        """As `resume`, all addresses that were suppressed since then, or at any time; returns them."""
        ...

    def resume(self, email: str, *, now: datetime) -> bool:
        """Mails this address again, first what was suppressed; false if it was not suppressed."""
        ...

    def note_fetch(self, source: str, *, now: datetime) -> None:
        """Remembers that a source answered well, and what had been seen by then."""
        ...

    def fetched_at(self) -> Mapping[str, datetime]:
        """For each source that ever answered well: when it last did."""
        ...

    def paper_history(self, arxiv_id: ArxivId) -> PaperHistory | None:
        """A paper as it was seen; `None` if it never was."""
        ...

    def delivery_history(self, arxiv_id: ArxivId, email: str) -> DeliveryHistory:
        """What became of a paper for a subscriber, as far as mailings are not forgotten (`prune`)."""
        ...

    def troubled(self, *, limit: int) -> tuple[Waiting, ...]:
        """Up to `limit` of the mailings in whose way something stood, the most often tried first."""
        ...

    def delayed(self) -> int:
        """How many mailings something stood in the way of. Not those that wait for the end of a pause."""
        ...

    def refused(self, *, least: int) -> Delay:
        """Those of them that a server refused last, each for itself, tried `least` times or more."""
        ...

    def blocked(self, *, now: datetime) -> Delay:
        """The mailings that wait since a server could not be used at all, or called too many addresses dead.

        All that are due do so, then. Not those that wait for the end of a pause.
        """
        ...

    def unserved(self, *, since: datetime) -> tuple[str, ...]:
        """The subscribers for whom papers were written down by `since` and have not been sent in any mailing
        yet.

        Not those who pause, nor those whose mailing was sent and came back.
        """
        ...

    def preferences(self) -> Mapping[str, Preferences]:
        """The choices of those subscribers who made any, by `address_key`."""
        ...

    def preferences_of(self, email: str) -> Preferences:
        """The choices of one subscriber."""
        ...

    def save_preferences(self, email: str, preferences: Preferences) -> None:
        """Replaces a subscriber's choices; `left_at` alone stays as it is. Nothing where nobody is called
        so.
        """
        ...

    def leave(self, email: str, *, now: datetime) -> None:
        """The subscriber unsubscribed themselves: they are enrolled no more, and what waits for them is given
        up.

        Their choices are kept, and so is what was given up, for when they return. Once is as good as twice.
        """
        ...

    def leave_and_tell(self, email: str, *, now: datetime) -> None:
        """As `leave`, and the subscriber is to be told by mail."""
        ...

    def save_preferences_and_tell(self, email: str, preferences: Preferences, *, now: datetime) -> None:
        """As `prefer`, and the subscriber is to be told by mail: of all changes of an hour by one."""
        ...

    def tell(self, email: str, change: PageChange, *, now: datetime) -> None:
        """The subscriber is to be told of this by mail; of each kind of change once a day.

        But again of what comes after they took it back.
        """
        ...

    def confirmations(self, *, now: datetime) -> tuple[Confirmation, ...]:
        """The mails about changes of the last days that were not sent yet, and may be sent now."""
        ...

    def note_confirmed(self, number: int, *, now: datetime) -> None:
        """One of them was sent, or needs not be."""
        ...

    def confirmation_of(self, token: str, *, now: datetime) -> Confirmation | None:
        """The one that has this token, for 90 days."""
        ...

    def rejoin(self, email: str) -> bool:
        """Takes a `leave` back, from the next enrolment on; false if there was none."""
        ...

    def rename(self, email: str, new: str, *, now: datetime) -> bool:
        """Gives a subscriber another address: what they had, chose and wait for stays.

        The links of earlier mails end, since the old mailbox may be somebody else's now. Where `new` stands
        in the file in place of `email` already, what was mailed there is not repeated either.

        False, and nothing is done, where `email` is not known or `new` was mailed as somebody else.
        """
        ...

    def take_up_entries(
        self, subscribers: Sequence[Subscriber], *, file: str | None, now: datetime
    ) -> AddressChange | None:
        """Compares the file with its last reading, before `enrol`; the same `file` is compared once.

        Where one entry is gone and one came that differs in the address alone, and who was `gone` got mails
        and did not leave by themselves, it is a `rename`. `None` where nobody has come in anybody's place.
        """
        ...

    def subscriber_for(self, token: str) -> KnownSubscriber | None:
        """Whose preferences `token` opens; `None` if nobody's."""
        ...

    def unsubscribed_for(self, token: str) -> KnownSubscriber | None:
        """Whose page to leave `token` opens, and no other one; `None` if nobody's."""
        ...

    def renew_links(self, email: str) -> None:
        """From now on other tokens open this subscriber's own pages and feed, and all of before open nothing.

        Pages of digests keep theirs. Nothing where nobody is called so.
        """
        ...

    def keyword_tokens(self, keys: Mapping[str, str], *, make: bool = True) -> Mapping[str, str]:
        """The tokens of the pages of keywords, which `keys` has with the keys of their queries.

        One without a query that was ever enrolled has no page; without `make`, nor has one that never had a
        token, and nothing is written.
        """
        ...

    def keyword_page(self, token: str) -> KeywordPage | None:
        """The newest hundred papers that a keyword found, the one that was seen last first."""
        ...

    def digest_page(self, token: str) -> Digest | None:
        """The digest that was sent under this token, as it was written down."""
        ...

    def digests_of(self, feed: str) -> tuple[Mailing, ...] | None:
        """The last twenty digests of the subscriber whose feed this is, the newest first; `None` if
        nobody's.
        """
        ...

    def figures(self) -> Figures:
        """What a monitor wants to know."""
        ...

    def notices(self) -> Mapping[str, datetime]:
        """What the operator was told, by name, and when."""
        ...

    def record_notice(self, name: str, *, ends: str | None, now: datetime) -> None:
        """Remembers what the operator was told; it is the end of `ends`, if of anything."""
        ...

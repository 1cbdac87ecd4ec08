"""What the steps of a cycle ask of the store: a protocol for each, and what several have in common."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from digest.model.paper import ArxivId
from digest.sources.window import Coverage
from digest.storage.values import (
    AddressChange,
    Delay,
    DeliveryResult,
    Mailing,
    Matched,
    News,
    Restored,
    Served,
    SubscriberStatus,
)
from digest.subscribers.subscriber import Subscriber


class CoverageStore(Protocol):
    """How far each query was fetched, and what it found lately."""

    def covered_at(self) -> Mapping[str, datetime]:
        """For each query key that was ever fetched with success: when it last was."""
        ...

    def coverage(self) -> Mapping[str, Coverage]:
        """For each query key of `covered_at`: how far it was fetched."""
        ...

    def recent_hits(self, *, since: datetime) -> Mapping[str, frozenset[ArxivId]]:
        """For each query key: the papers it found that were submitted since that moment."""
        ...

    def fetched_at(self) -> Mapping[str, datetime]:
        """For each source that ever answered well: when it last did."""
        ...


class RestoreStore(Protocol):
    """Whether the state was restored from an older copy."""

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


class EnrolStore(Protocol):
    """Brings the state to what the file of subscribers says."""

    def enrol(self, subscribers: Sequence[Subscriber], *, now: datetime, current_since: datetime) -> int:
        """Makes the enrolled subscribers and their subscriptions those of `subscribers`; ends all others.

        What a subscriber got stays known, so a keyword that is dropped and taken up again repeats nothing.
        Mailings of subscribers who have left are given up; returns how many. Those who return get them after
        all. A new subscription's backlog ends here if its query was covered since `current_since`, else
        with its next fetch. Subscribers who unsubscribed themselves are not enrolled until `rejoin`.
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


class FetchStore(CoverageStore, RestoreStore, Protocol):
    """What a fetch writes down, and what it need not ask again."""

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

    def note_fetch(self, source: str, *, now: datetime) -> None:
        """Remembers that a source answered well, and what had been seen by then."""
        ...


class NewsStore(Protocol):
    """What is new for whom."""

    def subscriber_statuses(self, emails: Sequence[str]) -> Mapping[str, SubscriberStatus]:
        """Where those of these subscribers stand who are enrolled, by `address_key`."""
        ...

    def news(self, email: str, *, backlog_since: datetime) -> News:
        """What a subscriber has not been served; of the backlog, what was submitted since `backlog_since`."""
        ...


class ComposeStore(NewsStore, Protocol):
    """Puts digests in the outbox."""

    def enqueue(self, served: Sequence[Served]) -> int:
        """Closes these subscribers' sending times: puts the digests in the outbox and moves the cursors.

        Returns how many digests that were. A subscriber is left as they were if one of the mailings that
        their digest takes over is being sent by now.
        """
        ...


class RenderStore(Protocol):
    """Hands out the mailings to be written."""

    def claim(self, *, now: datetime, until: datetime, limit: int) -> tuple[Mailing, ...]:
        """Marks up to `limit` mailings that are due as being sent, the longest due first, and returns them.

        They are nobody else's `until` that moment (the lease). Then whoever asks next gets them. Those of a
        subscriber who pauses are put off to the end of the pause.
        """
        ...


class QueueStore(Protocol):
    """What waits in the outbox, and why."""

    def waiting(self) -> int:
        """How many mailings are written down and not at their end, but for those put off by a pause."""
        ...

    def next_due_at(self) -> datetime | None:
        """When the first of them is due."""
        ...

    def blocked(self, *, now: datetime) -> Delay:
        """The mailings that wait since a server could not be used at all, or called too many addresses dead.

        All that are due do so, then. Not those that wait for the end of a pause.
        """
        ...

    def refused(self, *, least: int) -> Delay:
        """Those of them that a server refused last, each for itself, tried `least` times or more."""
        ...


class DeliverStore(RenderStore, QueueStore, Protocol):
    """What a delivery writes down, and what it decides by."""

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        """Takes back all that is being sent, as unknown, and returns how many that were.

        To be called when nobody else can be sending. What is due after `latest` was written down by a
        clock that was wrong, and is due now.
        """
        ...

    def retry_now(self, *, now: datetime) -> None:
        """Makes every mailing that waits for another attempt due at `now`."""
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

    def forget(self) -> None:
        """Gives up the papers that are kept in memory to be quick."""
        ...


class CleanupStore(Protocol):
    """Keeps the state small."""

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

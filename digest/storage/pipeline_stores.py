"""The protocols of the store for the steps of a cycle: one for each step, and their common parts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from digest.model.paper import ArxivId, Paper
from digest.sources.window import Coverage
from digest.storage.news_facts import NewsFacts
from digest.storage.personal_data import PersonalDataStore
from digest.storage.rate_limit import Limits, Turn
from digest.storage.values import (
    AddressChange,
    ClosedSlot,
    Delay,
    DeliveryResult,
    Host,
    LastFetch,
    Lease,
    Mailing,
    Matched,
    OtherFile,
    Restored,
    Served,
    SubscriberStatus,
)
from digest.subscribers.subscriber import Subscriber


class CoverageStore(Protocol):
    """The coverage and the recent hits of each query."""

    def covered_at(self) -> Mapping[str, datetime]:
        """Returns the last successful fetch for each query key that had one."""
        ...

    def coverage(self) -> Mapping[str, Coverage]:
        """Returns the coverage for each query key of `covered_at`."""
        ...

    def recent_hits(self, *, since: datetime) -> Mapping[str, frozenset[ArxivId]]:
        """Returns for each query key the papers that it found and that were submitted since that moment."""
        ...

    def fetched_at(self) -> Mapping[str, datetime]:
        """Returns the last good answer of each source that had one."""
        ...


class RestoreStore(Protocol):
    """Whether the state was restored from an older copy."""

    def restored(self) -> Restored | None:
        """Returns an older copy that was put in the place of the state: a new one, else the last one.

        A restore of the whole machine (a snapshot) cannot be detected, since it restores the marks too.
        """
        ...

    def take_up_restored(self, *, now: datetime) -> Restored | None:
        """Accepts an older copy as the state, and returns it; `None` if there is no new one.

        Unfinished mailings may have been sent after the copy was made: they are repeated unchanged, and never
        merged. Call it before anything is composed, and while no other process can send.
        """
        ...


class EnrolStore(Protocol):
    """Brings the subscribers in the state up to date with the entries."""

    def enrol(self, subscribers: Sequence[Subscriber], *, now: datetime, current_since: datetime) -> int:
        """Enrols `subscribers` with their subscriptions, and ends all others.

        The state keeps what a subscriber got: a keyword that is dropped and added again repeats nothing.
        Mailings of subscribers who have left are given up, and sent if the subscriber returns. Returns how
        many were given up. The backlog of a new subscription ends here if its query was covered since
        `current_since`, else with the next fetch. Subscribers who unsubscribed themselves are not enrolled
        until `rejoin`.
        """
        ...

    def take_up_file(self, host: str, content: str, *, now: datetime) -> OtherFile | None:
        """Decides whether the subscribers.toml of a host is in force. Call it before `enrol`.

        It is if it has the content of the file in force, or if it was changed since the last call for this
        host: then it is in force from now on. `None`: it is in force. Otherwise its entries must not be used:
        another host changed its file later, or this one is new. A state file has one host, and takes any.
        """
        ...

    def other_file(self, host: str, content: str) -> OtherFile | None:
        """Returns what `take_up_file` would return, and changes nothing."""
        ...

    def take_up_entries(
        self,
        subscribers: Sequence[Subscriber],
        *,
        file: str | None,
        finds_renames: bool = True,
        now: datetime,
    ) -> AddressChange | None:
        """Compares the entries with those of the last call. Call it before `enrol`.

        If one entry is gone and one new entry differs only in the address, and the old subscriber got mails
        and did not unsubscribe, this is a rename (`is_rename`). Returns `None` for an unchanged `file`,
        unless entries are gone and others are new, or without `finds_renames`. What subscribers said of
        papers is deleted if their entries are gone.
        """
        ...


class FetchStore(CoverageStore, RestoreStore, Protocol):
    """The results of fetches, and a cache of papers that need no second look."""

    def record(
        self,
        papers: Iterable[Matched],
        *,
        covered: Mapping[str, datetime],
        now: datetime,
        newest: str = "",
    ) -> int:
        """Stores a successful fetch: its hits, and for each covered query key, since when it searched.

        Returns how many papers are new to this installation, without papers of the past. `newest` is the last
        paper, in the order of announcements, that arXiv has shown so far. Coverage never moves back. For a
        paper that was seen before, a higher version is a revision, and another text or other categories are a
        change; the paper keeps its hits.
        """
        ...

    def examined(self, query_keys: Iterable[str]) -> Mapping[bytes, bool]:
        """Returns what the last `note_examined` stored, if it was for exactly these queries; else nothing."""
        ...

    def note_examined(self, query_keys: Iterable[str], papers: Mapping[bytes, bool]) -> None:
        """Stores which papers have all their hits on these queries in the state, and whether they have any.

        The key of a paper is a 16-byte hash of its whole text.
        """
        ...

    def keep_listed(self, papers: Sequence[Paper], *, now: datetime) -> None:
        """Keeps newly announced papers for two days, whether a keyword matches them or not."""
        ...

    def note_fetch(self, source: str, *, now: datetime) -> None:
        """Stores that a source answered well, and the last hit at that time."""
        ...


class LeaseStore(Protocol):
    """Work that only one process at a time may do, over all hosts that use the state.

    Each opened store is a holder of its own.
    """

    def take_lease(self, task: str, *, lasting: timedelta) -> Lease | None:
        """Takes the lease of a task, or renews it. Returns `None` while another store has it.

        It ends after `lasting`, by the clock of the database.
        """
        ...

    def end_lease(self, task: str) -> None:
        """Ends the lease, if this store has it."""
        ...


class KeepStore(Protocol):
    """Keeps what a process holds."""

    def keep_claims(self, holder: str, *, lasting: timedelta) -> bool:
        """Extends the time for which it holds. False if that had ended and another process took over."""
        ...


class ClaimStore(KeepStore, Protocol):
    """Which mailings are going on, over all hosts that use the state.

    `holder` names one. Each of its processes claims mailings as the same holder, or as `HOLDER/NUMBER`.
    """

    def begin_claims(self, holder: str, *, lasting: timedelta) -> int:
        """Stores that this holder works, for so long by the clock of the database.

        Returns how many hosts share the connections to the mail server, this one included.
        """
        ...

    def end_claims(self, holder: str, *, now: datetime) -> None:
        """Stores that this holder has ended. Reclaims what it holds still."""
        ...

    def reclaim_abandoned(self, *, now: datetime) -> int:
        """Reclaims, as unknown, the mailings of holders whose time ended, and returns their number."""
        ...


class HostStore(Protocol):
    """The hosts whose daemons use the state."""

    def note_alive(self, name: str) -> int:
        """Stores that the daemon of this store runs on the host with that name.

        Returns how many daemons did so in the last minute, this one included.
        """
        ...

    def note_stopped(self) -> None:
        """Stores that the daemon of this store has stopped, as it was told."""
        ...

    def hosts(self) -> tuple[Host, ...]:
        """Returns the daemons that called `note_alive` in the last day and did not stop, by name."""
        ...


class FetchScheduleStore(CoverageStore, Protocol):
    """When to fetch next, for the daemons of all hosts."""

    def last_fetch(self) -> LastFetch | None:
        """Returns what the last `note_last_fetch` stored."""
        ...

    def note_last_fetch(self, last: LastFetch) -> None:
        """Stores the last fetch of a daemon."""
        ...


class NewsStore(Protocol):
    """What is new for each subscriber."""

    def subscriber_statuses(self, emails: Sequence[str]) -> Mapping[str, SubscriberStatus]:
        """Returns the status of the enrolled ones of these subscribers, by `address_key`."""
        ...

    def news_facts(self, emails: Sequence[str], *, backlog_since: datetime) -> NewsFacts:
        """Returns the facts from which `digest.pipeline.news` decides what is new for these subscribers.

        All facts are of one moment. Subscribers who are not known are left out. Hits that were read before
        are kept in memory for the next call, until new ones are recorded or `forget` is called.
        """
        ...

    def profiles_of(self, emails: Sequence[str]) -> Mapping[str, bytes]:
        """Returns what was learned of subscribers (`digest.interest.profile`), by `address_key`.

        Those who liked nothing are left out. It may write, after an update that changed the method.
        """
        ...


class RecentStore(CoverageStore, Protocol):
    """What each query found of late."""

    def recent_papers(self, query_key: str, *, since: datetime) -> tuple[Paper, ...]:
        """Returns the papers submitted since then that a query found, new or not, without archived ones."""
        ...


class ListedStore(Protocol):
    """The papers of the last announcements, where arXiv listed all of them."""

    def listed(self, *, since: datetime) -> Mapping[Paper, datetime]:
        """Returns the papers that `keep_listed` kept since then, and when."""
        ...


class ComposeStore(RecentStore, ListedStore, NewsStore, Protocol):
    """Adds digests to the outbox."""

    def close_slots(self, closed: Sequence[ClosedSlot]) -> None:
        """Closes sending times without news. Skips a subscriber whose last closed one is not `former`."""
        ...

    def enqueue(self, served: Sequence[Served]) -> int:
        """Closes the subscribers' sending times: adds the digests to the outbox and moves the cursors.

        Returns the number of digests. Skips a subscriber whose sending time and cursors are not those of
        `standing` any more (another process has served them), and one if a mailing that their digest merges
        is being sent. So nobody is served twice, even if other processes compose at the same time.
        """
        ...


class RenderStore(Protocol):
    """Claims the mailings to write."""

    def claim(
        self, *, now: datetime, until: datetime, limit: int, holder: str | None = None
    ) -> tuple[Mailing, ...]:
        """Marks up to `limit` due mailings as being sent, the longest due first, and returns them.

        No other process gets them before `until` (the lease). After that, the next caller gets them.
        `reclaim_from` reclaims them earlier by their `holder`. Mailings of a subscriber who pauses are put
        off to the end of the pause.
        """
        ...


class QueueStore(Protocol):
    """The waiting mailings of the outbox, and why they wait."""

    def sending(self, *, now: datetime) -> int:
        """Returns how many unfinished mailings a process holds right now, to send them."""
        ...

    def waiting(self) -> int:
        """Returns the number of unfinished mailings, without those put off by a pause."""
        ...

    def next_due_at(self) -> datetime | None:
        """Returns when the first unfinished mailing is due."""
        ...

    def blocked(self, *, now: datetime) -> Delay:
        """Returns the mailings that wait because the whole server failed, or called too many addresses dead.

        If there are any, all due mailings count. Those that wait for the end of a pause never count.
        """
        ...

    def refused(self, *, least: int) -> Delay:
        """Returns the mailings that a server refused one by one, tried at least `least` times."""
        ...


class RateStore(Protocol):
    """Counts mails for the limits of a provider, over all processes that use the state."""

    def resume_sending(self, *, now: datetime) -> None:
        """Counts what the last 24 hours sent without `reserve_sending`: before a limit was set."""
        ...

    def reserve_sending(self, limits: Limits, *, now: datetime) -> Turn:
        """Counts a mail that is handed over at `now`, unless the limits make it wait.

        Call it for every attempt: providers count attempts, whatever their result.
        """
        ...


class DeliverStore(RenderStore, QueueStore, RateStore, ClaimStore, Protocol):
    """The results of a delivery, and the data for its decisions.

    With a `holder`, a method changes only mailings that this one holds still. A mail that was sent is always
    stored as sent.
    """

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        """Reclaims all mailings that are being sent, as unknown, and returns their number.

        Call it while no other process of this host can send. Where several hosts use the state, those that
        another one may be sending are left until the end of their lease. A mailing that is due after `latest`
        was put off while the clock was wrong: it is made due now.
        """
        ...

    def reclaim_from(self, holder: str, *, now: datetime) -> int:
        """Reclaims all mailings that this holder is sending, as unknown, and returns their number.

        Call it after the holder has died.
        """
        ...

    def retry_now(self, *, now: datetime) -> None:
        """Makes every mailing that waits for another attempt due at `now`."""
        ...

    def renew(self, numbers: Sequence[int], *, until: datetime, holder: str | None = None) -> None:
        """Extends the lease of claimed mailings."""
        ...

    def record_results(
        self, conclusions: Sequence[DeliveryResult], *, now: datetime, holder: str | None = None
    ) -> None:
        """Stores the results of claimed mailings. The address of a `SUPPRESSED` one is suppressed."""
        ...

    def release(
        self, numbers: Sequence[int], *, now: datetime, reply: str | None = None, holder: str | None = None
    ) -> None:
        """Releases claimed mailings without an attempt, if the server is to blame. `reply` is its reply."""
        ...

    def doubted(self) -> Mapping[str, datetime]:
        """Returns since when addresses, by `address_key`, are in doubt: called dead, but not suppressed."""
        ...

    def accepted_since(self, moment: datetime) -> int:
        """Returns the number of mailings that a server accepted since then and did not bounce."""
        ...

    def record_of(self, domain: str, *, since: datetime) -> tuple[int, int]:
        """Returns how many mailings to a domain were accepted, and how many of its addresses suppressed.

        Both are since `since`. If no mailing was accepted since then, the suppressed addresses are counted
        since the last accepted one.
        """
        ...

    def forget(self) -> None:
        """Frees the papers that are cached in memory."""
        ...


class MailStore(ComposeStore, DeliverStore, Protocol):
    """All that a mailing needs: it composes digests, and delivers them."""


class CleanupStore(PersonalDataStore, Protocol):
    """Frees space in the state."""

    def archive(self, *, now: datetime, lookback: timedelta) -> int:
        """Archives some papers that are too old for fetches with this look-back, to save space.

        Returns the number of archive blocks that it wrote; 0 if there is nothing to do. Archived papers count
        as before, but are slower to read and no longer part of a backlog.
        """
        ...

    def prune(self, *, now: datetime) -> int:
        """Deletes some of the mailings that ended more than 90 days ago, and returns their number.

        The 90 days are before the newest paper if that is earlier than `now`: the clock may be wrong.
        Mailings of subscribers who get new versions stay, since they say which versions a subscriber had.
        Suppressed mailings stay too, since `resume` sends them.
        """
        ...

    def forget_signups(self, *, now: datetime) -> None:
        """Deletes the sign-ups that nobody confirmed within 48 hours, and what no limit counts any more."""
        ...

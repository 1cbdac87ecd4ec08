"""The protocols of the store for the steps of a cycle: one for each step, and their common parts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from digest.model.paper import ArxivId, Paper
from digest.sources.window import Coverage
from digest.storage.delivery_stores import DeliverStore
from digest.storage.news_facts import NewsFacts
from digest.storage.personal_data import PersonalDataStore
from digest.storage.values import (
    AddressChange,
    ClosedSlot,
    Host,
    LastFetch,
    Lease,
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


class HostStore(Protocol):
    """The hosts whose daemons use the state."""

    def note_alive(self, name: str) -> int:
        """Stores that the daemon of this store runs on the host with that name.

        Returns how many daemons did so in the last minute, this one included.
        """
        ...

    def note_stopped(self) -> None:
        """Stores that the daemon of this store has stopped on request."""
        ...

    def hosts(self) -> tuple[Host, ...]:
        """Returns the daemons that called `note_alive` in the last day and did not stop, by name."""
        ...


class LastFetchStore(Protocol):
    """How the last fetch ended."""

    def last_fetch(self) -> LastFetch | None:
        """Returns what the last `note_last_fetch` stored."""
        ...


class FetchScheduleStore(CoverageStore, LastFetchStore, Protocol):
    """When to fetch next, for the daemons of all hosts."""

    def note_last_fetch(self, last: LastFetch) -> None:
        """Stores the last fetch of a daemon or a run."""
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
        """Returns what was learned of subscribers (`digest.subscribers.interest.profile`), by `address_key`.

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

"""The values that the store takes and returns."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from digest.model.digest import Change, Digest, Hit, Revision
from digest.model.paper import Paper


class MailingState(StrEnum):
    """The state of a mailing (docs/delivery.md). The last four states are final.

    `UNKNOWN`: the connection was lost when the server may already have accepted the mail (RFC 1047).
    `SUPPRESSED`: its address is dead. `MERGED`: its papers are in the subscriber's next digest. `FAILED`: its
    subscriber has left.
    """

    PENDING = "pending"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DEFERRED = "deferred"
    SENT = "sent"
    SUPPRESSED = "suppressed"
    MERGED = "merged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """An older copy of the state was put in its place. This was noticed at `noticed_at`; `None`: not yet.

    `copied_at` is when `digest backup` made the copy, if it did and this is still known.
    """

    copied_at: datetime | None
    noticed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do a task. `idle_for` is how long nobody had it; `None` if nobody ever had it, or if it is
    renewed.
    """

    idle_for: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A daemon, and the name of its host. `is_alive`: it was seen in the last minute."""

    name: str
    since_at: datetime
    seen_at: datetime
    is_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFile:
    """The subscribers.toml of another host, which is in force since then instead of the one of this host."""

    host: str
    since_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFetch:
    """The last fetch of a daemon or a run, on any host.

    It `began_at` that time, for the queries whose keys hash to `queries`. `failed_at` is when it ended
    without an answer for a query. `is_missing`: arXiv seems to have left an announcement out.
    """

    began_at: datetime
    queries: bytes
    failed_at: datetime | None = None
    is_missing: bool = False
    brought_papers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A fetched paper with the keys of the queries that it matches.

    For the queries of `past_keys` it is a paper of the past: it was announced before they were followed, and
    is not new.
    """

    paper: Paper
    query_keys: tuple[str, ...]
    past_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberStatus:
    """The status of a subscriber: since when they are known, and when their last digest was planned.

    `slot_at` is the last sending time that was closed, by a digest or by "nothing new". `has_news`: there may
    be something new for them; if false, there is nothing. `is_suppressed`: their address is dead, so nothing
    is composed for them.
    """

    since_at: datetime
    last_digest_at: datetime | None
    slot_at: datetime | None
    has_news: bool
    is_suppressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The numbers of the last hit, revision and change of this installation at one moment."""

    hit: int
    revision: int
    change: int = 0


class Standing(NamedTuple):
    """The position of a subscriber in the state: their number there, last closed sending time and cursors.

    `revision` is `None` if they ask for no new versions, `change` if they have no filters. `beginning` are
    the numbers of the subscriptions whose backlog the next digest has.
    """

    subscriber: int
    slot_at: datetime | None
    hit: int
    revision: int | None = None
    change: int | None = None
    beginning: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The tokens of web pages: to unsubscribe, for a subscriber's preferences, and for one digest.

    With `interest`, the subscriber says which papers of the digest they like.

    They are derived from the state's secret and never expire. Only `renew_links` changes a subscriber's own
    tokens.
    """

    leave: str
    subscriber: str
    digest: str
    interest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A digest in the outbox. `token` identifies it in every attempt; `attempts` counts earlier attempts.

    `has_merged`: it has the papers of earlier mailings that did not arrive. `was_due_at`: since when it was
    due when it was claimed; `None` if it was not claimed.
    """

    number: int
    token: str
    attempts: int
    digest: Digest
    has_merged: bool = False
    pages: Pages | None = None
    was_due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Everything that is new for a subscriber at `standing`, as of `frontier`.

    - `groups`: the new hits. If `is_shared`, each group has those of one query, which are new for others too,
      and none of the backlog; groups of several subscribers are one object then. Else all are in one group.
    - `revisions`: only if the subscriber asks for new versions. They are for papers that a mailing to
      them contained and that one of their keywords still finds, in the order in which they were seen.
    - `changes`: only if the subscriber has filters. They are for papers that no mailing to them contained, in
      the same order.
    - `undelivered`: their mailings that certainly have not arrived, the oldest first.
    - `covered_at`: until when arXiv was asked for all their keywords, except those for which it was never
      asked. If it was asked for none of them, that of keywords that they dropped.

    `standing` is `None` if the subscriber is not known.
    """

    groups: tuple[tuple[Hit, ...], ...]
    frontier: Progress
    is_shared: bool = False
    standing: Standing | None = None
    revisions: tuple[Revision, ...] = ()
    changes: tuple[Change, ...] = ()
    undelivered: tuple[Mailing, ...] = ()
    covered_at: datetime | None = None

    @property
    def hits(self) -> tuple[Hit, ...]:
        """All new hits, in the order of their numbers."""
        return tuple(sorted(chain.from_iterable(self.groups), key=attrgetter("number")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How a subscriber's sending time is closed: by `digest`, or by "nothing new" if that is `None`.

    `standing` is where the subscriber stood when this was decided, `frontier` the new position of their
    cursors. `merges` are the undelivered mailings whose papers are in the digest.
    """

    standing: Standing
    slot_at: datetime
    frontier: Progress
    digest: Digest | None = None
    merges: tuple[int, ...] = ()


class ClosedSlot(NamedTuple):
    """A sending time of a subscriber without news. `former` is the last one that was closed before it."""

    email: str
    slot_at: datetime
    former: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The result of a claimed mailing. `due_at` is when it is tried again, unless the state is final.

    `is_doubted`: the server called the address dead, but this is not believed yet.
    """

    number: int
    state: MailingState
    reply: str
    due_at: datetime | None = None
    is_doubted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that gets no more mail, since when, and the reply of the server about it."""

    email: str
    since_at: datetime
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """How many other subscribers were called dead within a day, and how many were `mailed` recently."""

    others: int = 0
    mailed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounced:
    """A subscriber with a bounced mailing.

    `bounces` counts the bounces of the last thirty days that were caused by the mailbox. `doubted_for` is the
    longest time between bounces of two mailings that say that the mailbox may not exist. `of_all` counts
    the bounces of all subscribers, `of_domain` those of the same domain.
    """

    email: str
    bounces: int
    doubted_for: timedelta = timedelta(0)
    of_all: Returned = Returned()
    of_domain: Returned = Returned()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadMail:
    """A returned mail that was not understood. It is kept for a person to look at."""

    number: int
    received_at: datetime
    sender: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperHistory:
    """A paper that this installation has seen, in its newest version, with the queries that found it.

    `seen_at` is the end of the fetch that first found it, if known.
    """

    paper: Paper
    query_keys: tuple[str, ...]
    seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingRecord:
    """A version of a paper in a mailing, and the result of the mailing: the last `reply`, and its time."""

    planned_at: datetime
    version: int
    state: MailingState
    attempts: int
    reply: str
    concluded_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryHistory:
    """The history of a paper for one subscriber: the mailings that contain it, the first one first.

    `backlog_keys` are their queries that found it before the subscription began. `pending_keys` are those for
    which their next digest may contain it. `is_seen_elsewhere`: it was marked by `count_as_seen`.
    """

    postings: tuple[MailingRecord, ...] = ()
    backlog_keys: tuple[str, ...] = ()
    pending_keys: tuple[str, ...] = ()
    is_seen_elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A delayed mailing that is tried again at `due_at`. `reply` is the last cause.

    If `attempts` is 0, the only cause was the server as a whole.
    """

    email: str
    state: MailingState
    attempts: int
    reply: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The number of delayed mailings, and the reply of the server for the last one."""

    count: int = 0
    reply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSubscriber:
    """A subscriber who is or was enrolled. `feed` is the token of the feed of their digests."""

    email: str
    feed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordPage:
    """A keyword as a subscriber wrote it, the newest papers that it found, and its last good fetch."""

    keyword: str
    papers: tuple[Paper, ...]
    covered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The numbers of subscribers, of suppressed addresses and of waiting mailings, and the last fetch.

    `waiting_since`: when the oldest waiting mailing was composed.
    """

    subscribers: int
    suppressed: int
    waiting: int
    waiting_since: datetime | None
    fetched_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """The numbers of entries that are `gone` from subscribers.toml and of those that `came`.

    If both are 1, `old` and `new` are their addresses. `is_rename`: they are one subscriber now.
    """

    gone: int = 1
    came: int = 1
    old: str = ""
    new: str = ""
    is_rename: bool = False

"""What goes into the store and comes out of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest.model.digest import Change, Digest, Hit, Revision
from digest.model.paper import Paper
from digest.subscribers.preferences import Preferences


class MailingState(StrEnum):
    """Where a mailing is in its life (docs/delivery.md); the last four are the ends of it.

    `UNKNOWN`: the connection was lost when the server may already have taken it (RFC 1047).
    `SUPPRESSED`: its address is dead. `MERGED`: its papers went into the subscriber's next digest. `FAILED`:
    its subscriber has left.
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
    """An older copy of the state was put in its place, and noticed at that moment; `None`: not taken up yet.

    `copied_at` is when `digest backup` made the copy, where it did and that is still known.
    """

    copied_at: datetime | None
    noticed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A fetched paper with the keys of the queries that it matches.

    For those of `past_keys` it is of the past: it was announced before they were followed, and is no news.
    """

    paper: Paper
    query_keys: tuple[str, ...]
    past_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberStatus:
    """Where a subscriber stands: known since when, and when (if ever) their last digest was planned.

    `slot_at` is the last sending time that was dealt with, be it by a digest or by "nothing new".
    `has_news`: there may be something new for them; there is nothing if it is false.
    `is_suppressed`: their address is dead, so nothing is written down for them.
    """

    since_at: datetime
    last_digest_at: datetime | None
    slot_at: datetime | None
    has_news: bool
    is_suppressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far this installation has seen at one moment: the numbers of its last hit, revision and change."""

    hit: int
    revision: int
    change: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The tokens of web pages: to leave, of a subscriber's preferences, and of the page that shows a digest.

    They follow from the state's secret and never expire. A subscriber's own ones change with `renew_links`
    alone.
    """

    leave: str
    subscriber: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A digest in the outbox. `token` names it in every attempt; `attempts` counts those made before."""

    number: int
    token: str
    attempts: int
    digest: Digest
    pages: Pages | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """All that a subscriber has not been served, as of `frontier`.

    `revisions` come in the order in which they were seen, and only where the subscriber asks for new
    versions: those of papers that a mailing brought them, and that one of their keywords still finds.
    `changes`, in the same order, come where the subscriber has filters, of papers that no mailing brought
    them. `undelivered` are mailings written down for them that certainly have not arrived, the oldest first.
    """

    hits: tuple[Hit, ...]
    frontier: Progress
    revisions: tuple[Revision, ...] = ()
    changes: tuple[Change, ...] = ()
    undelivered: tuple[Mailing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How a subscriber's sending time was dealt with: by `digest`, or where it is `None` by nothing new.

    `frontier` is where their cursors go, if anywhere; `merges` are the undelivered mailings whose papers
    the digest took over.
    """

    email: str
    slot_at: datetime
    frontier: Progress | None = None
    digest: Digest | None = None
    merges: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """What became of a claimed mailing; `due_at` is when it is tried again, unless this is the end of it.

    `is_doubted`: the server called the address dead, and it is not believed yet.
    """

    number: int
    state: MailingState
    reply: str
    due_at: datetime | None = None
    is_doubted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that gets no mail any more, since when, and what a server said of it."""

    email: str
    since_at: datetime
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """How many other subscribers were called dead within a day, and how many were `mailed` lately."""

    others: int = 0
    mailed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounced:
    """A subscriber one of whose mailings came back.

    `bounces` is how often notifications said in the last thirty days that mailings did not arrive because of
    their mailbox, and `doubted_for` how far apart those of two mailings are that say there may be none.
    `of_all` is what was said of all subscribers, and `of_domain` of those of the same domain.
    """

    email: str
    bounces: int
    doubted_for: timedelta = timedelta(0)
    of_all: Returned = Returned()
    of_domain: Returned = Returned()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadMail:
    """A mail about one of our mailings that was not understood, kept for a person to look at."""

    number: int
    received_at: datetime
    sender: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperHistory:
    """A paper that this installation has seen, in its newest version, and the keys of what found it.

    `seen_at` is the end of the fetch that first brought it, where that is known.
    """

    paper: Paper
    query_keys: tuple[str, ...]
    seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingRecord:
    """A version of a paper in a mailing, and what became of that: the last `reply`, and when it came."""

    planned_at: datetime
    version: int
    state: MailingState
    attempts: int
    reply: str
    concluded_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryHistory:
    """What became of a paper for one subscriber: the mailings that brought it, the first one first.

    `backlog_keys` are their queries that had found it before they asked for these, `pending_keys` those
    by which their next digest may bring it. `is_seen_elsewhere`: it was counted as seen (`count_as_seen`).
    """

    postings: tuple[MailingRecord, ...] = ()
    backlog_keys: tuple[str, ...] = ()
    pending_keys: tuple[str, ...] = ()
    is_seen_elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A mailing that is tried again at `due_at`, with what stood in its way last.

    No `attempts`: only the server as a whole stood in its way.
    """

    email: str
    state: MailingState
    attempts: int
    reply: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How many mailings something stands in the way of, and what a server said of the last one."""

    count: int = 0
    reply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSubscriber:
    """A subscriber who was enrolled once; `feed` is the token of the feed of their digests."""

    email: str
    feed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordPage:
    """A keyword as a subscriber wrote it, and the newest papers it found; `covered_at`: its last good
    fetch.
    """

    keyword: str
    papers: tuple[Paper, ...]
    covered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How many subscribers there are, how many addresses are suppressed, and how many mailings are
    `waiting`.
    """

    subscribers: int
    suppressed: int
    waiting: int
    fetched_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """Entries that were `gone` from subscribers.toml when it was read, and others that `came`.

    Where it is one of each, `old` and `new` are their addresses; `is_rename`: they are one subscriber now.
    """

    gone: int = 1
    came: int = 1
    old: str = ""
    new: str = ""
    is_rename: bool = False


_NOTHING = Preferences()


class PageChange(StrEnum):
    """What a subscriber is told of by mail: that they left, that their return was asked for, or new choices.

    `PAUSED` was told apart by former versions.
    """

    LEFT = "left"
    CHANGED = "changed"
    PAUSED = "paused"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A mail about a change; who has its token takes the change back, or confirms that they return.

    `former` is what they had chosen before it, where that was `CHANGED`.
    """

    number: int
    email: str
    change: PageChange
    token: str
    written_at: datetime
    former: Preferences = _NOTHING

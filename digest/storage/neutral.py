"""The content of a state in a form that is the same for each kind of database: tables of plain values."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from enum import Enum, auto
from hashlib import blake2b
from typing import Protocol

Row = tuple[object, ...]
"""Values in the order of the columns; moments are in UTC, JSON is as Python has it."""


class Kind(Enum):
    """What the values of a column are. Any may be `None`."""

    NUMBER = auto()
    TEXT = auto()
    BYTES = auto()
    FLAG = auto()
    MOMENT = auto()
    DATE = auto()
    TIME = auto()
    JSON = auto()
    TEXTS = auto()
    ID = auto()
    """An id of arXiv, as text."""
    PAPER = auto()
    """An announced paper, as a list of its values."""


def _columns(**kinds: str) -> Mapping[str, Kind]:
    """The columns of each kind, each with its kind, in this order."""
    return {name: Kind[kind.upper()] for kind, names in kinds.items() for name in names.split()}


TABLES: Mapping[str, Mapping[str, Kind]] = {
    "installation": _columns(
        text="secret entries_of", bytes="enrolled", number="entries_version", moment="restored_at"
    ),
    "query": _columns(
        number="number newest_hit newest_revision newest_change",
        text="key newest_place",
        moment="covered_at searched_since_at",
    ),
    "paper": _columns(number="number", id="arxiv_id"),
    "edition": _columns(
        number="number paper version checksum",
        text="title abstract comment journal_ref doi",
        texts="authors categories",
        moment="submitted_at updated_at",
    ),
    "hit": _columns(number="number query paper edition", flag="is_past"),
    "revision": _columns(number="number paper edition version"),
    "change": _columns(number="number paper before after"),
    "source_fetch": _columns(number="last_hit", text="source", moment="began_at ended_at"),
    "last_fetch": _columns(moment="began_at failed_at", bytes="queries", flag="is_missing brought_papers"),
    "examined": _columns(bytes="queries matching others"),
    "sending": _columns(number="number", moment="at", flag="is_open"),
    "listed_paper": _columns(
        number="number", text="arxiv_id", paper="row", moment="listed_at", flag="is_used"
    ),
    "subscriber": _columns(
        number="number cursor revision_cursor change_cursor links",
        text="address email",
        moment="since_at last_digest_at slot_at",
        flag="is_enrolled",
    ),
    "subscription": _columns(
        number="number subscriber query began_after welcomed_after ended_after", flag="is_welcomed"
    ),
    "seen_elsewhere": _columns(text="address", number="paper"),
    "mailing": _columns(
        number="number subscriber first_hit last_hit attempts bounces",
        text="token email name length state claimed_by reply",
        moment="planned_at covered_at due_at channel_due_at concluded_at channel_concluded_at bounced_at",
        date="dated_on",
        flag="is_first may_have_arrived is_blocked has_merged",
        json="keywords names entries revisions near outlook",
    ),
    "resting_channel": _columns(text="address cause target", moment="since_at"),
    "suppression": _columns(text="address email cause", moment="since_at"),
    "doubt": _columns(text="address", moment="since_at last_at"),
    "returned": _columns(number="number subscriber", text="token concern", moment="returned_at"),
    "unread_mail": _columns(number="number", moment="received_at", text="sender subject", bytes="content"),
    "preference": _columns(
        number="subscriber",
        texts="muted removed",
        json="added",
        time="send_at",
        text="weekly length timezone",
        date="paused_until",
        moment="left_at",
    ),
    "left_mark": _columns(text="mark", moment="left_at"),
    "wording": _columns(number="number query", text="text"),
    "confirmation": _columns(
        number="number subscriber",
        text="change token recipient",
        moment="written_at sent_at",
        json="former",
        flag="is_taken_back",
    ),
    "audit": _columns(number="number", moment="at", text="who action address details"),
    "ended_session": _columns(text="session", moment="until_at"),
    "operator_notice": _columns(text="name", moment="sent_at"),
    "entry": _columns(text="address", bytes="mark"),
    "subscriber_entry": _columns(number="number", text="address content", moment="joined_at"),
    "invite": _columns(number="number uses used", text="nonce", moment="made_at until_at revoked_at"),
    "signup": _columns(
        number="number invite attempts",
        text="address email content nonce",
        moment="written_at mailed_at due_at confirmed_at sent_at",
    ),
    "signup_attempt": _columns(number="number", moment="at", bytes="network", text="kind"),
    "signup_refusal": _columns(moment="hour_at", text="kind", number="count"),
    "example": _columns(number="number", text="name title abstract"),
    "judgement": _columns(text="address origin", number="example", flag="is_liked", moment="judged_at"),
    "profile": _columns(text="address", number="version", bytes="content"),
}
"""What a state remembers, in an order in which each table comes after those that it refers to. Leases,
which hosts are alive, and previews of keywords are not of the state but of the moment."""

COUNTING = ("listed_paper", "confirmation", "unread_mail")
"""The tables whose numbers are never given again, even if the last row is gone."""


class Tables(Protocol):
    """The tables of an opened state, within one transaction."""

    def is_empty(self) -> bool:
        """Whether no table but `installation` has a row."""
        ...

    def rows(self, table: str) -> Iterator[Row]:
        """Reads a table, in any order."""
        ...

    def write(self, table: str, rows: Iterable[Row]) -> None:
        """Writes all rows of a table, which is empty; the row of `installation` is replaced."""
        ...

    def last_numbers(self) -> Mapping[str, int]:
        """Returns the last number that each table of `COUNTING` gave; 0 if it gave none."""
        ...

    def count_on_from(self, numbers: Mapping[str, int]) -> None:
        """Makes each table go on after its last number: those of `COUNTING` after at least this one."""
        ...


OpenTables = AbstractContextManager[Tables]
"""At its end without an error, what was written is kept; else nothing is."""


class Checksum:
    """Counts rows, and adds up their hashes, so that their order does not matter."""

    def __init__(self) -> None:
        self.count, self._sum = 0, 0

    def add(self, row: Row) -> Row:
        self.count += 1
        self._sum += int.from_bytes(blake2b(repr(row).encode(), digest_size=16).digest())
        return row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checksum) and (self.count, self._sum) == (other.count, other._sum)

    __hash__ = None  # type: ignore[assignment]


def storable(value: object) -> object:
    """The value without the one letter that not every database can store."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd") if "\x00" in value else value
    if isinstance(value, list):
        return [storable(one) for one in value]
    return value

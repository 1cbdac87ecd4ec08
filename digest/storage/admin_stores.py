"""What the administrators' page asks of the store: figures of a period, and the log of their actions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from digest.storage.report_stores import FiguresStore
from digest.storage.signups import InviteStore
from digest.storage.subscriber_stores import PageChangeStore, SuppressionStore
from digest.storage.values import MailingState, Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An action of somebody who looks after the installation: who did what to whose subscription.

    `who` is the name under which they signed in. `address` is empty if it was about nobody.
    """

    at: datetime
    who: str
    action: str
    address: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """The mailings whose last attempt was in a period.

    - `sent`: the server took them; `deferred` of all were not taken at the first attempt.
    - `failed`: they ended without being sent.
    - `returned`: the mails that came back in the period, whenever they were sent.
    - `half_at`, `most_at`: when half and nine tenths of those that were sent had gone.
    """

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    returned: int = 0
    half_at: datetime | None = None
    most_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecord:
    """The last mailing of a subscriber: when it was composed and last tried, and with what result."""

    state: MailingState
    planned_at: datetime
    concluded_at: datetime | None
    attempts: int
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberRecord:
    """What the store knows of a subscriber who was enrolled at least once. `joined_at`: they signed up."""

    email: str
    since_at: datetime
    joined_at: datetime | None = None
    left_at: datetime | None = None
    paused_until: date | None = None
    suppressed: Suppression | None = None
    mail: MailRecord | None = None


class AuditStore(Protocol):
    """The log of what administrators did. An entry is kept for a year."""

    def note_action(self, entry: AuditEntry) -> None:
        """Stores an action."""
        ...

    def actions(
        self, *, email: str | None = None, since: datetime | None = None, limit: int, skip: int = 0
    ) -> tuple[AuditEntry, ...]:
        """Returns up to `limit` actions, the latest first, after leaving out `skip` of them."""
        ...


class SessionStore(Protocol):
    """The sessions of administrators that were ended before their time, for all processes."""

    def end_session(self, session: str, *, until: datetime, now: datetime) -> None:
        """Ends a session, which would end by itself at `until`. Forgets those that had ended by `now`."""
        ...

    def is_session_ended(self, session: str) -> bool:
        """Whether this session was ended before its time."""
        ...


class AdminStore(AuditStore, SessionStore, Protocol):
    """What the page of the administrators reads: bounded by a page or a period."""

    def admin_key(self) -> bytes:
        """Returns the key that signs what administrators' browsers keep. It is the same for all processes."""
        ...

    def deliveries(self, begin: datetime, end: datetime) -> Deliveries:
        """Returns what became of the mailings that were last tried from `begin` to before `end`."""
        ...

    def papers_found(self, begin: datetime, end: datetime) -> int:
        """Returns the number of papers that fetches of this period first found to match a keyword.

        Leaves out papers that were announced before anybody followed the keyword.
        """
        ...

    def subscriber_records(self, emails: Sequence[str]) -> Mapping[str, SubscriberRecord]:
        """Returns what is known of these subscribers, by `address_key`."""
        ...

    def suppression_of(self, email: str) -> Suppression | None:
        """Returns the suppression of an address, if there is one."""
        ...

    def latest_suppressions(self, *, limit: int, skip: int = 0) -> tuple[Suppression, ...]:
        """Returns suppressed addresses, the latest first, after leaving out `skip` of them."""
        ...


class AdminPageStore(AdminStore, FiguresStore, PageChangeStore, SuppressionStore, InviteStore, Protocol):
    """The page of the administrators, with its actions."""

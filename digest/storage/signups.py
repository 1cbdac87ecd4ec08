"""Sign-ups that wait for their confirmation, and invites: the values, and the protocols of the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import Protocol

from digest.storage.limits import FULL_HOURS_A_DAY
from digest.storage.subscriber_stores import PreferenceStore
from digest.subscribers.stored import EntryChange, EntryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSignup:
    """What somebody who is not yet known to own `email` wants. `content` is an entry, as in `StoredEntry`.

    `invite` is the number of the invite with which they came.
    """

    email: str
    content: str
    invite: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signup:
    """A sign-up that was stored. Only its mail has the `token`, by which its owner confirms it.

    `attempts` counts those to send the mail; `mailed_at` is when it was asked for.
    """

    number: int
    email: str
    content: str
    invite: int | None
    token: str
    written_at: datetime
    mailed_at: datetime
    attempts: int = 0
    is_confirmed: bool = False


class TypedMail(StrEnum):
    """The mails to addresses that somebody typed on a page. Each kind has limits of its own."""

    SIGNUP = "sign-up"
    LINK = "link"
    ADDRESS = "address"


class SignupAnswer(Enum):
    """Whether a sign-up was taken, or came over a limit. It does not depend on the address."""

    TAKEN = auto()
    TOO_MANY = auto()
    TOO_MANY_OF_NETWORK = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupLimits:
    """The most mails of a kind within an hour, for all and for one network; a day has those of four hours."""

    per_hour: int
    per_network: int

    def answer(self, *, of_day: int, of_hour: int, of_network: int) -> SignupAnswer:
        """Whether one more is taken after so many."""
        if of_network >= self.per_network:
            return SignupAnswer.TOO_MANY_OF_NETWORK
        is_full = of_hour >= self.per_hour or of_day >= self.per_hour * FULL_HOURS_A_DAY
        return SignupAnswer.TOO_MANY if is_full else SignupAnswer.TAKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupFigures:
    """`waiting`: sign-ups without confirmation. In the last 24 hours, `mailed` were sent to their addresses,
    and `refused` requests came over the limits, for each `TypedMail`."""

    waiting: int
    mailed: int
    refused: Mapping[str, int]


class SignupReportStore(Protocol):
    """The facts about sign-ups for reports, and who came and went."""

    def signup_figures(self, *, now: datetime) -> SignupFigures:
        """Returns the figures of sign-ups."""
        ...

    def joined_since(self, moment: datetime | None) -> tuple[tuple[str, datetime], ...]:
        """Returns who signed up after `moment` and has an entry in the state, each with the time."""
        ...

    def left_since(self, moment: datetime) -> tuple[tuple[str, datetime], ...]:
        """Returns who unsubscribed after `moment` and did not return, each with the time."""
        ...


class Confirming(Enum):
    """The result of a confirmation. `CONFLICT`: the entries were changed meanwhile."""

    DONE = auto()
    CONFLICT = auto()
    CLOSED_INVITE = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """A link with which people may sign up: `uses` of them (`None` for any number), until a moment.

    `used` counts those who confirmed.
    """

    number: int
    token: str
    made_at: datetime
    until_at: datetime | None
    uses: int | None
    used: int
    revoked_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        is_left = self.uses is None or self.used < self.uses
        return is_left and self.revoked_at is None and (self.until_at is None or now < self.until_at)


class InviteStore(Protocol):
    """The invites."""

    def add_invite(self, *, uses: int | None, until_at: datetime | None, now: datetime) -> Invite:
        """Stores a new invite."""
        ...

    def invites(self) -> tuple[Invite, ...]:
        """Returns all invites, also former ones, the oldest first."""
        ...

    def invite_for(self, token: str) -> Invite | None:
        """Returns the invite with this token, also a former one."""
        ...

    def revoke_invite(self, number: int, *, now: datetime) -> bool:
        """Makes an invite invalid, also for sign-ups that wait. Returns false for an unknown number."""
        ...


class SignupStore(EntryStore, PreferenceStore, InviteStore, Protocol):
    """The sign-ups. They are kept for 48 hours."""

    def sign_up(self, new: NewSignup, *, network: str, limits: SignupLimits, now: datetime) -> SignupAnswer:
        """Stores a sign-up, and asks for its mail: at most one a day for an address.

        A later one of the same address replaces it. `network` is empty if it is not known: then it has no
        limit of its own.
        """
        ...

    def count_attempt(
        self, kind: TypedMail, *, network: str, limits: SignupLimits, now: datetime
    ) -> SignupAnswer:
        """Counts a request for a mail towards the limits of its kind. Also counts it if it is refused."""
        ...

    def signup_for(self, token: str, *, now: datetime) -> Signup | None:
        """Returns the sign-up with this token."""
        ...

    def signup_mails(self, *, now: datetime) -> tuple[Signup, ...]:
        """Returns the sign-ups whose mails are due, the oldest first. Suppressed addresses get none."""
        ...

    def note_signup_mail(
        self, number: int, *, due_at: datetime | None, sent_at: datetime | None = None
    ) -> None:
        """Stores an attempt to send the mail; `due_at` is when to try again, `None` if it is done.

        `sent_at` is when the server took it.
        """
        ...

    def confirm_signup(self, number: int, changes: Sequence[EntryChange], *, now: datetime) -> Confirming:
        """Stores that the owner of the address confirms, counts the invite, and does `change_entries`.

        What a former subscriber with this address chose is forgotten, and they are subscribed again.
        Idempotent: a confirmed sign-up changes nothing any more.
        """
        ...

    def subscriber_token(self, email: str) -> str | None:
        """Returns the token that opens this subscriber's preferences; `None` for an unknown address."""
        ...

    def form_key(self) -> bytes:
        """Returns the key with which the pages sign their own forms."""
        ...

"""Confirmations: the mails about changes and requests of subscribers, as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from digest.subscribers.preferences import Preferences

_NOTHING = Preferences()


class PageChange(StrEnum):
    """The subject of a confirmation: they left, somebody asked for their return, or preferences changed.

    `ADDRESS` goes to a new address, whose owner confirms it; `MOVING` informs the former address. `LINK`
    has the link to the preferences. `ERASE` asks whether all that is stored shall be deleted.
    Only former versions wrote `PAUSED`.
    """

    LEFT = "left"
    CHANGED = "changed"
    PAUSED = "paused"
    RETURN = "return"
    ADDRESS = "address"
    MOVING = "moving"
    LINK = "link"
    ERASE = "erase"

    @property
    def is_request(self) -> bool:
        """Whether it is valid for 48 hours only, and the mail is of no use later."""
        return self in {PageChange.ADDRESS, PageChange.MOVING, PageChange.LINK, PageChange.ERASE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A mail about a change. Its token undoes the change, or confirms what was asked for.

    `former` are the preferences before the change, if it is `CHANGED`. `recipient` is the new address of an
    `ADDRESS`, and the former one of a `MOVING`; other mails go to the subscriber's `email`.
    """

    number: int
    email: str
    change: PageChange
    token: str
    written_at: datetime
    former: Preferences = _NOTHING
    recipient: str | None = None

    @property
    def mailed_to(self) -> str:
        return self.recipient or self.email

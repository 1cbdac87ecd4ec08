"""The protocol of the store for channels, its values, and what both stores know of them.

A channel is enrolled as a subscriber is, under a name that no mail address can be
(`digest.config.parsing.channel_address`). Its mailings are composed like all others, but they are claimed and
recorded by the methods below only: what is done with mails never touches them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from digest.config.parsing import CHANNEL, is_channel
from digest.storage.values import DeliveryResult, Mailing

_T = TypeVar("_T")

IS_CHANNEL = f"substr(email, 1, {len(CHANNEL)}) = '{CHANNEL}'"
"""Whether a row of `subscriber` or `mailing` is of a channel, in SQL."""


def due_columns(email: str, moment: _T) -> tuple[_T | None, _T | None]:
    """Returns `due_at` and `channel_due_at` of a mailing that is due at `moment`."""
    return (None, moment) if is_channel(email) else (moment, None)


def due_column(emails: Sequence[str]) -> str:
    """The column in which the mailings of these wait, who are all subscribers, or all channels."""
    return "channel_due_at" if emails and is_channel(emails[0]) else "due_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A channel gets nothing since its service said that it is gone.

    `target` is a hash of the address that is gone: a channel with another address rests no more.
    """

    since_at: datetime
    cause: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    """What waits for a channel, and when it last took a digest.

    `due_at` is the next attempt at what waits, `attempts` how often that was tried, `reply` the last cause.
    """

    sent_at: datetime | None = None
    waiting: int = 0
    due_at: datetime | None = None
    attempts: int = 0
    reply: str = ""
    rest: Rest | None = None


class ChannelStatusStore(Protocol):
    """How channels are."""

    def channel_statuses(self, emails: Sequence[str]) -> Mapping[str, ChannelStatus]:
        """Returns the status of each of these channels; of one that is not known, one without anything."""
        ...


class ChannelStore(ChannelStatusStore, Protocol):
    """The mailings of channels. One process at a time may hold those of a channel: see `LeaseStore`."""

    def reclaim_for_channel(self, email: str, *, now: datetime, latest: datetime) -> int:
        """Reclaims, as unknown, what another process was sending to a channel, and returns the number.

        Call it with the lease of the channel, before the first `claim_for_channel`. A mailing that is due
        after `latest` was put off while the clock was wrong: it is made due now.
        """
        ...

    def claim_for_channel(self, email: str, *, now: datetime, until: datetime, holder: str) -> Mailing | None:
        """Marks the next due mailing of an enrolled channel as being sent, and returns it."""
        ...

    def record_for_channel(self, result: DeliveryResult, *, now: datetime, holder: str) -> None:
        """Stores the result of a claimed mailing, if this holder has it still, or if it was sent."""
        ...

    def retry_channels(self, *, now: datetime) -> None:
        """Makes every mailing of a channel that waits for another attempt due at `now`."""
        ...

    def rest_channel(self, email: str, rest: Rest) -> None:
        """Stores that a channel rests. What waits for it stays."""
        ...

    def wake_channel(self, email: str, *, now: datetime) -> bool:
        """Ends the rest of a channel: what waits for it is due now. Returns false if it did not rest."""
        ...

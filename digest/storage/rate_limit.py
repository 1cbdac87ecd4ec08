"""Decides when the next mail may be sent within a provider's limits, without a clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

CLOCKS_DIFFER = timedelta(minutes=5)
"""The clocks of hosts differ by less: mails are counted by that of all hosts, and recorded by that of one."""

LONGEST = timedelta(minutes=15)
"""How long a server may take for a mail. After that, whoever sent it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most mails per minute and per 24 hours; `provider` sets these limits and is named in messages."""

    per_minute: int | None = None
    per_day: int | None = None
    provider: str | None = None

    @property
    def are_set(self) -> bool:
        return self.per_minute is not None or self.per_day is not None


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How long to wait before the next mail; zero if it may be sent now.

    `is_spent`: the mails of a day are used up, so the delivery should end instead of waiting.
    """

    wait: timedelta = timedelta(0)
    is_spent: bool = False


def turn_for(limits: Limits, *, now: datetime, nth_last: Callable[[int], datetime | None]) -> Turn:
    """Returns the turn of the next mail.

    `nth_last(n)` is when the server answered to the last mail but `n` - 1; `now` if it has not answered yet;
    `None` if there were fewer than `n`. A mail arrives after it was counted and before the server answers to
    it: so no span in which the server counts has more than the limit, however long a mail is on its way.
    """
    day = _wait(limits.per_day, DAY, now, nth_last)
    return Turn(wait=max(day, _wait(limits.per_minute, MINUTE, now, nth_last)), is_spent=day > timedelta(0))


def _wait(
    limit: int | None, span: timedelta, now: datetime, nth_last: Callable[[int], datetime | None]
) -> timedelta:
    at = nth_last(limit) if limit is not None else None
    if at is None:
        return timedelta(0)
    # If the clock was set back, stored times are in the future: no wait is longer than the span.
    return min(max(at + span - now, timedelta(0)), span)


def note_of(limits: Limits, until: datetime, *, waiting: int) -> str:
    """The message for the operator when the mails of a day are used up."""
    of = f" of {limits.provider}" if limits.provider else ""
    mails = "1 mail waits" if waiting == 1 else f"{waiting} mails wait"
    return f"daily limit{of} ({limits.per_day}) reached; {mails} until {until:%Y-%m-%d %H:%M %Z}"

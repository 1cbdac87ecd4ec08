"""Decides when the next mail may be sent within a provider's limits, without a clock."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most mails per minute and per 24 hours; `provider` sets these limits and is named in messages."""

    per_minute: int | None = None
    per_day: int | None = None
    provider: str | None = None


UNLIMITED = Limits()


class RateLimit:
    """Keeps `limits` during one delivery. Times are aware, and do not decrease, or only slightly.

    If several sessions share it, do not await anything between `wait_for` and `sent`.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sent: deque[datetime] = deque()

    @classmethod
    def resumed(cls, limits: Limits, *, now: datetime, sent_since: Callable[[datetime], int]) -> "RateLimit":
        """A rate limit that counts earlier mails; `sent_since` gives the number of mails sent since a time.

        Mails of the last minute count as sent now, and earlier ones as sent at the end of their hour. So a
        wait may be up to an hour too long, but never too short.
        """
        rate_limit = cls(limits)
        if limits.per_day is None and limits.per_minute is None:
            return rate_limit
        counted = 0
        newest_first: list[datetime] = []
        spans = [_MINUTE, *(_HOUR * hours for hours in range(1, 25))] if limits.per_day else [_MINUTE]
        ends = [timedelta(0), *spans]
        for end, begin in zip(ends, spans, strict=False):
            count = sent_since(now - begin)
            newest_first += [now - end] * (count - counted)
            counted = max(count, counted)
        rate_limit._sent.extend(reversed(newest_first))
        return rate_limit

    def wait_for(self, now: datetime) -> timedelta:
        """How long to wait before the next mail; zero if it may be sent now."""
        waits = (
            self._wait(now, self._limits.per_minute, _MINUTE),
            self._wait(now, self._limits.per_day, _DAY),
        )
        return max(waits)

    def sent(self, now: datetime) -> None:
        """Counts a mail that is handed over at `now`, whatever its outcome: providers count the same way."""
        if self._limits.per_minute is self._limits.per_day is None:
            return
        self._sent.append(max(now, self._sent[-1]) if self._sent else now)
        while self._sent and self._sent[0] <= now - _DAY:
            self._sent.popleft()

    def is_spent(self, now: datetime) -> bool:
        """Whether the mails of a day are used up: then the batch should end instead of waiting."""
        return self._wait(now, self._limits.per_day, _DAY) > timedelta(0)

    def free_at(self, now: datetime) -> datetime:
        """When the next mail may be sent: `now`, or later."""
        return now + self.wait_for(now)

    def note(self, now: datetime, *, waiting: int) -> str:
        """The message for the operator when the mails of a day are used up."""
        of = f" of {self._limits.provider}" if self._limits.provider else ""
        mails = "1 mail waits" if waiting == 1 else f"{waiting} mails wait"
        return (
            f"daily limit{of} ({self._limits.per_day}) reached; {mails} until"
            f" {self.free_at(now):%Y-%m-%d %H:%M %Z}"
        )

    def _wait(self, now: datetime, limit: int | None, span: timedelta) -> timedelta:
        if limit is None or len(self._sent) < limit:
            return timedelta(0)
        # If the clock was set back, stored times are in the future: no wait is longer than the span.
        return min(max(self._sent[-limit] + span - now, timedelta(0)), span)

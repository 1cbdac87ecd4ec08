"""The time that a fetch must cover, and the time that earlier ones covered."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.model.paper import Paper, announcement_order

HELD = timedelta(days=75)
"""The longest time that arXiv may hold a paper back, for sources that search by submission."""

_SLACK = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """All papers announced after `announced_since`, up to `until`, and submitted since `submitted_since`.

    The submission is that of the first version: an old paper with a new version or edited metadata is
    announced again and is not new. A paper that was submitted earlier and held back is new: its place in the
    order of announcements (`announcement_order`) is after `newest`, unless that is empty. All times must be
    aware; naive ones raise `ValueError`.
    """

    announced_since: datetime
    submitted_since: datetime
    until: datetime
    newest: str = ""

    def __post_init__(self) -> None:
        for moment in (self.announced_since, self.submitted_since, self.until):
            if moment.tzinfo is None:
                raise ValueError("a time without a time zone")

    def holds(self, paper: Paper) -> bool:
        """Whether `paper` may be new here: by its submission, or by its identifier."""
        if paper.submitted_at is None or paper.submitted_at >= self.submitted_since:
            return True
        return bool(self.newest) and announcement_order(paper.id) > self.newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How far a keyword was fetched: the last time, the earliest submission, and the newest paper.

    `searched_since`: older papers may not all be known. `newest` is in the order of
    `announcement_order`, and empty where it is not known.
    """

    covered_at: datetime
    searched_since: datetime
    newest: str = ""

    def news_since(self, now: datetime, lookback: timedelta) -> datetime:
        """The submission time since which a paper that was not seen is news, whatever its identifier.

        A time in the future was stored by a wrong clock.
        """
        return max(min(self.covered_at, now) - max(HELD, lookback), self.searched_since)

    def is_shallow(self, now: datetime, lookback: timedelta) -> bool:
        """Whether the look-back is longer than the time that was searched."""
        return now - lookback < self.searched_since - _SLACK

    def is_news(self, paper: Paper, now: datetime, lookback: timedelta) -> bool:
        """Whether a paper that was not seen is news: by its submission, or by its place among identifiers."""
        if paper.submitted_at is None or paper.submitted_at >= self.news_since(now, lookback):
            return True
        return bool(self.newest) and announcement_order(paper.id) > self.newest

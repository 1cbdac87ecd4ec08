"""Of a paper that no fetch has brought for a subscriber: whether one will, and what was asked so far."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from digest.model.paper import Paper, announcement_order
from digest.pipeline.compose import WELCOME_PAPERS
from digest.sources.arxiv.calendar import earliest_announcement
from digest.sources.window import Coverage
from digest.subscribers.subscriber import Keyword


def prospects(
    paper: Paper,
    keywords: Iterable[Keyword],
    coverage: Mapping[str, Coverage],
    answered_at: Mapping[str, datetime],
    *,
    lookback: timedelta,
    now: datetime,
) -> tuple[str, ...]:
    """A line for each of the `keywords`, all of which find `paper`, and one for the sources.

    `answered_at` has when each source last answered. "Coming" is said of nothing that no fetch will bring.
    """
    found = [(keyword.text, coverage.get(keyword.query.key)) for keyword in keywords]
    told = [
        _fetched(paper, keyword, one, lookback, now) if one else _never(paper, keyword, lookback, now)
        for keyword, one in found
    ]
    if any(one for _, one in found) and answered_at:
        last = ", ".join(f"{source} {tell_moment(at)}" for source, at in answered_at.items())
        told.append(f"The sources last answered: {last}")
    return tuple(dict.fromkeys(told))


def _never(paper: Paper, keyword: str, lookback: timedelta, now: datetime) -> str:
    """Of a keyword that was never fetched: what its first fetch finds is backlog."""
    if paper.submitted_at and paper.submitted_at < now - lookback:
        return f"Not mailed: it is older than the {lookback.days} days that the first fetch looks back"
    return (
        f"Not fetched yet: the first fetch for {keyword} looks for it, and the first digest brings the newest"
        f" {WELCOME_PAPERS} of what was there"
    )


def _fetched(paper: Paper, keyword: str, one: Coverage, lookback: timedelta, now: datetime) -> str:
    if not one.is_news(paper, now, lookback):
        reason = f"papers for {keyword} are searched from {tell_moment(one.news_since(now, lookback))} on"
        return f"Not mailed: it was submitted before, and {reason}"
    last = f"the last fetch for {keyword}, {tell_moment(one.covered_at)}"
    announced_at = earliest_announcement(paper.submitted_at) if paper.submitted_at else None
    if announced_at and announced_at > now:
        return f"Coming: it will be announced {tell_moment(announced_at)} at the earliest"
    if _was_announced_after(paper, one, announced_at):
        return f"Coming: {last}, was before its announcement, and the next one looks for it"
    return (
        f"Not mailed so far: {last}, was after its announcement by arXiv's calendar, and the answer did not"
        " have it; it comes when an answer has it"
    )


def _was_announced_after(paper: Paper, one: Coverage, announced_at: datetime | None) -> bool:
    """X."""
    place = announcement_order(paper.id)
    if one.newest and place:
        return place > one.newest
    return announced_at is not None and announced_at > one.covered_at


def tell_moment(moment: datetime) -> str:
    return f"{moment:%a %Y-%m-%d %H:%M} UTC"

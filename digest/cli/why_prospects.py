"""Whether a later fetch will find a paper that no fetch has found for a subscriber, and why."""

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
    """A line for each of the `keywords`, all of which match `paper`, and one for the sources.

    `answered_at` has when each source last answered. "Coming" means that a fetch will find it.
    """
    found = [(keyword.label, coverage.get(keyword.query.key)) for keyword in keywords]
    lines = [
        _fetched(paper, keyword, one, lookback, now) if one else _never(paper, keyword, lookback, now)
        for keyword, one in found
    ]
    if any(one for _, one in found) and answered_at:
        last = ", ".join(f"{source} {format_moment(at)}" for source, at in answered_at.items())
        lines.append(f"The sources last answered: {last}")
    return tuple(dict.fromkeys(lines))


def _never(paper: Paper, keyword: str, lookback: timedelta, now: datetime) -> str:
    """For a keyword that was never fetched: everything that its first fetch finds is backlog."""
    if paper.submitted_at and paper.submitted_at < now - lookback:
        return f"Not mailed: it is older than the look-back of {lookback.days} days"
    return (
        f"Not fetched yet: the first fetch for {keyword} looks for it; the first digest has the newest"
        f" {WELCOME_PAPERS} of the older papers"
    )


def _fetched(paper: Paper, keyword: str, one: Coverage, lookback: timedelta, now: datetime) -> str:
    if not one.is_news(paper, now, lookback):
        reason = f"papers for {keyword} are fetched from {format_moment(one.news_since(now, lookback))} on"
        return f"Not mailed: it was submitted earlier; {reason}"
    last = f"the last fetch for {keyword}, {format_moment(one.covered_at)}"
    announced_at = earliest_announcement(paper.submitted_at) if paper.submitted_at else None
    if announced_at and announced_at > now:
        return f"Coming: arXiv announces it {format_moment(announced_at)} at the earliest"
    if _was_announced_after(paper, one, announced_at):
        return f"Coming: {last}, was before its announcement; the next fetch looks for it"
    return (
        f"Not mailed so far: {last}, was after its announcement by arXiv's calendar, but arXiv's answer did"
        " not contain it; it comes as soon as an answer contains it"
    )


def _was_announced_after(paper: Paper, one: Coverage, announced_at: datetime | None) -> bool:
    """Whether arXiv announced it after the last fetch, by its identifier, else by the calendar."""
    place = announcement_order(paper.id)
    if one.newest and place:
        return place > one.newest
    return announced_at is not None and announced_at > one.covered_at


def format_moment(moment: datetime) -> str:
    return f"{moment:%a %Y-%m-%d %H:%M} UTC"

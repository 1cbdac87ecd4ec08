"""Whether what a source brought can be the truth, by what this installation already knows."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from digest.errors import WrongClock
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.calendar import announcements_between
from digest.sources.window import Window

_FEW = 2
"""So many known papers may be missing from an answer: some are withdrawn, or change their text."""

_SHARE_MISSING = 0.05
_SHARE_MATCHING = 0.5
_ENOUGH_TO_JUDGE = 20

OLD_PAPERS = 10
"""How many papers from before the look-back may be news at once; more are an outage of arXiv."""

_CERTAIN = 5.0
"""Where so many new papers are usual, none at all happens by chance once in 150 times."""

INDEX_LAG = timedelta(hours=3)
"""How long after an announcement arXiv's own index may not show it yet."""

_AHEAD = timedelta(days=2)
_OLDEST_ANSWER = timedelta(days=6)

MOST_MISSING = 2
"""So many announcements in a row may be left out for holidays that are in no list."""

_NEW_STYLE = re.compile(r"(\d\d)(\d\d)\.")


def inconsistency(
    papers: Sequence[Paper],
    *,
    matched: Sequence[Paper],
    known: Collection[ArxivId],
    is_exact: bool,
    window: Window,
) -> str | None:
    """Why an answer cannot be the whole truth, or `None`.

    `matched` are those of its papers that match one of the queries, and with `is_exact` no others were asked
    for. `known` are papers that were found before and that have to be in it again.
    """
    found = {paper.id for paper in papers}
    missing = sorted(set(known) - found)
    if len(missing) > max(_FEW, _SHARE_MISSING * len(known)):
        return f"{len(missing)} of {len(known)} papers that it listed before are missing, as {missing[-1]}"
    if is_exact and len(papers) >= _ENOUGH_TO_JUDGE and len(matched) < _SHARE_MATCHING * len(papers):
        return f"only {len(matched)} of its {len(papers)} papers match what was asked for"
    old = sum(1 for paper in matched if _is_old(paper, window))
    if old > OLD_PAPERS:
        return f"{old} papers from before {window.submitted_since:%F}, where {OLD_PAPERS} may be"
    return None


def missing_news(*, news: int, usual: float, since: datetime, until: datetime) -> str | None:
    """Why an answer without news is too quiet for what was announced, or `None`.

    `usual` is how many new papers one announcement brings for these queries, and `since` when they were
    last answered: what was announced before that was told then.
    """
    announced = announcements_between(since, until - INDEX_LAG)
    if news or usual * len(announced) < _CERTAIN:
        return None
    due = f"arXiv was to announce on {announced[-1]:%F}"
    return f"nothing new, though {due} and some {usual:.0f} papers are usual"


def covered_without_news(since: datetime, until: datetime) -> datetime:
    """Up to when an answer without news covers the time since the one before it.

    That is not past an announcement which arXiv's index may not show yet. Moments are kept to the second.
    """
    fresh = announcements_between(max(since, until - INDEX_LAG), until)
    return fresh[0] - timedelta(seconds=1) if fresh else until


def left_out(*, silent: Collection[str], since: datetime, until: datetime) -> datetime | None:
    """The last of the announcements that arXiv seems to have left out, or `None`.

    `silent` are the sources that were asked twice and had nothing of it; no other had anything. One alone
    may lag, two of them do not for the same cause.
    """
    announced = announcements_between(since, until - INDEX_LAG)
    return announced[-1] if len(silent) > 1 and 0 < len(announced) <= MOST_MISSING else None


def check_clock(url: str, made_at: datetime, now: datetime) -> None:
    """Raises `WrongClock` where an answer was made at another time than `now`.

    An answer may be some days old, since arXiv keeps answers until its next announcement.
    """
    if not -_OLDEST_ANSWER <= made_at - now <= _AHEAD:
        said = f"this machine's clock says {now:%F %R} UTC, and arXiv's says {made_at:%F %R} UTC"
        raise WrongClock(url, f"{said}; set the clock (or leave out --now). Nothing was changed")


def _is_old(paper: Paper, window: Window) -> bool:
    """Whether it is no news there, by its identifier's month where its submission is not known."""
    since = window.submitted_since
    if paper.submitted_at is not None:
        return not window.holds(paper)
    found = _NEW_STYLE.match(paper.id)
    return found is None or (int(found[1]), int(found[2])) < (since.year % 100, since.month)

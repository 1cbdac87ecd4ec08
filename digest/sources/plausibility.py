"""Checks whether an answer is plausible, compared with what this installation knows."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from digest.errors import WrongClock
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.calendar import announcements_between
from digest.sources.window import Window

_FEW = 2
"""This many known papers may be missing from an answer: some are withdrawn, or their text changes."""

_SHARE_MISSING = 0.05
_SHARE_MATCHING = 0.5
_ENOUGH_TO_JUDGE = 20

OLD_PAPERS = 10
"""This many papers from before the look-back may be new at once; more are an outage of arXiv."""

_CERTAIN = 5.0
"""If this many new papers are usual, none at all happens by chance once in 150 times."""

INDEX_LAG = timedelta(hours=3)
"""How long after an announcement arXiv's index may not have it yet."""

_AHEAD = timedelta(days=2)
_OLDEST_ANSWER = timedelta(days=6)

MOST_MISSING = 2
"""This many announcements in a row may be skipped because of unlisted holidays."""

_NEW_STYLE = re.compile(r"(\d\d)(\d\d)\.")


def inconsistency(
    papers: Sequence[Paper],
    *,
    matched: Sequence[Paper],
    known: Collection[ArxivId],
    is_exact: bool,
    window: Window,
) -> str | None:
    """Why an answer is not plausible, or `None`.

    `matched` are its papers that match one of the queries; with `is_exact` only these were requested. `known`
    are papers that were found before and must be in it again.
    """
    found = {paper.id for paper in papers}
    missing = sorted(set(known) - found)
    if len(missing) > max(_FEW, _SHARE_MISSING * len(known)):
        return f"{len(missing)} of {len(known)} known papers are missing, for example {missing[-1]}"
    if is_exact and len(papers) >= _ENOUGH_TO_JUDGE and len(matched) < _SHARE_MATCHING * len(papers):
        return f"only {len(matched)} of its {len(papers)} papers match the queries"
    old = sum(1 for paper in matched if _is_old(paper, window))
    if old > OLD_PAPERS:
        return f"{old} papers from before {window.submitted_since:%F}, more than {OLD_PAPERS}"
    return None


def missing_news(*, news: int, usual: float, since: datetime, until: datetime) -> str | None:
    """Why an answer without new papers is not plausible after the announcements, or `None`.

    `usual` is how many new papers one announcement has for these queries. `since` is their last answer, which
    covers earlier announcements.
    """
    announced = announcements_between(since, until - INDEX_LAG)
    if news or usual * len(announced) < _CERTAIN:
        return None
    due = f"arXiv should have announced on {announced[-1]:%F}"
    return f"no new papers, although {due} and about {usual:.0f} papers are usual"


def covered_without_news(since: datetime, until: datetime) -> datetime:
    """Until when an answer without new papers covers the time.

    It ends before an announcement that arXiv's index may not have yet. Times are stored in seconds.
    """
    fresh = announcements_between(max(since, until - INDEX_LAG), until)
    return fresh[0] - timedelta(seconds=1) if fresh else until


def left_out(*, silent: Collection[str], since: datetime, until: datetime) -> datetime | None:
    """The last announcement that arXiv seems to have skipped, or `None`.

    `silent` are the sources that were asked twice and had none of its papers; no other source had any. One
    source alone may be late; two are not late for the same reason.
    """
    announced = announcements_between(since, until - INDEX_LAG)
    return announced[-1] if len(silent) > 1 and 0 < len(announced) <= MOST_MISSING else None


def check_clock(url: str, made_at: datetime, now: datetime) -> None:
    """Raises `WrongClock` if the date of an answer differs too much from `now`.

    An answer may be some days old, because arXiv caches answers until its next announcement.
    """
    if not -_OLDEST_ANSWER <= made_at - now <= _AHEAD:
        said = f"this machine's clock says {now:%F %R} UTC, and arXiv's says {made_at:%F %R} UTC"
        raise WrongClock(url, f"{said}; set the clock (or leave out --now). Nothing was changed")


def _is_old(paper: Paper, window: Window) -> bool:
    """Whether it is too old for this window; without a submission time, by the month of its identifier."""
    since = window.submitted_since
    if paper.submitted_at is not None:
        return not window.holds(paper)
    found = _NEW_STYLE.match(paper.id)
    return found is None or (int(found[1]), int(found[2])) < (since.year % 100, since.month)

"""`digest keywords`: what keywords bring, and how to better them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of, tell_failures_once
from digest.cli.options import AsList, Moment, Tried
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.advice import Advice
    from digest.papers import Paper
    from digest.query import Query
    from digest.settings import Settings

_SPAN = timedelta(days=14)
_MOST_KEYWORDS = 20
_BARS = " ▁▂▃▄▅▆▇█"
_OVERLAPS_SHOWN = 3


def keywords(
    ctx: typer.Context,
    email: Annotated[
        str | None,
        typer.Argument(metavar="EMAIL", help="A subscriber: looks at their keywords.", show_default=False),
    ] = None,
    keyword: Tried = None,
    now: Moment = None,
    as_json: AsList = False,
) -> None:
    """Tell whether keywords are any good, by the papers of the last two weeks.

    Papers a day, the share of all of arXiv, samples, what other keywords find too, through which word forms
    papers are found, and narrower keywords for one that finds too many. Marks nothing as seen.
    """
    import asyncio

    from digest.advice import advise
    from digest.arxiv.calendar import announcements_between

    tell_failures_once(ctx)
    settings = context_of(ctx).settings()
    queries = _queries(settings, email, keyword or [])
    moment = now or datetime.now(UTC)
    days = [at.date() for at in announcements_between(moment - _SPAN, moment)]
    papers, total = asyncio.run(_asked(settings, queries, days, moment))
    found = advise(queries, papers, days=days, total=total)
    if as_json:
        typer.echo(json.dumps([_as_object(one) for one in found], ensure_ascii=False, indent=2))
    else:
        for one in found:
            _tell(one)


def _queries(settings: "Settings", email: str | None, texts: list[str]) -> "Mapping[str, Query]":
    """Those to try with those of the reader; without a reader, all readers' if nothing is to be tried."""
    from digest.cli.opening import reader_called
    from digest.query import parse
    from digest.subscribers import load_subscribers

    found = {text: parse(text) for text in texts}
    if email or not texts:
        readers = load_subscribers(settings.subscribers, settings.defaults)
        chosen = [reader_called(email, readers, settings.subscribers)] if email else readers
        found |= {keyword.text: keyword.query for one in chosen for keyword in one.keywords}
    if not found:
        raise ConfigurationError(f"{settings.subscribers} has no keywords yet; try one with -k KEYWORD")
    if len(found) > _MOST_KEYWORDS:
        raise ConfigurationError(
            f"{len(found)} keywords are more than can be told; name a subscriber, or keywords with -k"
        )
    return found


async def _asked(
    settings: "Settings", queries: "Mapping[str, Query]", days: list[date], now: datetime
) -> "tuple[tuple[Paper, ...], int | None]":
    """The papers that any of the queries finds, and how many there are in all. Raises `SourceError`."""
    from digest.arxiv.api import SearchApi
    from digest.arxiv.ground import Ground
    from digest.assembly import open_client
    from digest.cli.opening import progress

    # Papers of the first day were submitted up to four days before, over a weekend.
    since = now - _SPAN - timedelta(days=4)
    ground = Ground(announced_since=since, submitted_since=since, until=now)
    async with open_client(settings) as client:
        api = SearchApi(client, settings.arxiv.api_url)
        with progress() as notice:
            notice("asking arXiv")
            papers = await api.search(tuple(queries.values()), ground)
            total = await api.count(since=since, until=now)
    return papers, round(total * len(days) / _workdays(since, now))


def _workdays(since: datetime, until: datetime) -> int:
    from digest.arxiv.calendar import announcements_between

    return max(1, len(announcements_between(since, until)))


def _tell(advice: "Advice") -> None:
    from digest.cli.screen import indented, screen

    console = screen()
    console.print(advice.keyword, style="bold")
    for line in _lines(advice):
        console.print(indented(line))
    for warning in _warnings(advice):
        console.print(indented(warning, "yellow"))
    console.print()


def _lines(advice: "Advice") -> list[str]:
    share = f", {advice.papers / advice.total:.1%} of arXiv" if advice.total else ""
    lines = [f"{_chart(advice)}  {advice.a_day:.1f} papers a day{share}"]
    lines += [f"{paper.id}  {paper.title}" for paper in advice.samples]
    if advice.forms:
        forms = advice.forms
        through = ", ".join(forms.words)
        lines.append(f"{forms.others} of {forms.papers} through {through}; {forms.exact} keeps {forms.kept}")
    for other, count in advice.overlaps[:_OVERLAPS_SHOWN]:
        lines.append(f"{count} of {advice.papers} found by {other} too")
    return lines


def _chart(advice: "Advice") -> str:
    """A bar for each announcement."""
    most = max((papers for _, papers in advice.days), default=0) or 1
    return "".join(_BARS[-(-papers * (len(_BARS) - 1) // most)] for _, papers in advice.days)


def _warnings(advice: "Advice") -> list[str]:
    return [*advice.cautions, *_rates(advice)]


def _rates(advice: "Advice") -> list[str]:
    if advice.is_dead:
        return ["dead: not one paper in two weeks; look for a more usual word, or drop it"]
    if not advice.is_broad:
        return []
    found = "; ".join(f"{one.keyword} keeps {one.papers}" for one in advice.proposals)
    return ["too broad: nobody reads that many", *([f"narrower: {found}"] if found else [])]


def _as_object(advice: "Advice") -> dict[str, Any]:
    return {
        "keyword": advice.keyword,
        "papers": advice.papers,
        "papers_a_day": round(advice.a_day, 2),
        "share_of_arxiv": round(advice.papers / advice.total, 4) if advice.total else None,
        "days": {day.isoformat(): papers for day, papers in advice.days},
        "samples": [{"id": paper.id, "title": paper.title} for paper in advice.samples],
        "overlaps": dict(advice.overlaps),
        "forms": advice.forms
        and {
            "others": advice.forms.others,
            "words": list(advice.forms.words),
            "exact": advice.forms.exact,
            "kept": advice.forms.kept,
        },
        "cautions": list(advice.cautions),
        "is_broad": advice.is_broad,
        "is_dead": advice.is_dead,
        "narrower": [{"keyword": one.keyword, "papers": one.papers} for one in advice.proposals],
    }

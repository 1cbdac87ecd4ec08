"""`digest keywords`: what keywords find, and how to improve them."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of, log_errors_only
from digest.cli.json_output import print_list
from digest.cli.options import AsList, Moment, Tried
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.config.settings import Settings
    from digest.keywords.interpretation import Reading
    from digest.keywords.query import Query
    from digest.keywords.spelling import OtherSpelling, Respelling
    from digest.model.paper import Paper
    from digest.pipeline.keyword_report import Advice

_SPAN = timedelta(days=14)
# The longest time that arXiv was seen to hold papers back; such papers help to date other papers.
_HELD = timedelta(days=14)
_MOST_KEYWORDS = 20
_BARS = " ▁▂▃▄▅▆▇█"
_OVERLAPS_SHOWN = 3
_ASKED_SHOWN = 200


def keywords(
    ctx: typer.Context,
    email: Annotated[
        str | None,
        typer.Argument(metavar="EMAIL", help="A subscriber: check their keywords.", show_default=False),
    ] = None,
    keyword: Tried = None,
    now: Moment = None,
    as_json: AsList = False,
) -> None:
    """Check keywords against the papers of the last two weeks.

    Shows for each keyword: how it was understood, the query for arXiv, papers per day, the share of all of
    arXiv, samples, overlaps with other keywords, the word forms that match, spellings that it does not
    find, and narrower keywords if it finds too many. Marks nothing as seen.
    """
    import asyncio

    from digest.cli.state_access import refuse_keyword
    from digest.pipeline.keyword_report import advise
    from digest.sources.arxiv.calendar import announcements_between

    refuse_keyword(email)
    log_errors_only(ctx)
    settings = context_of(ctx).settings()
    queries, names = _queries(settings, email, keyword or [])
    moment = now or datetime.now(UTC)
    days = [at.date() for at in announcements_between(moment - _SPAN, moment)]
    papers, tried, total = asyncio.run(_asked(settings, queries, days, moment))
    found = advise(queries, papers, days=days, total=total, tried=tried)
    if as_json:
        objects = [{**_as_object(one), "name": names.get(one.keyword)} for one in found]
        print_list(objects)
    else:
        for one in found:
            _print(one, names)


def _queries(
    settings: "Settings", email: str | None, texts: list[str]
) -> "tuple[Mapping[str, Query], Mapping[str, str]]":
    """The given keywords and those of the subscriber, who may have names for some; all if neither is given.

    Only one subscriber's names count: others may call the same keyword otherwise.
    """
    from digest.cli.state_access import subscriber_named
    from digest.keywords.query import parse
    from digest.service.directory import directory_of

    directory = directory_of(settings)
    found = {text: parse(text) for text in texts}
    names: dict[str, str] = {}
    if email or not texts:
        chosen = (subscriber_named(settings, email),) if email else directory.load()
        found |= {keyword.text: keyword.query for one in chosen for keyword in one.keywords}
        if email:
            names = {keyword.text: keyword.name for keyword in chosen[0].keywords if keyword.name}
    if not found:
        raise ConfigurationError(f"{directory.label} has no keywords yet; give one with -k KEYWORD")
    if len(found) > _MOST_KEYWORDS:
        raise ConfigurationError(
            f"{len(found)} keywords; at most {_MOST_KEYWORDS} are possible: give a subscriber, or -k KEYWORD"
        )
    return found, names


async def _asked(
    settings: "Settings", queries: "Mapping[str, Query]", days: list[date], now: datetime
) -> "tuple[tuple[Paper, ...], dict[str, tuple[Respelling, ...]], int]":
    """The papers that a query or another spelling of it finds, and the number of all papers of arXiv.

    Raises `SourceError`.
    """
    from digest.cli.state_access import open_asking, progress
    from digest.keywords.spelling import respellings
    from digest.sources.arxiv.search_api import SearchApi
    from digest.sources.window import Window

    since = now - _SPAN - _HELD
    window = Window(announced_since=since, submitted_since=since, until=now)
    async with open_asking(settings) as client:
        api = SearchApi(client, settings.arxiv.api_url)
        with progress() as notice:
            notice("asking arXiv")
            papers = await api.search(tuple(queries.values()), window)
            tried = {query.key: respellings(query, papers) for query in queries.values()}
            others = tuple(one.query for some in tried.values() for one in some)
            more = await api.search(others, window) if others else ()
            total = await api.count(since=since, until=now)
    found = {paper.id: paper for paper in (*more, *papers)}
    return tuple(found.values()), tried, round(total * len(days) / _workdays(since, now))


def _workdays(since: datetime, until: datetime) -> int:
    from digest.sources.arxiv.calendar import announcements_between

    return max(1, len(announcements_between(since, until)))


def _print(advice: "Advice", names: "Mapping[str, str]") -> None:
    from digest.cli.output import indented, screen

    console = screen()
    console.print(_label(advice.keyword, names), style="bold")
    for line in _lines(advice, names):
        console.print(indented(line))
    for warning in _warnings(advice):
        console.print(indented(warning, "yellow"))
    console.print()


def _label(keyword: str, names: "Mapping[str, str]") -> str:
    return f"{names[keyword]} ({keyword})" if keyword in names else keyword


def _lines(advice: "Advice", names: "Mapping[str, str]") -> list[str]:
    share = f", {advice.papers / advice.total:.1%} of arXiv" if advice.total else ""
    lines = [*map(_understood, advice.readings), f"arXiv is asked for {_short(advice.asked)}"]
    lines.append(f"{_chart(advice)}  {advice.a_day:.1f} papers per day{share}")
    lines += [f"{paper.id}  {paper.title}" for paper in advice.samples]
    if advice.forms:
        forms = advice.forms
        through = ", ".join(forms.words)
        lines.append(
            f"{forms.others} of {forms.papers} match only by {through}; {forms.exact} keeps {forms.kept}"
        )
    for other, count in advice.overlaps[:_OVERLAPS_SHOWN]:
        lines.append(f"{count} of {advice.papers} also found by {_label(other, names)}")
    return lines


def _understood(reading: "Reading") -> str:
    said = " ".join(reading.words)
    left_out = f"; ignored: {', '.join(dict.fromkeys(reading.left_out))}" if reading.left_out else ""
    compared = " ".join(reading.compared)
    by = f", compared as {compared}" if compared != said else ""
    return f"understood as {said}, in {reading.where}{by}{left_out}"


def _short(text: str) -> str:
    return text if len(text) <= _ASKED_SHOWN else f"{text[: _ASKED_SHOWN - 1]}…"


def _chart(advice: "Advice") -> str:
    """A bar for each announcement."""
    most = max((papers for _, papers in advice.days), default=0) or 1
    return "".join(_BARS[-(-papers * (len(_BARS) - 1) // most)] for _, papers in advice.days)


def _warnings(advice: "Advice") -> list[str]:
    return [*advice.cautions, *_rates(advice), *map(_spelt, advice.spellings)]


def _spelt(one: "OtherSpelling") -> str:
    hyphens = f' or "{one.written.replace(" ", "-")}"' if " " in one.written else ""
    verb = "paper writes" if one.papers == 1 else "papers write"
    return (
        f'{one.papers} {verb} "{one.written}"{hyphens}, which this keyword does not find; use {one.keyword}'
    )


def _rates(advice: "Advice") -> list[str]:
    if advice.is_dead:
        return ["no paper in two weeks; check the spelling, use a more common word, or remove the keyword"]
    if not advice.is_broad:
        return []
    found = "; ".join(f"{one.keyword} keeps {one.papers}" for one in advice.proposals)
    return ["too broad: more papers than a person can read", *([f"narrower: {found}"] if found else [])]


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
        "understood": [
            {
                "where": one.where,
                "words": list(one.words),
                "compared": list(one.compared),
                "left_out": list(one.left_out),
            }
            for one in advice.readings
        ],
        "asked": advice.asked,
        "spellings": [
            {"written": one.written, "papers": one.papers, "keyword": one.keyword} for one in advice.spellings
        ],
        "cautions": list(advice.cautions),
        "is_broad": advice.is_broad,
        "is_dead": advice.is_dead,
        "narrower": [{"keyword": one.keyword, "papers": one.papers} for one in advice.proposals],
    }

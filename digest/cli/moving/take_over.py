"""Reports what a file of another program asks for, and subscribes to it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import typer

from digest.cli.json_output import print_done
from digest.cli.moving.found import LeftOut, Place, Problem, Subscriptions
from digest.config.parsing import counted
from digest.errors import ConfigurationError, SourceError
from digest.model.paper import one_line

if TYPE_CHECKING:
    from digest.config.settings import Settings

_SPAN = timedelta(days=14)
_MOST_ASKED = 20
_SHOWN = 3
_LONGEST = 120
_MANY = 10
"""Papers a day, from which on a keyword is worth narrowing."""


def take_over(
    settings: "Settings",
    label: str,
    found: Subscriptions,
    *,
    email: str,
    is_dry_run: bool,
    as_json: bool,
    now: datetime,
) -> None:
    """Raises `ConfigurationError` with every problem of the file `label`; then nothing is written."""
    keywords = list(dict.fromkeys(one.keyword for _, one in found.asked))
    _refuse(label, found, keywords)
    papers = _papers_a_day(settings, keywords, now)
    lines = [f"{label}: {found.program}: {counted(len(keywords), 'keyword')}"]
    lines += _lines(found, keywords, papers)
    lines += [f"Next, {hint.replace('EMAIL', email)}" for hint in found.hints]
    lines.append("Nothing was written." if is_dry_run else _subscribe(settings, email, keywords))
    fields = {
        "program": found.program,
        "email": email,
        "is_dry_run": is_dry_run,
        "keywords": [
            {"keyword": one, "papers_a_day": papers.get(one), "notes": _notes(found, one)} for one in keywords
        ],
        "left_out": [
            {"line": one.place.line, "text": one.place.text, "reason": one.reason} for one in found.left_out
        ],
        "papers_seen": 0,
    }
    print_done(lines, fields, as_json=as_json)


def _refuse(label: str, found: Subscriptions, keywords: Sequence[str]) -> None:
    if found.problems:
        raise ConfigurationError(*(_problem(label, one) for one in found.problems), "nothing was written")
    if not keywords:
        left = "".join(f"; {line}" for line in _left_out(found.left_out))
        raise ConfigurationError(f"{label}: {found.program}: nothing in it is from arXiv{left}")


def _problem(label: str, problem: Problem) -> str:
    return f"{label}, {_place(problem.place)}: {one_line(problem.reason)}"


def _place(place: Place) -> str:
    text = one_line(place.text)
    return f"line {place.line}: {text if len(text) <= _LONGEST else f'{text[: _LONGEST - 1]}…'}"


def _lines(found: Subscriptions, keywords: Sequence[str], papers: Mapping[str, float]) -> Iterator[str]:
    for keyword in keywords:
        yield f"{keyword}{_volume(papers.get(keyword))}"
        yield from (f"  {note}" for note in _notes(found, keyword))
    yield from _left_out(found.left_out)
    if any(a_day >= _MANY for a_day in papers.values()):
        yield "Narrower keywords for those that find many: digest keywords -k KEYWORD"


def _notes(found: Subscriptions, keyword: str) -> list[str]:
    notes = [(place, note) for place, one in found.asked if one.keyword == keyword for note in one.notes]
    return list(dict.fromkeys(f"line {place.line}: {note}" for place, note in notes))


def _volume(a_day: float | None) -> str:
    if a_day is None:
        return ""
    return f": {a_day:.0f} papers a day" if a_day >= _MANY else f": {a_day:.1f} papers a day"


def _left_out(left_out: Sequence[LeftOut]) -> Iterator[str]:
    by_reason: dict[str, list[Place]] = {}
    for one in left_out:
        by_reason.setdefault(one.reason, []).append(one.place)
    for reason, places in by_reason.items():
        shown = ", ".join(map(_place, places[:_SHOWN]))
        yield f"Left out, {reason} ({len(places)}): {shown}{', …' if len(places) > _SHOWN else ''}"


def _papers_a_day(settings: "Settings", keywords: Sequence[str], now: datetime) -> dict[str, float]:
    """By keyword, over two weeks, as arXiv says; without those for which it gives no number."""
    import asyncio

    from digest.cli.state_access import progress

    with progress() as notice:
        notice("asking arXiv how many papers the keywords find")
        return asyncio.run(_asked(settings, keywords[:_MOST_ASKED], now))


async def _asked(settings: "Settings", keywords: Sequence[str], now: datetime) -> dict[str, float]:
    from digest.cli.state_access import open_asking
    from digest.keywords.query import parse
    from digest.sources.arxiv.calendar import announcements_between
    from digest.sources.arxiv.search_api import SearchApi

    days = max(1, len(announcements_between(now - _SPAN, now)))
    found: dict[str, float] = {}
    async with open_asking(settings) as client:
        api = SearchApi(client, settings.arxiv.api_url)
        try:
            for keyword in keywords:
                papers = await api.count(since=now - _SPAN, until=now, query=parse(keyword))
                found[keyword] = papers / days
        except SourceError as error:
            typer.echo(f"arXiv does not say how many papers they find: {error}", err=True)
    return found


def _subscribe(settings: "Settings", email: str, keywords: Sequence[str]) -> str:
    from digest.cli.subscriptions import describe
    from digest.service.directory import directory_of, place_of
    from digest.subscribers import editor

    done = editor.subscribe(directory_of(settings), email=email, keywords=keywords)
    return describe(done, place_of(settings, done.subscriber))

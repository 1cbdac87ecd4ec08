"""`digest page`: the newest papers of each keyword on one page."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of, log_errors_only
from digest.cli.json_output import print_done
from digest.cli.options import AsObject, Moment
from digest.config.parsing import counted

if TYPE_CHECKING:
    from digest.cli.daily_papers.page import Page
    from digest.config.settings import Settings
    from digest.storage.base import Store
    from digest.subscribers.subscriber import Keyword

_MOST_SHOWN = 500 * 1024
"""GitHub shows no more of a README (docs.github.com, "About the repository README file")."""


def page(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="The file to write; - for standard output.", show_default=False),
    ],
    keyword: Annotated[
        list[str] | None,
        typer.Option(
            "-k",
            "--keyword",
            metavar="KEYWORD",
            help="A keyword to show. May be repeated. Default: those of all subscribers.",
            show_default=False,
        ),
    ] = None,
    subscriber: Annotated[
        str | None,
        typer.Option(metavar="EMAIL", help="Show the keywords of this subscriber.", show_default=False),
    ] = None,
    as_html: Annotated[
        bool, typer.Option("--html", metavar="", help="Write HTML instead of Markdown.")
    ] = False,
    now: Moment = None,
    as_json: AsObject = False,
) -> None:
    """Write a "Daily Papers" page: for each keyword a table of its newest papers, at most 100.

    It shows fetched papers. For keywords that were not fetched yet, it asks arXiv for the papers of the
    look-back. Nothing is sent or marked. If only the date would change, the file is not written.
    """
    from digest.cli.daily_papers.writer import says_the_same, write_html, write_markdown
    from digest.cli.input_file import STANDARD
    from digest.cli.output import write_file

    if path == STANDARD and as_json:
        raise typer.BadParameter("with --json, give the path of a file")
    if keyword and subscriber:
        raise typer.BadParameter("give either keywords with -k, or a subscriber with --subscriber")
    log_errors_only(context)
    settings = context_of(context).settings()
    keywords = _keywords(settings, keyword or (), subscriber)
    before = None if path == STANDARD else _former(path)
    made = _made(settings, keywords, now or datetime.now(UTC))
    text = write_html(made) if as_html else write_markdown(made)
    if path == STANDARD:
        typer.echo(text.encode(), nl=False)
        return
    papers = sum(len(section.papers) for section in made.sections)
    is_changed = before is None or not says_the_same(before, text)
    if is_changed:
        write_file(path, text)
    counts = f"{counted(len(keywords), 'keyword')}, {counted(papers, 'paper')}"
    unchanged = "" if is_changed else "; no new papers, the file is unchanged"
    lines = [f"{path.absolute()}: {counts}{unchanged}"]
    if is_changed and len(text.encode()) > _MOST_SHOWN and not as_html:
        lines.append(
            "note: GitHub shows only the first 500 KiB; write several pages, each with -k or --subscriber"
        )
    fields = {"path": str(path.absolute()), "keywords": len(keywords), "papers": papers}
    print_done(lines, {**fields, "is_changed": is_changed}, as_json=as_json)


def _keywords(settings: "Settings", texts: Sequence[str], email: str | None) -> "tuple[Keyword, ...]":
    from digest.cli.state_access import subscriber_named
    from digest.errors import ConfigurationError
    from digest.service.directory import directory_of
    from digest.subscribers.entry_parser import parse_keyword

    directory = directory_of(settings)
    try:
        asked = [parse_keyword(text) for text in texts]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not asked and email:
        asked = list(subscriber_named(settings, email).keywords)
    elif not asked:
        subscribers = directory.load()
        asked = [one for subscriber in subscribers for one in subscriber.keywords]
    if not asked:
        raise ConfigurationError(f"{directory.label}: there are no subscribers; give keywords with -k")
    distinct: dict[str, Keyword] = {}
    for one in asked:
        distinct.setdefault(one.query.key, one)
    return tuple(distinct.values())


def _former(path: Path) -> str | None:
    """The existing page. Raises `ConfigurationError` if the file is something else."""
    from digest.cli.daily_papers.writer import is_page
    from digest.config.parsing import read_text
    from digest.errors import ConfigurationError

    if path.exists() and not path.is_file() and not path.is_dir():
        raise ConfigurationError(f"{path}: is not a regular file; choose another path")
    try:
        text = read_text(path)
    except FileNotFoundError:
        return None
    if text.strip() and not is_page(text):
        raise ConfigurationError(
            f"{path}: not a page of papers, it lacks `Last update: …`; remove it, or choose another path"
        )
    return text


def _made(settings: "Settings", keywords: "Sequence[Keyword]", now: datetime) -> "Page":
    from digest.cli.daily_papers.page import MOST_PAPERS, Page, build_section
    from digest.storage.factory import is_there, open_copy, open_store

    with ExitStack() as opened:
        store: Store | None = None
        if is_there(settings.state):
            store = opened.enter_context(open_store(settings.state))
        covered = store.covered_at() if store else {}
        missing = [one.text for one in keywords if one.query.key not in covered]
        if missing or store is None:
            store = opened.enter_context(open_copy(settings.state, emails=()))
            _fetch(settings, store, missing, now)
        sections = tuple(
            build_section(one, store.newest_papers(one.query.key, limit=MOST_PAPERS)) for one in keywords
        )
    return Page(sections=sections, updated_on=now.astimezone(settings.defaults.timezone).date())


def _fetch(settings: "Settings", store: "Store", texts: Iterable[str], now: datetime) -> None:
    """Fetches the papers of the look-back into `store`. Ends the command if arXiv cannot be asked."""
    import asyncio

    from digest.cli.preview import trial_subscriber
    from digest.cli.state_access import open_asking, progress
    from digest.pipeline.fetch import FetchReport, fetch
    from digest.service.bootstrap import build_sources

    nobody = trial_subscriber(settings, tuple(texts))
    store.enrol([nobody], now=now, current_since=now)

    async def ask() -> FetchReport:
        async with open_asking(settings) as client:
            lookback = timedelta(days=settings.arxiv.lookback_days)
            return await fetch(build_sources(settings, client), store, [nobody], now=now, lookback=lookback)

    with progress() as notice:
        notice("asking arXiv")
        report = asyncio.run(ask())
    if report.errors:
        typer.echo("\n".join(f"error: {error}" for error in report.errors), err=True)
        raise typer.Exit(3)

"""`digest import`: from a "Daily Papers" README to a subscriber who goes on from there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of
from digest.config.parsing import counted

if TYPE_CHECKING:
    from digest.cli.daily_papers.matching import Verdict
    from digest.cli.daily_papers.parser import Contents, Listed, Unread
    from digest.config.settings import Settings

_EXAMPLES = 3
_PLACES = 2
_TITLE_SHOWN = 60


def import_(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="README.md", help="The page.", show_default=False)],
    email: Annotated[
        str, typer.Option(metavar="EMAIL", help="The reader, a new one or not.", show_default=False)
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only tell what the page says; write nothing.")
    ] = False,
) -> None:
    """Take over a "Daily Papers" README: its headings as keywords, its papers as seen.

    The subscriber's first digest then brings nothing that stands on the page. Tells for each heading how many
    of the papers under it match it. Doing it twice is the same as once.
    """
    from digest.cli.daily_papers.matching import judge
    from digest.config.parsing import parse_address
    from digest.keywords.broad_terms import cautions

    settings = context_of(ctx).settings()
    try:
        email = parse_address(email)
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error
    contents = _contents(path)
    listings = contents.listings
    verdicts = [judge(listing) for listing in listings]
    papers = {listed.id for listing in listings for listed in listing.papers}
    typer.echo(f"{path}: {counted(len(listings), 'heading')}, {counted(len(papers), 'different paper')}")
    typer.echo("\n".join([*map(_told, verdicts), *_elsewhere(contents.unread), *_suspicions(verdicts)]))
    keywords = [verdict.keyword.text for verdict in verdicts if verdict.keyword]
    if dry_run:
        found = [
            caution for verdict in verdicts if verdict.keyword for caution in cautions(verdict.keyword.query)
        ]
        typer.echo("\n".join([*(f"Note: {caution}." for caution in found), "Nothing was written."]))
    else:
        _take_over(settings, email, keywords, verdicts)


def _contents(path: Path) -> "Contents":
    from digest.cli.daily_papers.parser import parse_page
    from digest.config.parsing import read_text
    from digest.errors import ConfigurationError

    try:
        contents = parse_page(read_text(path))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: no such file; name the page's README.md") from error
    if not contents.listings:
        raise ConfigurationError(
            f"{path}: no page of papers; wanted are headings, each with a table below it that has a column"
            f" Title and links to arXiv{''.join(f'. {line}' for line in _elsewhere(contents.unread))}"
        )
    return contents


def _take_over(
    settings: "Settings", email: str, keywords: Sequence[str], verdicts: "Sequence[Verdict]"
) -> None:
    """First what was seen, then the subscription: a daemon must not mail what lies between the two."""
    from digest.cli.subscriptions import told
    from digest.errors import ConfigurationError
    from digest.storage.factory import open_store
    from digest.subscribers import editor

    if not keywords:
        raise ConfigurationError("none of the headings can be a keyword; nothing was written")
    papers = {listed.id for verdict in verdicts for listed in verdict.listing.papers}
    with open_store(settings.state) as store:
        fresh = store.count_as_seen(email, papers)
    done = editor.subscribe(settings.subscribers, settings.defaults, email=email, keywords=keywords)
    known = f", {len(papers) - fresh} of them did already" if fresh < len(papers) else ""
    verb = "paper counts" if len(papers) == 1 else "papers count"
    typer.echo(f"{len(papers)} {verb} as seen by {email}{known}.")
    typer.echo(told(done, str(settings.subscribers.absolute())))


def _told(verdict: "Verdict") -> str:
    listing, keyword = verdict.listing, verdict.keyword
    heading = f'"{listing.heading}"'
    if keyword is None:
        return f"{heading}: can be no keyword, and is left out"
    meant = "" if keyword.text == listing.heading else f" (as the phrase {keyword.text})"
    parts = [f"papers {len(listing.papers)}, matching {len(verdict.matching)}"]
    if verdict.strays:
        parts.append(f"not matching {len(verdict.strays)}: {_examples(verdict.strays)}")
    if verdict.unclear:
        parts.append(f"of which the page tells too little {len(verdict.unclear)}")
    if listing.unread:
        parts.append(f"rows that name no paper of arXiv {len(listing.unread)}: {_places(listing.unread)}")
    return f"{heading}{meant}: {'; '.join(parts)}"


def _examples(strays: "Sequence[Listed]") -> str:
    shown = [f'{one.id} "{_short(one.title)}"' if one.title else one.id for one in strays[:_EXAMPLES]]
    return ", ".join(shown) + (", …" if len(strays) > _EXAMPLES else "")


def _elsewhere(unread: "Sequence[Unread]") -> "Iterator[str]":
    if unread:
        yield f"Links to papers in no such table, which are left out ({len(unread)}): {_places(unread)}"


def _places(unread: "Sequence[Unread]") -> str:
    shown = [f'line {one.line} "{_short(one.text)}"' for one in unread[:_PLACES]]
    return ", ".join(shown) + (", …" if len(unread) > _PLACES else "")


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_SHOWN else f"{title[: _TITLE_SHOWN - 1]}…"


def _suspicions(verdicts: "Sequence[Verdict]") -> "Iterator[str]":
    from digest.cli.daily_papers.matching import alike

    for same in alike(verdicts):
        headings = ", ".join(f'"{verdict.listing.heading}"' for verdict in same)
        yield f"Under {headings} stand the same {len(same[0].listing.papers)} papers: arXiv was asked wrongly"

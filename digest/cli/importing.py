"""`digest import`: takes over the subscriptions of another program, or a "Daily Papers" README."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of, log_errors_only
from digest.cli.options import AsObject, Moment
from digest.config.parsing import counted

if TYPE_CHECKING:
    from digest.cli.daily_papers.matching import Verdict
    from digest.cli.daily_papers.parser import Contents, Listed, Unread
    from digest.config.settings import Settings

_LARGEST = 10 * 1024 * 1024
_EXAMPLES = 3
_PLACES = 2
_TITLE_SHOWN = 60


def import_(
    ctx: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The file to read; [b]-[/b] is standard input.", show_default=False
        ),
    ],
    email: Annotated[
        str, typer.Option(metavar="EMAIL", help="The subscriber, new or existing.", show_default=False)
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only report what the file contains; write nothing.")
    ] = False,
    now: Moment = None,
    as_json: AsObject = False,
) -> None:
    """Import from another program: its feeds, categories or searches become keywords.

    Reads OPML of a feed reader, the output of [b]r2e list[/b], a request to arXiv's mailing lists, and the
    configuration of zotero-arxiv-daily. Asks arXiv how many papers the keywords find.

    From a "Daily Papers" README, headings become keywords, and papers are marked as seen: the subscriber's
    first digest has none of them. The command reports how many papers match their heading.

    Idempotent. If something cannot be taken over, every problem is named and nothing is written.
    """
    from digest.cli.input_file import label_of, read_input
    from digest.cli.moving.recognise import subscriptions_of
    from digest.cli.moving.take_over import take_over
    from digest.config.parsing import decoded, parse_address

    log_errors_only(ctx)
    settings = context_of(ctx).settings()
    try:
        email = parse_address(email)
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error
    document, label = read_input(path, most=_LARGEST), label_of(path)
    found = subscriptions_of(document, label)
    if found:
        take_over(
            settings,
            label,
            found,
            email=email,
            is_dry_run=dry_run,
            as_json=as_json,
            now=now or datetime.now(UTC),
        )
    else:
        page = decoded(document, label)
        _import_page(settings, page, label, email, is_dry_run=dry_run, as_json=as_json)


def _import_page(
    settings: "Settings", page: str, label: str, email: str, *, is_dry_run: bool, as_json: bool
) -> None:
    from digest.cli.daily_papers.matching import judge
    from digest.cli.json_output import print_done
    from digest.keywords.broad_terms import cautions

    contents = _contents(page, label)
    listings = contents.listings
    verdicts = [judge(listing) for listing in listings]
    papers = {listed.id for listing in listings for listed in listing.papers}
    lines = [f"{label}: {counted(len(listings), 'heading')}, {counted(len(papers), 'different paper')}"]
    lines += [*map(_summary, verdicts), *_elsewhere(contents.unread), *_suspicions(verdicts)]
    keywords = [verdict.keyword for verdict in verdicts if verdict.keyword]
    if is_dry_run:
        found = [caution for keyword in keywords for caution in cautions(keyword.query)]
        lines += [*(f"Note: {caution}." for caution in found), "Nothing was written."]
    else:
        lines += _take_over(settings, email, [keyword.text for keyword in keywords], verdicts)
    fields = {
        "program": "a page of papers",
        "email": email,
        "is_dry_run": is_dry_run,
        "keywords": [{"keyword": one.text, "papers_a_day": None, "notes": []} for one in keywords],
        "left_out": [
            {"line": one.line, "text": one.text, "reason": "outside of a table"} for one in contents.unread
        ],
        "papers_seen": len(papers),
    }
    print_done(lines, fields, as_json=as_json)


def _contents(page: str, label: str) -> "Contents":
    from digest.cli.daily_papers.parser import parse_page
    from digest.errors import ConfigurationError

    contents = parse_page(page)
    if not contents.listings:
        raise ConfigurationError(
            f"{label}: `digest import` does not know this kind of file; `digest docs moving` lists the kinds."
            " A page of papers needs headings; each needs a table with a column Title and links to arXiv."
            " To import many subscribers: `digest subscribers --import FILE`"
            f"{''.join(f'. {line}' for line in _elsewhere(contents.unread))}"
        )
    return contents


def _take_over(
    settings: "Settings", email: str, keywords: Sequence[str], verdicts: "Sequence[Verdict]"
) -> list[str]:
    """First marks papers as seen, then subscribes: a daemon must not mail them in between."""
    from digest.cli.subscriptions import describe
    from digest.errors import ConfigurationError
    from digest.service.directory import directory_of, place_of
    from digest.storage.factory import open_store
    from digest.subscribers import editor

    if not keywords:
        raise ConfigurationError("no heading can be used as a keyword; nothing was written")
    papers = {listed.id for verdict in verdicts for listed in verdict.listing.papers}
    with open_store(settings.state) as store:
        fresh = store.count_as_seen(email, papers)
    done = editor.subscribe(directory_of(settings), email=email, keywords=keywords)
    known = f", {len(papers) - fresh} of them already before" if fresh < len(papers) else ""
    verb = "paper is" if len(papers) == 1 else "papers are"
    seen = f"{len(papers)} {verb} marked as seen by {email}{known}."
    return [seen, describe(done, place_of(settings, done.subscriber))]


def _summary(verdict: "Verdict") -> str:
    listing, keyword = verdict.listing, verdict.keyword
    heading = f'"{listing.heading}"'
    if keyword is None:
        return f"{heading}: cannot be a keyword, ignored"
    meant = "" if keyword.text == listing.heading else f" (as the phrase {keyword.text})"
    parts = [f"papers {len(listing.papers)}, matching {len(verdict.matching)}"]
    if verdict.strays:
        parts.append(f"not matching {len(verdict.strays)}: {_examples(verdict.strays)}")
    if verdict.unclear:
        parts.append(f"with too little text on the page {len(verdict.unclear)}")
    if listing.unread:
        parts.append(f"rows without a paper of arXiv {len(listing.unread)}: {_places(listing.unread)}")
    return f"{heading}{meant}: {'; '.join(parts)}"


def _examples(strays: "Sequence[Listed]") -> str:
    shown = [f'{one.id} "{_short(one.title)}"' if one.title else one.id for one in strays[:_EXAMPLES]]
    return ", ".join(shown) + (", …" if len(strays) > _EXAMPLES else "")


def _elsewhere(unread: "Sequence[Unread]") -> "Iterator[str]":
    if unread:
        yield f"Links to papers outside of such tables, ignored ({len(unread)}): {_places(unread)}"


def _places(unread: "Sequence[Unread]") -> str:
    shown = [f'line {one.line} "{_short(one.text)}"' for one in unread[:_PLACES]]
    return ", ".join(shown) + (", …" if len(unread) > _PLACES else "")


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_SHOWN else f"{title[: _TITLE_SHOWN - 1]}…"


def _suspicions(verdicts: "Sequence[Verdict]") -> "Iterator[str]":
    from digest.cli.daily_papers.matching import alike

    for same in alike(verdicts):
        headings = ", ".join(f'"{verdict.listing.heading}"' for verdict in same)
        yield (
            f"{headings} have the same {len(same[0].listing.papers)} papers:"
            f" the page was made with a wrong search"
        )

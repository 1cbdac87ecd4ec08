"""`digest preview`: writes the next digest as an HTML file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of, log_errors_only
from digest.cli.json_output import print_done
from digest.cli.options import AsObject, Moment, Tried
from digest.config.parsing import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.config.settings import Settings
    from digest.model.digest import Digest
    from digest.storage.pipeline_stores import ComposeStore
    from digest.subscribers.preferences import Preferences
    from digest.subscribers.subscriber import Subscriber

_NOBODY = "preview@localhost"


def preview(
    context: typer.Context,
    email: Annotated[
        str | None,
        typer.Argument(metavar="EMAIL", help="A subscriber: show their next digest.", show_default=False),
    ] = None,
    keyword: Tried = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="The HTML file to write. Default: digest-preview.html, and none with [b]--json[/b].",
            show_default=False,
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open", metavar="", help="Open the file in the browser.")] = False,
    now: Moment = None,
    as_json: AsObject = False,
) -> None:
    """Fetch now and write a digest as an HTML file. Nothing is sent or marked.

    For keywords, and for a subscriber without new papers, it shows the newest papers of the look-back.
    With [b]--json[/b] it prints the digest.
    """
    import asyncio
    import os
    import webbrowser

    from digest.cli.output import write_file
    from digest.cli.state_access import refuse_keyword, subscriber_named
    from digest.config.loader import load_settings
    from digest.keywords.broad_terms import cautions
    from digest.service.mail_setup import build_mail_writer, writer_setup_for

    if bool(email) == bool(keyword):
        raise typer.BadParameter("give either a subscriber's address, or keywords with -k")
    refuse_keyword(email)
    if output is None and (show or not as_json):
        output = Path("digest-preview.html")
    if output and output.suffix.lower() not in {".html", ".htm"}:
        raise typer.BadParameter(f"{output}: must end in .html")
    log_errors_only(context)
    settings = load_settings(context_of(context).config, os.environ)
    subscriber = (
        subscriber_named(settings, email) if email else trial_subscriber(settings, tuple(keyword or ()))
    )
    notes: list[str] = []
    note = notes.append if as_json else _print_note
    for followed in subscriber.keywords:
        for caution in cautions(followed.query):
            note(caution)
    writer = build_mail_writer(writer_setup_for(settings))
    digest, is_next = asyncio.run(_compose(settings, subscriber, now or datetime.now(UTC), note))
    if digest is None:
        output = None
    lines = _lines(digest, output, settings.arxiv.lookback_days)
    if digest and output:
        write_file(output, writer.rendered(digest).html)
    if digest and email and not is_next:
        lines.insert(0, f"{email} has no new papers; this digest shows the newest ones")
    fields = _as_object(subscriber, digest, output, is_next=is_next)
    print_done(lines, {**fields, "notes": notes}, as_json=as_json)
    if show and output:
        webbrowser.open(output.resolve().as_uri())


def _lines(digest: "Digest | None", output: Path | None, days: int) -> list[str]:
    if digest is None:
        return [f"no paper of the last {days} days matches; no file was written"]
    count = counted(len(digest.entries), "paper")
    return [f"{count} written to {output.resolve()}" if output else f"{count}; no file was written"]


def _as_object(
    subscriber: "Subscriber", digest: "Digest | None", output: Path | None, *, is_next: bool
) -> dict[str, object]:
    from digest.channels.payload import digest_fields

    return {
        "email": None if subscriber.email == _NOBODY else subscriber.email,
        "is_next": is_next,
        "digest": digest and digest_fields(digest),
        "path": output and str(output.resolve()),
    }


def trial_subscriber(settings: "Settings", keywords: tuple[str, ...]) -> "Subscriber":
    """An invented subscriber with these keywords. Raises `QueryError`."""
    from digest.keywords.query import parse
    from digest.subscribers.subscriber import Keyword, SendSchedule, Subscriber

    return Subscriber(
        email=_NOBODY,
        name=None,
        keywords=tuple(Keyword(text=text, query=parse(text)) for text in keywords),
        send_schedule=SendSchedule(send_at=settings.defaults.at, timezone=settings.defaults.timezone),
        length=settings.defaults.length,
    )


def _print_note(text: str) -> None:
    typer.echo(f"note: {text}", err=True)


async def _compose(
    settings: "Settings", subscriber: "Subscriber", now: datetime, note: "Callable[[str], None]"
) -> "tuple[Digest | None, bool]":
    """The digest for now; else (second value false) that of a new subscriber with these keywords."""
    from digest.cli.state_access import open_asking, progress
    from digest.pipeline.compose_job import in_order_of_interest
    from digest.pipeline.fetch import fetch
    from digest.service.bootstrap import build_sources
    from digest.storage.factory import open_copy
    from digest.subscribers.preferences import adapted

    lookback = timedelta(days=settings.arxiv.lookback_days)
    with open_copy(settings.state, emails=[subscriber.email]) as store, progress() as notice:
        chosen = store.preferences_of(subscriber.email)
        _note_choices(subscriber, chosen, now, note)
        chosen = replace(chosen, left_at=None)
        subscriber = adapted(subscriber, chosen) or subscriber
        newcomer = replace(subscriber, email=_NOBODY)
        store.enrol([subscriber, newcomer], now=now, current_since=now)
        notice("asking arXiv")
        async with open_asking(settings) as client:
            sources = build_sources(settings, client)
            report = await fetch(sources, store, [subscriber], now=now, lookback=lookback)
        if report.errors:
            typer.echo("\n".join(f"error: {error}" for error in report.errors), err=True)
            raise typer.Exit(3)
        digest = _digest(store, subscriber, now, lookback, is_first=False)
        is_next = digest is not None and subscriber.email != _NOBODY
        if not is_next:
            digest = _digest(store, newcomer, now, lookback, is_first=True)
        return digest and in_order_of_interest(store, subscriber, digest), is_next


def _note_choices(
    subscriber: "Subscriber", chosen: "Preferences", now: datetime, note: "Callable[[str], None]"
) -> None:
    """Online choices change the digest, or prevent that it is sent."""
    from digest.cli.subscribers import own_choices

    if chosen.left_at:
        note(
            f"{subscriber.email} unsubscribed {chosen.left_at:%Y-%m-%d} and gets no mail;"
            f" `digest subscribe {subscriber.email}` subscribes them again"
        )
    if choices := own_choices(subscriber, chosen, now):
        note(choices)


def _digest(
    store: "ComposeStore", subscriber: "Subscriber", now: datetime, lookback: timedelta, *, is_first: bool
) -> "Digest | None":
    from digest.pipeline.compose import compose
    from digest.pipeline.news import news_for
    from digest.pipeline.outlook import Outlooks

    since = now - lookback
    news = news_for(store, subscriber.email, backlog_since=since)
    digest = compose(
        subscriber,
        news.hits,
        planned_at=now,
        is_first=is_first,
        revisions=news.revisions,
        covered_at=news.covered_at,
    )
    if digest is None or not is_first:
        return digest
    return replace(digest, outlook=Outlooks(store, since=since).of(subscriber))

"""`digest preview`: writes the next digest as an HTML file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of, log_errors_only
from digest.cli.options import Moment, Tried
from digest.config.parsing import counted

if TYPE_CHECKING:
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
        Path, typer.Option("-o", "--output", metavar="PATH", help="The HTML file to write.")
    ] = Path("digest-preview.html"),
    show: Annotated[bool, typer.Option("--open", metavar="", help="Open the file in the browser.")] = False,
    now: Moment = None,
) -> None:
    """Fetch now and write a digest as an HTML file. Nothing is sent or marked.

    For keywords, and for a subscriber without new papers, it shows the newest papers of the look-back.
    """
    import asyncio
    import os
    import webbrowser

    from digest.cli.state_access import subscriber_named
    from digest.config.loader import load_settings
    from digest.keywords.broad_terms import cautions
    from digest.service.mail_setup import build_mail_writer, writer_setup_for

    if bool(email) == bool(keyword):
        raise typer.BadParameter("give either a subscriber's address, or keywords with -k")
    if output.suffix.lower() not in {".html", ".htm"}:
        raise typer.BadParameter(f"{output}: must end in .html")
    log_errors_only(context)
    settings = load_settings(context_of(context).config, os.environ)
    subscriber = (
        subscriber_named(settings, email) if email else trial_subscriber(settings, tuple(keyword or ()))
    )
    for followed in subscriber.keywords:
        for caution in cautions(followed.query):
            typer.echo(f"note: {caution}", err=True)
    writer = build_mail_writer(writer_setup_for(settings))
    digest, is_next = asyncio.run(_compose(settings, subscriber, now or datetime.now(UTC)))
    if digest is None:
        typer.echo(f"no paper of the last {settings.arxiv.lookback_days} days matches; no file was written")
        return
    _write(writer.rendered(digest).html, output)
    if email and not is_next:
        typer.echo(f"{email} has no new papers; this digest shows the newest ones")
    count = len(digest.entries)
    typer.echo(f"{counted(count, 'paper')} written to {output.resolve()}")
    if show:
        webbrowser.open(output.resolve().as_uri())


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


async def _compose(
    settings: "Settings", subscriber: "Subscriber", now: datetime
) -> "tuple[Digest | None, bool]":
    """The digest for now; else (second value false) that of a new subscriber with these keywords."""
    from digest.cli.state_access import open_asking, progress
    from digest.pipeline.compose_job import in_order_of_interest
    from digest.pipeline.fetch import fetch
    from digest.service.bootstrap import build_sources
    from digest.storage.factory import open_copy
    from digest.subscribers.preferences import adapted

    lookback = timedelta(days=settings.arxiv.lookback_days)
    with open_copy(settings.state) as store, progress() as notice:
        chosen = store.preferences_of(subscriber.email)
        _print_choices(subscriber, chosen, now)
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


def _print_choices(subscriber: "Subscriber", chosen: "Preferences", now: datetime) -> None:
    """Online choices change the digest, or prevent that it is sent."""
    from digest.cli.subscribers import own_choices

    if chosen.left_at:
        typer.echo(
            f"note: {subscriber.email} unsubscribed {chosen.left_at:%Y-%m-%d} and gets no mail;"
            f" `digest subscribe {subscriber.email}` subscribes them again",
            err=True,
        )
    if choices := own_choices(subscriber, chosen, now):
        typer.echo(f"note: {choices}", err=True)


def _digest(
    store: "ComposeStore", subscriber: "Subscriber", now: datetime, lookback: timedelta, *, is_first: bool
) -> "Digest | None":
    from digest.pipeline.compose import compose
    from digest.pipeline.news import news_for
    from digest.pipeline.outlook import Outlooks

    since = now - lookback
    news = news_for(store, subscriber.email, backlog_since=since)
    digest = compose(subscriber, news.hits, planned_at=now, is_first=is_first, revisions=news.revisions)
    if digest is None or not is_first:
        return digest
    return replace(digest, outlook=Outlooks(store, since=since).of(subscriber))


def _write(html: str, output: Path) -> None:
    from digest.config.atomic_write import replace_text, unwritable

    try:
        if output.exists() and not output.is_file():  # for example /dev/stdout
            output.write_text(html, encoding="utf-8")
        else:
            replace_text(output.resolve(), html)
    except OSError as error:
        raise unwritable(output, error) from error

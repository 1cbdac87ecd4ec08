"""`digest run`: one cycle now."""

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of

if TYPE_CHECKING:
    from digest.assembly import Setup
    from digest.cycle import CycleReport
    from digest.digests import Digest


def parse_moment(text: str) -> datetime:
    """An ISO 8601 moment, UTC where it names no zone. Raises `typer.BadParameter`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("not a moment; allowed is a form such as 2026-06-16T12:30:00Z") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def run(
    context: typer.Context,
    force: Annotated[
        bool, typer.Option("--force", help="Also mail those who had a digest today, and try what waits now.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Fetch and compose, but send nothing and mark nothing.")
    ] = False,
    now: Annotated[
        datetime | None,
        typer.Option(parser=parse_moment, metavar="MOMENT", help="Run as of that moment, for replays."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run one cycle now: fetch, then mail everyone who has something new.

    Each subscriber gets at most one digest a day, whatever their hour; weekly ones from their weekday on.
    What could not be sent waits and is tried again by a later run.
    """
    import asyncio

    from digest.assembly import load_setup

    setup = load_setup(context_of(context).config)
    report, requests, planned = asyncio.run(_cycle(setup, now, force=force, dry_run=dry_run))
    if as_json:
        typer.echo(json.dumps(_summary(report, requests), ensure_ascii=False))
    else:
        _tell(setup, report, requests, planned if dry_run else None)
    raise typer.Exit(report.exit_code)


async def _cycle(
    setup: "Setup", now: datetime | None, *, force: bool, dry_run: bool
) -> "tuple[CycleReport, int, tuple[Digest, ...]]":
    """The report, the number of requests, and of a dry run the digests that would be sent."""
    from digest.assembly import open_client, source_of, transport_of, writer_of
    from digest.cli.opening import open_copy, open_state, progress
    from digest.cycle import Cycle

    settings = setup.settings
    opened = open_copy if dry_run else open_state
    with opened(settings.state) as store, progress() as notice:
        async with open_client(settings) as client:
            cycle = Cycle(
                source=source_of(settings, client),
                store=store,
                transport=None if dry_run else transport_of(settings),
                write=writer_of(settings),
                subscribers=setup.subscribers,
                lookback=setup.lookback,
                clock=lambda: now or datetime.now(UTC),
                notice=notice,
            )
            report = await cycle.run(force=force)
        planned = store.claim(now=now or datetime.now(UTC), limit=sys.maxsize) if dry_run else ()
        return report, client.requests, tuple(mailing.digest for mailing in planned)


def _summary(report: "CycleReport", requests: int) -> dict[str, Any]:
    return {
        "requests": requests,
        "papers_new": report.papers_new,
        "digests_composed": report.digests_composed,
        "digests_sent": report.digests_sent,
        "digests_deferred": report.digests_deferred,
        "digests_failed": report.digests_failed,
        "subscribers_nothing_new": report.subscribers_nothing_new,
        "errors": list(report.errors),
    }


def _tell(setup: "Setup", report: "CycleReport", requests: int, planned: "tuple[Digest, ...] | None") -> None:
    for error in report.errors:
        typer.echo(f"error: {error}", err=True)
    typer.echo(
        f"{_count(report.papers_new, 'new paper')} in {_count(requests, 'request')} to arXiv; "
        f"{_count(report.subscribers_nothing_new, 'subscriber')} with nothing new"
    )
    if planned is not None:
        for digest in planned:
            typer.echo(f"would send {_count(len(digest.entries), 'paper')} to {digest.email}")
        typer.echo("nothing was sent and nothing was marked")
        return
    delivery = setup.settings.delivery
    where = f" into {delivery.maildir}" if delivery.transport == "maildir" else ""
    typer.echo(f"{_count(report.digests_sent, 'digest')} sent{where}")
    if report.digests_deferred:
        typer.echo(f"{_count(report.digests_deferred, 'digest')} waiting: the next run tries again")
    if report.digests_failed:
        typer.echo(f"{_count(report.digests_failed, 'digest')} given up")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

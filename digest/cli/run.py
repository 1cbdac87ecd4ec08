"""`digest run`: one cycle, now."""

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import INTERRUPTED, context_of, log_as_set, problems_of
from digest.cli.json_output import print_object
from digest.cli.options import AsObject, Moment
from digest.config.parsing import counted
from digest.errors import AlreadyRunning, ConfigurationError, DigestError
from digest.service.log import print_or_log

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from digest.model.digest import Digest
    from digest.pipeline.cycle_report import CycleReport
    from digest.pipeline.progress import OutboxStatus
    from digest.service.bootstrap import Setup
    from digest.storage.base import Store

_MOST_ERRORS = 50


def run(
    context: typer.Context,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            metavar="",
            help="Also mail subscribers who had a digest today, and retry waiting digests now.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", metavar="", help="Fetch and compose, but send and mark nothing."),
    ] = False,
    now: Moment = None,
    as_json: AsObject = False,
) -> None:
    """Run one cycle now: fetch, then mail each subscriber who has new papers.

    Each subscriber gets at most one digest a day, at any hour. Weekly digests go from their weekday on.
    A digest that cannot be sent waits; a later run tries again.
    """
    import asyncio

    from digest.config.memory import keep_what_is_there, share_heap
    from digest.service.bootstrap import load_setup
    from digest.service.event_loop import run as run_to_end

    share_heap()
    keep_what_is_there()
    log_as_set(context, is_service=False)
    setup = None
    try:
        setup = load_setup(context_of(context).config, converts=not dry_run)
        report, requests, planned, is_stopped = run_to_end(_cycle(setup, now, force=force, dry_run=dry_run))
    except DigestError as error:
        if as_json:
            nothing = {**_summary(None, 0), "errors": list(problems_of(error))}
            print_object(nothing, is_line=True)
        if not (dry_run or isinstance(error, AlreadyRunning)):
            _ping(context, setup, None)
        raise
    except asyncio.CancelledError:
        raise typer.Exit(INTERRUPTED) from None
    except Exception:
        if not dry_run:
            _ping(context, setup, None)
        raise
    if as_json:
        print_object(_summary(report, requests), is_line=True)
    else:
        _print(setup, report, requests, planned if dry_run else None, now=now or datetime.now(UTC))
    if not (dry_run or is_stopped):
        _ping(context, setup, report)
    raise typer.Exit(INTERRUPTED if is_stopped else report.exit_code)


async def _cycle(
    setup: "Setup", now: datetime | None, *, force: bool, dry_run: bool
) -> "tuple[CycleReport, int, tuple[Digest, ...], bool]":
    """The report, the number of requests, what a dry run would send, and whether a signal stopped it."""
    import asyncio
    import signal

    from digest.cli.state_access import print_note, progress
    from digest.service.bootstrap import build_cycle, open_client
    from digest.storage.factory import open_alone, open_copy

    settings = setup.settings
    opened = open_copy if dry_run else open_alone
    stop = asyncio.Event()
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _stop, stop, task)
    with opened(settings.state) as store, progress() as notice:
        async with open_client(settings) as client:
            client.notify = print_note
            # Requests are three seconds apart, and a first fetch may need a dozen.
            client.notice = lambda requests: (
                notice(f"asking arXiv: request {requests}") if requests > 1 else None
            )
            cycle = build_cycle(
                setup,
                store,
                clock=lambda: now or datetime.now(UTC),
                client=client,
                is_dry=dry_run,
                notice=notice,
                stop=stop,
            )
            cycle.writer()
            report = await cycle.run(force=force)
        moment = now or datetime.now(UTC)
        planned = tuple(_planned(store, setup, moment)) if dry_run else ()
        return report, client.requests, planned, stop.is_set()


def _planned(store: "Store", setup: "Setup", now: datetime) -> "Iterator[Digest]":
    """What a dry run would send to subscribers and channels."""
    store.reclaim_abandoned(now=now)
    yield from (mailing.digest for mailing in store.claim(now=now, until=now, limit=sys.maxsize))
    for channel in setup.channels:
        address, until = channel.follower.email, now + timedelta(days=1)
        while mailing := store.claim_for_channel(address, now=now, until=until, holder=""):
            yield mailing.digest


def _ping(context: typer.Context, setup: "Setup | None", report: "CycleReport | None") -> None:
    """Calls `operator.ping_url`; without a report, an error ended the cycle."""
    import asyncio

    from digest.service.ping import Ping, send_ping

    try:  # there is no setup if the state could not be read
        settings = setup.settings if setup else context_of(context).settings()
    except ConfigurationError:
        return
    if (url := settings.operator.ping_url) is None:
        return
    ping = Ping(failed=("run",), figures="an error ended it")
    if report is not None:
        figures = f"sent {report.digests_sent}, waiting {report.digests_deferred}"
        ping = Ping(failed=report.failed_steps, figures=figures)
    asyncio.run(send_ping(url, ping))


def _stop(stop: "asyncio.Event", task: "asyncio.Task[Any] | None") -> None:
    """Handles a signal: the first one lets the current mails finish, the second one does not."""
    if stop.is_set():
        if task:
            task.cancel()
    else:
        stop.set()
        print_or_log("note", "stopping after the current mails; interrupt again to stop now")


def _summary(report: "CycleReport | None", requests: int) -> dict[str, Any]:
    """The object that `--json` prints; all zeros if nothing was done."""
    counts = (
        "papers_new",
        "digests_composed",
        "digests_sent",
        "digests_deferred",
        "digests_failed",
        "digests_suppressed",
        "subscribers_nothing_new",
        "subscribers_not_due",
        "subscribers_suppressed",
        "channels_composed",
        "channels_sent",
        "channels_waiting",
    )
    return {
        "requests": requests,
        **{name: getattr(report, name) if report else 0 for name in counts},
        "errors": list(report.errors) if report else [],
        "notes": [*report.notes, *filter(None, [report.missing_news])] if report else [],
    }


def _print(
    setup: "Setup",
    report: "CycleReport",
    requests: int,
    planned: "tuple[Digest, ...] | None",
    *,
    now: datetime,
) -> None:
    from digest.service.directory import place_of
    from digest.service.transports.base import transport_kind

    _print_what_went_wrong(report)
    if not setup.subscribers:
        print_or_log(
            "note",
            f"no subscribers yet in {place_of(setup.settings)}: `digest subscribe EMAIL -k KEYWORD` adds one",
        )
    typer.echo(
        f"{counted(report.papers_new, 'new paper')} in {counted(requests, 'request')} to arXiv; "
        f"{counted(report.subscribers_nothing_new, 'subscriber')} without new papers"
        + (f"\n{report.missing_news}" if report.missing_news else "")
    )
    if report.subscribers_not_due:
        had = "not due: digest of today sent, weekday not reached, or paused"
        typer.echo(f"{counted(report.subscribers_not_due, 'subscriber')} {had}")
    if report.subscribers_suppressed:
        typer.echo(
            f"{counted(report.subscribers_suppressed, 'subscriber')} suppressed: see `digest suppressions`"
        )
    if planned is not None:
        for digest in planned:
            typer.echo(f"would send {papers_of(digest)} to {digest.email}")
        typer.echo("nothing was sent or marked")
        return
    where = transport_kind(setup.settings).label(setup.settings)
    typer.echo(f"{counted(report.digests_sent, 'digest')} sent{where}")
    if setup.channels:
        typer.echo(_for_channels(report))
    if report.digests_deferred:
        typer.echo(f"{counted(report.digests_deferred, 'digest')} waiting: {_waits(report.waits, now)}")
    if report.digests_failed:
        typer.echo(f"{counted(report.digests_failed, 'digest')} cancelled because the subscriber left")


def papers_of(digest: "Digest") -> str:
    """For example `7 papers and 1 new version`."""
    papers = counted(len(digest.entries), "paper")
    if not digest.revisions:
        return papers
    versions = counted(len(digest.revisions), "new version")
    return f"{papers} and {versions}" if digest.entries else versions


def _print_what_went_wrong(report: "CycleReport") -> None:
    for error in report.errors[:_MOST_ERRORS]:
        print_or_log("error", error)
    if len(report.errors) > _MOST_ERRORS:
        print_or_log("error", f"and {len(report.errors) - _MOST_ERRORS:,} more: see digest status")
    for note in report.notes:
        print_or_log("note", note)


def _for_channels(report: "CycleReport") -> str:
    waiting = f", {report.channels_waiting:,} waiting" if report.channels_waiting else ""
    return f"{counted(report.channels_sent, 'digest')} for channels sent{waiting}"


def _waits(waits: "OutboxStatus", now: datetime) -> str:
    """When the next try is, and what prevented the last one."""
    is_due = waits.due_at is None or waits.due_at <= now
    again = (
        "the next run tries again"
        if is_due
        else f"the first run after {waits.due_at:%F %H:%M} UTC tries again"
    )
    return f"{again}; {waits.cause}" if waits.cause else again

"""`digest status`: the state of the installation on one screen."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_object
from digest.cli.options import AsObject, Moment

if TYPE_CHECKING:
    from digest.service.bootstrap import Setup
    from digest.service.health import Health
    from digest.storage.factory import State


def status(
    ctx: typer.Context,
    now: Moment = None,
    as_json: AsObject = False,
    as_health: Annotated[
        bool,
        typer.Option(
            "--health",
            metavar="",
            help="Only say whether the service works: exit with 1 if no daemon runs, or if papers or"
            " digests do not come.",
        ),
    ] = False,
) -> None:
    """Show the state of the installation: last announcement and fetch, next steps, and problems.

    Uses no network: it reads the state and arXiv's calendar. A user without a state sees that of the
    service. Exits with 1 if a problem needs your attention, and with 2 if a file has an error.
    """
    from platform import node

    from digest.config.loader import SYSTEM_CONFIG, is_of_the_service, of_the_service
    from digest.errors import ConfigurationError
    from digest.pipeline.reconcile import explain_other_file
    from digest.service.bootstrap import load_setup
    from digest.service.health import SHOWN, examine
    from digest.storage.factory import is_at_work, is_there, open_beside, size_of
    from digest.subscribers.preferences import apply_preferences

    config = context_of(ctx).config
    try:
        setup = load_setup(config, of_the_service(config, os.environ))
    except ConfigurationError as error:
        is_ours = is_of_the_service(config, os.environ)
        if not (is_ours and _is_closed(SYSTEM_CONFIG.parent / "smtp-password")):
            raise
        raise ConfigurationError(
            *error.problems,
            f"only root can read the service's password in {SYSTEM_CONFIG.parent}: run digest status as root"
            " or with sudo",
        ) from error
    state = setup.settings.state
    with open_beside(state) as store:
        subscribers = apply_preferences(setup.subscribers, store.preferences())
        shown = sys.maxsize if as_json else SHOWN
        health = examine(
            store, subscribers, now=now or datetime.now(UTC), shown=shown, channels=setup.channels
        )
        other = store.other_file(node(), setup.content) if setup.content else None
    size = size_of(state)
    problems = (
        *([] if is_there(state) else [_missing(state)]),
        *([explain_other_file(other)] if other else []),
        *health.problems(),
    )
    is_working = is_at_work(state) or any(host.is_alive for host in health.hosts)
    if as_health:
        here = [host.is_alive for host in health.hosts if host.name == node()]
        _end_with_health(health, is_running=here[0] if here else is_working)
    if as_json:
        found = {**_as_object(health, problems), "state_bytes": size, "is_running": is_working}
        print_object(found)
    else:
        _print(setup, health, problems, size, is_running=is_working)
    raise typer.Exit(1 if problems else 0)


def _end_with_health(health: "Health", *, is_running: bool) -> NoReturn:
    """For the health check of a container: what only a person can decide is no reason to start it again."""
    failures = health.failures() if is_running else ("no daemon uses the state",)
    typer.echo("\n".join(failures or ("the service works",)))
    raise typer.Exit(1 if failures else 0)


def _is_closed(path: Path) -> bool:
    """Whether the file exists and this user may not read it."""
    return path.exists() and not os.access(path, os.R_OK)


def _missing(state: "State") -> str:
    """The problem that there is no state, and where the state of the service is."""
    from digest.config.loader import SERVICE_STATE

    service = ""
    if isinstance(state, Path) and state != SERVICE_STATE and os.path.lexists(SERVICE_STATE.parent):
        service = f"; the state of the service is {SERVICE_STATE}, which root can read"
    missing = "does not exist yet; the first run creates it"
    if not isinstance(state, Path):
        missing = "has no tables of digest yet; the first run creates them"
    return f"{state} {missing}. For another state set DIGEST_STATE{service}"


def _print(setup: "Setup", health: "Health", problems: Sequence[str], size: int, *, is_running: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from digest.cli.output import screen
    from digest.service.operator_mail import all_clear, report_lines

    console = screen()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    state = f"{setup.settings.state}, {size / 1e6:.1f} MB"
    if isinstance(setup.settings.state, Path):  # of a database, the hosts are listed
        state += "; in use by a process" if is_running else "; not in use"
    for name, lines in (*report_lines(health), ("state", (state,))):
        for number, line in enumerate(lines):
            table.add_row(name if number == 0 else "", Text(line))
    console.print(table)
    for problem in problems:
        console.print(f"needs you: {problem}", style="bold red")
    if not problems:
        console.print(all_clear(health), style="green")


def _as_object(health: "Health", problems: Sequence[str]) -> dict[str, Any]:
    return {
        "now": health.now.isoformat(),
        "problems": list(problems),
        "expected_at": health.expected_at.isoformat(),
        "quiet": health.quiet,
        "seen_at": health.seen_at and health.seen_at.isoformat(),
        "last_fetch_failed_at": health.failed_at and health.failed_at.isoformat(),
        "next_announcement_at": health.announcement_at.isoformat(),
        "next_fetch_at": health.fetch_at and health.fetch_at.isoformat(),
        "sources": {name: moment.isoformat() for name, moment in health.sources.items()},
        "subscribers": health.subscribers,
        "keywords": health.keywords,
        "unseen_keywords": list(health.unseen),
        "next_mail_at": {email: moment.isoformat() for email, moment in health.mail_at},
        "overdue": list(health.overdue),
        "undelivered": list(health.undelivered),
        "waiting": health.waiting,
        "sending": health.sending,
        "hosts": [
            {"name": host.name, "seen_at": host.seen_at.isoformat(), "is_alive": host.is_alive}
            for host in health.hosts
        ],
        "restored": health.restored
        and {
            "copied_at": health.restored.copied_at and health.restored.copied_at.isoformat(),
            "noticed_at": health.restored.noticed_at and health.restored.noticed_at.isoformat(),
        },
        "hindered": health.delayed,
        "troubled": [
            {
                "email": one.email,
                "state": one.state.value,
                "attempts": one.attempts,
                "reply": one.reply,
                "due_at": one.due_at.isoformat(),
            }
            for one in health.troubled
        ],
        "suppressed": [one.email for one in health.suppressed],
        "unread_mails": health.unread_mails,
        "signups": {
            "waiting": health.signups.waiting,
            "mailed": health.signups.mailed,
            "refused": dict(health.signups.refused),
        },
        "joined": [{"email": email, "at": at.isoformat()} for email, at in health.joined],
        "left": [{"email": email, "at": at.isoformat()} for email, at in health.left],
        "channels": [one.as_object() for one in health.channels],
        "silent_keywords": [{"keyword": one.keyword, "usual": one.usual} for one in health.silent],
        "alike_keywords": [list(texts) for texts in health.alike],
    }

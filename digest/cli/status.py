"""`digest status`: how the installation stands, on one screen."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from digest.cli.context import context_of
from digest.cli.options import AsObject, Moment

if TYPE_CHECKING:
    from digest.assembly import Setup
    from digest.health import Health


def status(
    ctx: typer.Context,
    now: Moment = None,
    as_json: AsObject = False,
) -> None:
    """Tell whether all is well: what was announced and seen, what comes next, and what stands in the way.

    Asks nobody: it reads the state and arXiv's calendar. Ends with 1 when something needs a person.
    """
    from digest.assembly import load_setup
    from digest.cli.opening import is_at_work, open_beside
    from digest.health import examine
    from digest.preferences import lay_over

    setup = load_setup(context_of(ctx).config)
    state = setup.settings.state
    with open_beside(state) as store:
        readers = lay_over(setup.subscribers, store.preferences())
        health = examine(store, readers, now=now or datetime.now(UTC))
    size = state.stat().st_size if state.exists() else 0
    is_working = is_at_work(state)
    if as_json:
        found = {**_as_object(health), "state_bytes": size, "is_running": is_working}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _tell(setup, health, size, is_running=is_working)
    raise typer.Exit(1 if health.problems() else 0)


def _tell(setup: "Setup", health: "Health", size: int, *, is_running: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from digest.bulletins import told
    from digest.cli.screen import screen

    console = screen()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    running = "a process is at work on it" if is_running else "no process is at work on it"
    state = f"{setup.settings.state}, {size / 1e6:.1f} MB; {running}"
    for name, lines in (*told(health), ("state", (state,))):
        for number, line in enumerate(lines):
            table.add_row(name if number == 0 else "", Text(line))
    console.print(table)
    for problem in health.problems():
        console.print(f"needs you: {problem}", style="bold red")
    if not health.problems():
        console.print("all is well", style="green")


def _as_object(health: "Health") -> dict[str, Any]:
    return {
        "now": health.now.isoformat(),
        "problems": list(health.problems()),
        "expected_at": health.expected_at.isoformat(),
        "quiet": health.quiet,
        "seen_at": health.seen_at and health.seen_at.isoformat(),
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
        "restored": health.restored
        and {
            "copied_at": health.restored.copied_at and health.restored.copied_at.isoformat(),
            "noticed_at": health.restored.noticed_at and health.restored.noticed_at.isoformat(),
        },
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
        "silent_keywords": [{"keyword": one.keyword, "usual": one.usual} for one in health.silent],
        "alike_keywords": [list(texts) for texts in health.alike],
    }

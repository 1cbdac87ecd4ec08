"""`digest status`: how the installation stands, on one screen."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of
from digest.cli.run import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.assembly import Setup
    from digest.health import Health

_MOST_LINES = 8


def status(
    ctx: typer.Context,
    now: Moment = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object.")] = False,
) -> None:
    """Tell whether all is well: what was announced and seen, what comes next, and what stands in the way.

    Asks nobody: it reads the state and arXiv's calendar. Ends with 1 when something needs a person.
    """
    from digest.assembly import load_setup
    from digest.cli.opening import is_at_work, open_beside
    from digest.health import examine

    setup = load_setup(context_of(ctx).config)
    state = setup.settings.state
    with open_beside(state) as store:
        health = examine(store, setup.subscribers, now=now or datetime.now(UTC))
    size = state.stat().st_size if state.exists() else 0
    is_working = is_at_work(state)
    if as_json:
        found = {**_as_object(health), "state_bytes": size, "is_running": is_working}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _tell(setup, health, size, is_running=is_working)
    raise typer.Exit(1 if health.problems() else 0)


def _tell(setup: "Setup", health: "Health", size: int, *, is_running: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    for name, lines in _sections(setup, health, size, is_running=is_running):
        for number, line in enumerate(lines):
            table.add_row(name if number == 0 else "", Text(line))
    console.print(table)
    for problem in health.problems():
        console.print(Text(f"needs you: {problem}", style="bold red"))
    if not health.problems():
        console.print(Text("all is well", style="green"))


def _sections(
    setup: "Setup", health: "Health", size: int, *, is_running: bool
) -> "Iterator[tuple[str, list[str]]]":
    yield "announced", [_at(health.expected_at, health.now), *([health.quiet] if health.quiet else [])]
    yield "seen", [_seen(health)]
    yield "next", [_next(health)]
    yield "sources", [f"{name}: {_at(moment, health.now)}" for name, moment in health.sources.items()]
    yield "mail", _mail(health)
    yield "waiting", _waiting(health)
    yield "suppressed", _few([f"{one.email}: {one.cause}" for one in health.suppressed], "addresses")
    yield "keywords", _few(list(_remarks(health)), "remarks")
    running = "a process is at work on it" if is_running else "no process is at work on it"
    yield "state", [f"{setup.settings.state}, {size / 1e6:.1f} MB; {running}"]


def _seen(health: "Health") -> str:
    if health.seen_at is None:
        return "nothing yet" if health.keywords else "no keywords yet"
    behind = "" if health.seen_at >= health.expected_at else ", so not the last announcement yet"
    return f"up to {_at(health.seen_at, health.now)}{behind}"


def _next(health: "Health") -> str:
    fetch = "at once" if health.fetch_at is None or health.fetch_at <= health.now else _at(health.fetch_at)
    return f"announcement {_at(health.announcement_at)}; the daemon asks arXiv {fetch}"


def _mail(health: "Health") -> list[str]:
    """Each subscriber where there are few, else how many there are at each time."""
    if len(health.mail_at) <= _MOST_LINES:
        return [f"{_at(moment)}  {email}" for email, moment in health.mail_at] or ["nobody is subscribed"]
    counts: dict[datetime, int] = {}
    for _, moment in health.mail_at:
        counts[moment] = counts.get(moment, 0) + 1
    return _few([f"{_at(moment)}  {count} subscribers" for moment, count in counts.items()], "times")


def _waiting(health: "Health") -> list[str]:
    if not health.waiting:
        return []
    lines = [
        f"{one.email}: tried {one.attempts} times, again {_at(one.due_at)}: {one.reply}"
        for one in health.troubled
    ]
    return [f"{health.waiting} in all", *_few(lines, "mailings")]


def _remarks(health: "Health") -> "Iterator[str]":
    for one in health.silent:
        before = f"brought {one.usual} in the weeks before" if one.usual else "has brought none"
        yield f"{one.keyword}: no new paper for a week, and {before}"
    for texts in health.alike:
        yield f"{', '.join(texts)}: found just the same papers, which looks wrong"


def _few(lines: list[str], noun: str) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"and {len(lines) - _MOST_LINES} more {noun}: see --json"]


def _at(moment: datetime, now: datetime | None = None) -> str:
    text = f"{moment:%a %Y-%m-%d %H:%M} UTC"
    if now is None:
        return text
    hours = (now - moment).total_seconds() / 3600
    return f"{text} ({hours:.0f} h ago)" if hours < 72 else f"{text} ({hours / 24:.0f} days ago)"


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
        "waiting": health.waiting,
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
        "silent_keywords": [{"keyword": one.keyword, "usual": one.usual} for one in health.silent],
        "alike_keywords": [list(texts) for texts in health.alike],
    }

"""`digest doctor`: what works, what does not, and what to do about it."""

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import Context, context_of, tell_failures_once
from digest.cli.options import AsObject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from digest.service.finding import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def doctor(
    ctx: typer.Context,
    send: Annotated[
        str | None,
        typer.Option(metavar="EMAIL", help="Send a test digest with invented papers.", show_default=False),
    ] = None,
    as_json: AsObject = False,
) -> None:
    """Check configuration, files, clock, disk, state, mail server, DNS records, arXiv and service.

    Each check says ok, warning or failed, and in one line what to do.

    Nothing is changed, no mail is sent but with [b]--send[/b], and arXiv is asked three small questions.

    Ends with 1 when something failed, and with 2 when the configuration is broken.
    """
    import asyncio

    from digest.cli.doctor_checks.examination import exit_code

    tell_failures_once(ctx)
    email = _address(send) if send else None
    findings = asyncio.run(_examine(context_of(ctx), email, is_told=not as_json))
    code = exit_code(findings)
    if as_json:
        typer.echo(json.dumps(as_object(findings, code), ensure_ascii=False, indent=2))
    else:
        typer.echo(_summary(findings))
    raise typer.Exit(code)


def _address(text: str) -> str:
    from digest.config.parsing import parse_address

    try:
        return parse_address(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text}: {error}") from error


async def _examine(context: Context, email: str | None, *, is_told: bool) -> "tuple[Finding, ...]":
    """All findings; each is told as it comes, since some are long in coming."""

    from digest.cli.doctor_checks.dns import DnsResolver
    from digest.cli.doctor_checks.examination import examine
    from digest.cli.screen import screen

    console = screen()
    found = []
    async for finding in examine(context.config, os.environ, DnsResolver(), send_to=email):
        found.append(finding)
        if is_told:
            try:
                tell(console, finding)
            except BrokenPipeError:
                os._exit(1)  # `head` has all that it wants: what is being asked need not be finished
    return tuple(found)


def tell(console: "Console", finding: "Finding") -> None:
    """A row of a table on a terminal, with the remedy below it; elsewhere one line."""
    from rich.table import Table
    from rich.text import Text

    if not console.is_terminal:
        remedy = f" -> {finding.remedy}" if finding.remedy else ""
        typer.echo(f"{finding.verdict:<8}{finding.name}: {finding.said}{remedy}")
        return
    row = Table.grid(padding=(0, 2))
    row.add_column(width=7)
    row.add_column(width=24)
    row.add_column(ratio=1, overflow="fold")
    said = Text(finding.said)
    if finding.remedy:
        said.append(f"\n→ {finding.remedy}", style="bold")
    row.add_row(Text(finding.verdict, style=_COLOURS[finding.verdict]), Text(finding.name), said)
    console.print(row)


def as_object(findings: "Iterable[Finding]", code: int) -> dict[str, object]:
    """The object that `--json` prints."""
    return {
        "exit_code": code,
        "findings": [
            {"name": one.name, "verdict": one.verdict, "said": one.said, "remedy": one.remedy}
            for one in findings
        ],
    }


def _summary(findings: "tuple[Finding, ...]") -> str:
    counts = {verdict: sum(one.verdict == verdict for one in findings) for verdict in _COLOURS}
    return f"{counts['ok']} ok, {counts['warning']} to look at, {counts['failed']} failed"

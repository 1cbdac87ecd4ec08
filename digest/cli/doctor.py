"""`digest doctor`: checks the installation and says what to correct."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import Context, context_of, log_errors_only
from digest.cli.json_output import print_object
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
    ping: Annotated[
        bool, typer.Option("--ping", metavar="", help="Call operator.ping_url, as after a good cycle.")
    ] = False,
    as_json: AsObject = False,
) -> None:
    """Check configuration, files, clock, disk, state, mail server, DNS records, arXiv and service.

    Each check prints ok, warning or failed, and what to do in one line.

    Nothing is changed. Mail is sent only with [b]--send[/b], and a ping only with [b]--ping[/b]. arXiv gets
    three small requests.

    Exits with 1 if a check failed, and with 2 if the configuration is wrong.
    """
    import asyncio

    from digest.cli.doctor_checks.run_all import exit_code

    log_errors_only(ctx)
    email = _address(send) if send else None
    findings = asyncio.run(_examine(context_of(ctx), email, is_printed=not as_json, is_pinged=ping))
    code = exit_code(findings)
    if as_json:
        print_object({"exit_code": code, "findings": as_objects(findings)})
    else:
        typer.echo(_summary(findings))
    raise typer.Exit(code)


def _address(text: str) -> str:
    from digest.config.parsing import parse_address

    try:
        return parse_address(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text}: {error}") from error


async def _examine(
    context: Context, email: str | None, *, is_printed: bool, is_pinged: bool
) -> "tuple[Finding, ...]":
    """All findings. Each is printed at once, because some checks take long."""

    from digest.cli.doctor_checks.dns import DnsResolver
    from digest.cli.doctor_checks.run_all import examine
    from digest.cli.output import screen

    console = screen()
    found = []
    async for finding in examine(
        context.config, os.environ, DnsResolver(), send_to=email, is_pinged=is_pinged
    ):
        found.append(finding)
        if is_printed:
            try:
                print_finding(console, finding)
            except BrokenPipeError:
                os._exit(1)  # for example `head` has read enough: do not wait for the open checks
    return tuple(found)


def print_finding(console: "Console", finding: "Finding") -> None:
    """A row of a table at a terminal, with the remedy below it; elsewhere one line."""
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


def as_objects(findings: "Iterable[Finding]") -> list[dict[str, str]]:
    """The findings as `--json` prints them."""
    return [
        {"name": one.name, "verdict": one.verdict, "said": one.said, "remedy": one.remedy} for one in findings
    ]


def _summary(findings: "tuple[Finding, ...]") -> str:
    from digest.config.parsing import counted

    counts = {verdict: sum(one.verdict == verdict for one in findings) for verdict in _COLOURS}
    return f"{counts['ok']} ok, {counted(counts['warning'], 'warning')}, {counts['failed']} failed"

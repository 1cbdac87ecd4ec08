"""What `digest init` says when it has written both files: what was checked, and what comes next."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from digest.cli.json_output import print_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.cli.setup import Answers
    from digest.service.finding import Finding


def print_checks(folder: Path) -> None:
    from digest.cli.doctor import print_finding
    from digest.cli.output import screen

    typer.echo("\nChecks of this machine:")
    console = screen()
    for finding in _findings(folder):
        print_finding(console, finding)


def _findings(folder: Path) -> "Iterator[Finding]":
    import os

    from digest.cli.doctor_checks.run_all import examine_here
    from digest.cli.setup import CONFIG

    return examine_here(folder / CONFIG, os.environ)


def print_next(folder: Path, answers: "Answers", *, is_ready: bool) -> None:
    import shlex

    test, trial = _trials(folder, answers)
    typer.echo("\nNext:")
    if not is_ready and (file := password_file_of(folder, answers)):
        typer.echo(f"  write only the password into {file}; then: chmod 600 {shlex.quote(str(file))}")
    typer.echo(f"  {test}")
    typer.echo("      checks everything, also the mail server and arXiv, and sends you a test mail")
    typer.echo(f"  {trial}")
    typer.echo("      asks arXiv and shows what would be sent")
    _print_service(folder.absolute(), answers)


def _trials(folder: Path, answers: "Answers") -> tuple[str, str]:
    """The commands that show whether it works."""
    import shlex

    from digest.cli.setup import CONFIG

    is_here = folder.resolve() == Path.cwd()
    command = "digest" if is_here else f"digest --config {shlex.quote(str(folder / CONFIG))}"
    return f"{command} doctor --send {answers.email}", f"{command} run --dry-run"


def _print_service(folder: Path, answers: "Answers") -> None:
    """The commands that make it a service. There the password is a credential of systemd."""
    typer.echo("  if both succeed, make it a service, as root:")
    from digest.cli.init_service import service_lines

    for line in service_lines(folder, password_file_of(folder, answers)):
        typer.echo(f"      {line}")


def print_json(folder: Path, answers: "Answers") -> None:
    from digest.cli.doctor import as_objects
    from digest.cli.init_service import service_lines
    from digest.cli.setup import CONFIG, SUBSCRIBERS

    place, file = folder.absolute(), password_file_of(folder, answers)
    print_object(
        {
            "config": str(place / CONFIG),
            "subscribers": str(place / SUBSCRIBERS),
            "password_file": file and str(file),
            "needs_password": file is not None and not file.exists(),
            "findings": as_objects(_findings(folder)),
            "next": _trials(folder, answers),
            "service": service_lines(place, file),
        }
    )


def password_file_of(folder: Path, answers: "Answers") -> Path | None:
    named = answers.server.password_file if answers.server else None
    return folder.absolute() / Path(named).expanduser() if named else None

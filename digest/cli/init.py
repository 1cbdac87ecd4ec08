"""`digest init`: a few questions, and an installation that can be tried at once."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.options import Followed
from digest.cli.questions import (
    NONE,
    Questions,
    check,
    parse_keyword,
    parse_line,
    parse_password_file,
    parse_port,
    parse_provider,
    parse_provider_or_host,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.cli.setup import Answers, MailServer


def init(
    email: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Your mail address.", show_default=False)
    ] = None,
    keyword: Followed = None,
    at: Annotated[
        str | None, typer.Option(metavar="HH:MM", help="When to mail; else 07:00.", show_default=False)
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Where that time holds; else this machine's.", show_default=False),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A mail provider by name, as gmail, or [b]none[/b].", show_default=False
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Another mail server.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Its port; else 587.", show_default=False)
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The name to log in with, or [b]none[/b]; else EMAIL.", show_default=False
        ),
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="The file with the password alone; else smtp-password.", show_default=False
        ),
    ] = None,
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to write.")] = Path(),
) -> None:
    """Make digest.toml and subscribers.toml by a few questions, and check them.

    Each option answers its question beforehand. Where standard input is no terminal nothing is asked: then
    [b]--email[/b] and [b]--keyword[/b] are needed, and the rest has defaults. Nothing is ever overwritten.
    """
    from digest.cli.setup import install, refuse_folder, refuse_to_overwrite
    from digest.errors import ConfigurationError

    refuse_to_overwrite(folder)
    refuse_folder(folder)
    given = _Given(email, tuple(keyword or ()), at, timezone, provider, host, port, username, password_file)
    _check_given(given, folder)
    questions = Questions()
    try:
        answers = _answers(questions, given, folder)
        install(folder, answers)
    except (typer.Abort, KeyboardInterrupt, ConfigurationError):
        if command := questions.command(folder):
            typer.echo(f"\nTo go on from your answers: {command}", err=True)
        raise
    typer.echo(f"\nWrote digest.toml and subscribers.toml in {folder.absolute()}.")
    is_ready = _settle_password(folder, answers)
    _check(folder)
    _tell_next(folder, answers, is_ready=is_ready)


@dataclass(frozen=True, slots=True)
class _Given:
    """The options."""

    email: str | None
    keywords: tuple[str, ...]
    at: str | None
    timezone: str | None
    provider: str | None
    host: str | None
    port: int | None
    username: str | None
    password_file: str | None


def _check_given(given: _Given, folder: Path) -> None:
    """Before the first question, so that no answer is typed in vain."""
    from digest.config.parsing import parse_address, parse_host, parse_time, parse_zone

    named: tuple[tuple[str, str | None, Callable[[str], object]], ...] = (
        ("--email", given.email, parse_address),
        *(("--keyword", keyword, parse_keyword) for keyword in given.keywords),
        ("--at", given.at, parse_time),
        ("--timezone", given.timezone, parse_zone),
        ("--provider", given.provider, parse_provider),
        ("--host", given.host, parse_host),
        ("--port", None if given.port is None else str(given.port), parse_port),
        ("--username", given.username, parse_line),
        ("--password-file", given.password_file, partial(_parse_file, folder, is_to_be_written=False)),
    )
    for option, text, parse in named:
        if text is not None:
            check(text, option, parse)


def _answers(questions: Questions, given: _Given, folder: Path) -> "Answers":
    import os

    from digest.cli.setup import Answers
    from digest.config.loader import system_zone
    from digest.config.parsing import parse_address, parse_time, parse_zone

    zone = system_zone(os.environ)
    email = questions.answer(given.email, "--email", "Your mail address", None, parse_address)
    return Answers(
        email=email,
        keywords=_keywords(questions, given.keywords),
        at=questions.answer(given.at, "--at", "When to mail, HH:MM", "07:00", parse_time),
        timezone=questions.answer(given.timezone, "--timezone", "Where that time holds", zone, parse_zone),
        server=_server(questions, given, email, folder),
    )


def _keywords(questions: Questions, given: tuple[str, ...]) -> tuple[str, ...]:
    """Those given; else one after the other, until a blank answer ends them."""
    if given:
        return tuple(questions.answer(one, "--keyword", "", None, parse_keyword) for one in given)
    first = "What to look for, as graph neural network"
    found = [questions.answer(None, "--keyword", first, None, parse_keyword)]
    while more := questions.answer(None, "--keyword", "What else (nothing more: Enter)", "", parse_keyword):
        found.append(more)
    return tuple(found)


def _parse_file(folder: Path, text: str, *, is_to_be_written: bool) -> None:
    parse_password_file(text, folder, is_to_be_written=is_to_be_written)


def _server(questions: Questions, given: _Given, email: str, folder: Path) -> "MailServer | None":
    from digest.cli.setup import MailServer
    from digest.config.parsing import parse_host
    from digest.config.providers import PROVIDERS

    provider, host, port = given.provider, given.host, given.port
    if provider is None and host is None:
        if sys.stdin.isatty():
            typer.echo("Mails go by a mail server, or into a Maildir on this machine.")
            typer.echo(f"Known by name: {', '.join(PROVIDERS)}")
        question = "Provider, host of your own server, or none"
        provider, host = questions.ask_either("--provider", "--host", question, NONE, parse_provider_or_host)
    elif provider is not None:
        questions.answer(provider, "--provider", "", None, parse_provider)
    if provider is not None and provider.casefold() == NONE:
        return None
    needs_host = provider is not None and PROVIDERS[provider.casefold()].host is None
    if host is not None or needs_host:
        host = questions.answer(host, "--host", "Its server in your region", None, parse_host)
    if port is not None or provider is None:
        asked = None if port is None else str(port)
        port = int(questions.answer(asked, "--port", "Port, 587 or 465", "587", parse_port))
    usual = "apikey" if provider == "sendgrid" else email
    question = "Name to log in with, or none"
    username = questions.answer(given.username, "--username", question, usual, parse_line)
    if username == NONE:
        return MailServer(provider=provider, host=host, port=port)
    file = questions.answer(
        given.password_file,
        "--password-file",
        "File for the password alone",
        "smtp-password",
        partial(_parse_file, folder, is_to_be_written=given.password_file is None),
    )
    return MailServer(provider=provider, host=host, port=port, username=username, password_file=file)


def _settle_password(folder: Path, answers: "Answers") -> bool:
    """Whether the password is where it belongs; on a terminal it may be typed, and goes into its file."""
    from digest.cli.setup import write_password
    from digest.errors import ConfigurationError

    file = _password_file(folder, answers)
    if file is None:
        return True
    if file.exists() or not sys.stdin.isatty():
        return file.exists()
    password = typer.prompt(
        f"Password, to be kept in {file} (Enter: write that file yourself)",
        default="",
        hide_input=True,
        show_default=False,
    )
    if not password:
        return False
    try:
        write_password(file, password)
    except ConfigurationError as error:
        typer.echo(f"error: {error}", err=True)
        return False
    return True


def _check(folder: Path) -> None:
    import os

    from digest.cli.doctor import tell
    from digest.cli.doctor_checks.examination import examine_here
    from digest.cli.screen import screen
    from digest.cli.setup import CONFIG

    typer.echo("\nChecked, without asking anybody:")
    console = screen()
    for finding in examine_here(folder / CONFIG, os.environ):
        tell(console, finding)


def _tell_next(folder: Path, answers: "Answers", *, is_ready: bool) -> None:
    import shlex

    from digest.cli.setup import CONFIG

    is_here = folder.resolve() == Path.cwd()
    command = "digest" if is_here else f"digest --config {shlex.quote(str(folder / CONFIG))}"
    typer.echo("\nNext:")
    if not is_ready and (file := _password_file(folder, answers)):
        typer.echo(
            f"  write the password, and nothing else, into {file}; then: chmod 600 {shlex.quote(str(file))}"
        )
    typer.echo(f"  {command} doctor --send {answers.email}")
    typer.echo("      checks everything, the mail server and arXiv too, and mails you a test")
    typer.echo(f"  {command} run --dry-run")
    typer.echo("      asks arXiv, and tells what would be sent")
    _tell_service(folder.absolute(), answers)


def _tell_service(folder: Path, answers: "Answers") -> None:
    """Where it goes as a service. There the password is a credential of systemd, and stands in no setting."""
    typer.echo("  as root, when both are right, to make it a service:")
    from digest.cli.service_lines import service_lines

    for line in service_lines(folder, _password_file(folder, answers)):
        typer.echo(f"      {line}")


def _password_file(folder: Path, answers: "Answers") -> Path | None:
    named = answers.server.password_file if answers.server else None
    return folder.absolute() / Path(named).expanduser() if named else None

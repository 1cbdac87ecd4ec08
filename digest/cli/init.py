"""`digest init`: asks a few questions and writes the configuration."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.init_questions import (
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
from digest.cli.options import AsObject, Followed, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.cli.setup import Answers, MailServer


def init(
    email: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Your mail address.", show_default=False)
    ] = None,
    keyword: Followed = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="HH:MM", help="Time of the daily mail. Default: 07:00.", show_default=False),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Time zone. Default: that of this machine.", show_default=False),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A mail provider, for example gmail, or [b]none[/b].", show_default=False
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Your mail server, if no provider is set.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            parser=whole_number(1, 65_535, "a whole number from 1 to 65535"),
            help="Port of the mail server. Default: 587.",
            show_default=False,
        ),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name for the login, or [b]none[/b]. Default: EMAIL.", show_default=False
        ),
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="File that holds only the password. Default: smtp-password.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write to.")] = Path(),
    as_json: AsObject = False,
) -> None:
    """Ask a few questions, write digest.toml and subscribers.toml, and check them.

    Each option answers its question in advance. Without a terminal, and with [b]--json[/b], nothing is asked:
    [b]--email[/b] and [b]--keyword[/b] are required then, and all others have defaults. No file is ever
    overwritten.
    """
    from digest.cli.init_report import print_checks, print_json, print_next
    from digest.cli.setup import install, refuse_folder, refuse_to_overwrite
    from digest.errors import ConfigurationError

    refuse_to_overwrite(folder)
    refuse_folder(folder)
    given = _Given(email, tuple(keyword or ()), at, timezone, provider, host, port, username, password_file)
    _check_given(given, folder)
    questions = Questions(is_asking=not as_json and sys.stdin.isatty())
    try:
        answers = _answers(questions, given, folder)
        install(folder, answers)
    except (typer.Abort, KeyboardInterrupt, ConfigurationError):
        if command := questions.command(folder):
            typer.echo(f"\nTo continue with your answers: {command}", err=True)
        raise
    if as_json:
        print_json(folder, answers)
        return
    typer.echo(f"\nWrote digest.toml and subscribers.toml in {folder.absolute()}.")
    is_ready = _settle_password(folder, answers)
    print_checks(folder)
    print_next(folder, answers, is_ready=is_ready)


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
    """Runs before the first question, so that no answer is lost."""
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
        at=questions.answer(given.at, "--at", "Time of the daily mail, HH:MM", "07:00", parse_time),
        timezone=questions.answer(given.timezone, "--timezone", "Time zone", zone, parse_zone),
        server=_server(questions, given, email, folder),
    )


def _keywords(questions: Questions, given: tuple[str, ...]) -> tuple[str, ...]:
    """The given keywords; else asks for one after the other, until a blank answer."""
    if given:
        return tuple(questions.answer(one, "--keyword", "", None, parse_keyword) for one in given)
    first = "Keyword, for example graph neural network"
    found = [questions.answer(None, "--keyword", first, None, parse_keyword)]
    while more := questions.answer(None, "--keyword", "Another keyword (Enter to finish)", "", parse_keyword):
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
        if questions.is_asking:
            typer.echo("Mails go to a mail server, or into a Maildir on this machine.")
            typer.echo(f"Providers: {', '.join(PROVIDERS)}")
        question = "Provider, host of your mail server, or none"
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
        port = int(questions.answer(asked, "--port", "Port, usually 587 or 465", "587", parse_port))
    usual = "apikey" if provider == "sendgrid" else email
    question = "Name for the login, or none"
    username = questions.answer(given.username, "--username", question, usual, parse_line)
    if username == NONE:
        return MailServer(provider=provider, host=host, port=port)
    file = questions.answer(
        given.password_file,
        "--password-file",
        "File for the password",
        "smtp-password",
        partial(_parse_file, folder, is_to_be_written=given.password_file is None),
    )
    return MailServer(provider=provider, host=host, port=port, username=username, password_file=file)


def _settle_password(folder: Path, answers: "Answers") -> bool:
    """Whether the password file exists. At a terminal, asks for the password and writes it."""
    from digest.cli.init_report import password_file_of
    from digest.cli.setup import write_password
    from digest.errors import ConfigurationError

    file = password_file_of(folder, answers)
    if file is None:
        return True
    if file.exists() or not sys.stdin.isatty():
        return file.exists()
    password = typer.prompt(
        f"Password, stored in {file} (Enter: write that file yourself)",
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

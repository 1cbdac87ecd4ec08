"""`digest init`: a few questions, and an installation that can be tried at once."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.options import Followed

if TYPE_CHECKING:
    from digest.installation import Answers, MailServer

_NONE = "none"


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
    import os

    from digest.config import system_zone
    from digest.installation import Answers, install, refuse_to_overwrite
    from digest.notation import parse_address, parse_time, parse_zone

    refuse_to_overwrite(folder)
    email = _answer(email, "--email", "Your mail address", None, parse_address)
    answers = Answers(
        email=email,
        keywords=tuple(keyword or _keywords()),
        at=_answer(at, "--at", "When to mail, HH:MM", "07:00", parse_time),
        timezone=_answer(
            timezone, "--timezone", "Where that time holds", system_zone(os.environ), parse_zone
        ),
        server=_server(email, provider, host, port, username, password_file),
    )
    install(folder, answers)
    typer.echo(f"\nWrote digest.toml and subscribers.toml in {folder.absolute()}.")
    is_ready = _settle_password(folder, answers)
    _check(folder)
    _tell_next(folder, answers, is_ready=is_ready)


def _answer(
    given: str | None, option: str, question: str, default: str | None, parse: Callable[[str], object]
) -> str:
    """What was given, else what is typed, else the default; asked again until `parse` takes it."""

    def checked(text: str) -> str:
        try:
            parse(text)
        except ValueError as error:
            raise typer.BadParameter(f"{text}: {error}", param_hint=option) from error
        return text

    if given is not None:
        return checked(given)
    if sys.stdin.isatty():
        return str(typer.prompt(question, default=default, value_proc=checked))
    if default is None:
        raise typer.BadParameter("is missing, and nobody can be asked", param_hint=option)
    return checked(default)


def _keywords() -> list[str]:
    """One after the other; a blank answer ends them."""
    found = [_answer(None, "--keyword", "What to look for, as graph neural network", None, _parse_keyword)]
    while more := _answer(None, "--keyword", "What else (nothing more: Enter)", "", _parse_keyword):
        found.append(more)
    return found


def _parse_keyword(text: str) -> None:
    """Raises `ValueError`, but not for a blank one, which is an answer too."""
    from digest.errors import QueryError
    from digest.query import parse

    try:
        if text:
            parse(text)
    except QueryError as error:
        raise ValueError(str(error)) from error


def _server(
    email: str,
    provider: str | None,
    host: str | None,
    port: int | None,
    username: str | None,
    password_file: str | None,
) -> "MailServer | None":
    from digest.installation import MailServer
    from digest.providers import PROVIDERS

    if provider is None and host is None:
        if sys.stdin.isatty():
            typer.echo("Mails go by a mail server, or into a Maildir on this machine.")
            typer.echo(f"Known by name: {', '.join(PROVIDERS)}")
        named = _answer(None, "--provider", "Provider, host of your own server, or none", _NONE, str)
        provider, host = (named, None) if named in {*PROVIDERS, _NONE} else (None, named)
    if provider == _NONE:
        return None
    if provider is None:
        asked = _answer(str(port) if port else None, "--port", "Port, 587 or 465", "587", int)
        port = int(asked)
    elif provider in PROVIDERS and PROVIDERS[provider].host is None:
        host = _answer(host, "--host", "Its server in your region", None, str)
    usual = "apikey" if provider == "sendgrid" else email
    username = _answer(username, "--username", "Name to log in with, or none", usual, str)
    if username == _NONE:
        return MailServer(provider=provider, host=host, port=port)
    file = _answer(password_file, "--password-file", "File for the password alone", "smtp-password", str)
    return MailServer(provider=provider, host=host, port=port, username=username, password_file=file)


def _settle_password(folder: Path, answers: "Answers") -> bool:
    """Whether the password is where it belongs; on a terminal it may be typed, and goes into its file."""
    from digest.installation import write_password

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
    if password:
        write_password(file, password)
    return bool(password)


def _check(folder: Path) -> None:
    import os

    from digest.checks.examination import examine_here
    from digest.cli.doctor import tell
    from digest.cli.screen import screen
    from digest.installation import CONFIG

    typer.echo("\nChecked, without asking anybody:")
    console = screen()
    for finding in examine_here(folder / CONFIG, os.environ):
        tell(console, finding)


def _tell_next(folder: Path, answers: "Answers", *, is_ready: bool) -> None:
    import shlex

    from digest.installation import CONFIG

    is_here = folder.resolve() == Path.cwd()
    command = "digest" if is_here else f"digest --config {shlex.quote(str(folder / CONFIG))}"
    typer.echo("\nNext:")
    if not is_ready and (file := _password_file(folder, answers)):
        typer.echo(f"  write the password, and nothing else, into {file}; then: chmod 600 {file}")
    typer.echo(f"  {command} doctor --send {answers.email}")
    typer.echo("      checks everything, the mail server and arXiv too, and mails you a test")
    typer.echo(f"  {command} run --dry-run")
    typer.echo("      asks arXiv, and tells what would be sent")
    _tell_service(folder.absolute(), answers)


def _tell_service(folder: Path, answers: "Answers") -> None:
    """Where it goes as a service. There the password is a credential of systemd, and stands in no setting."""
    from digest.installation import CONFIG, SUBSCRIBERS
    from digest.resources import systemd_folder

    place = "/etc/arxiv-digest"
    typer.echo("  as root, when both are right, to make it a service:")
    typer.echo(f"      mkdir -p {place} && cp {folder / SUBSCRIBERS} {place}/")
    typer.echo(f"      sed /^password_file/d {folder / CONFIG} > {place}/{CONFIG}")
    if file := _password_file(folder, answers):
        typer.echo(f"      install -m 600 {file} {place}/smtp-password")
    typer.echo(f"      cp {systemd_folder()}/arxiv-digest* /etc/systemd/system/ && systemctl daemon-reload")
    typer.echo("      systemctl enable --now arxiv-digest")


def _password_file(folder: Path, answers: "Answers") -> Path | None:
    named = answers.server.password_file if answers.server else None
    return folder.absolute() / Path(named).expanduser() if named else None

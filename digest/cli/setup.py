"""Writes digest.toml and subscribers.toml from a few answers: both or none."""

import json
import os
from dataclasses import dataclass
from errno import EACCES, ENOTDIR
from pathlib import Path
from tempfile import TemporaryDirectory

from digest.config.atomic_write import unwritable
from digest.config.settings import Defaults
from digest.errors import ConfigurationError
from digest.service.bootstrap import load_setup
from digest.subscribers import editor
from digest.subscribers.file import SubscribersFile

CONFIG, SUBSCRIBERS = "digest.toml", "subscribers.toml"

_HEAD = "# Settings of digest. All keys: digest docs configuration\n"
_NO_SERVER = """
# Without a mail server, mails go into a Maildir. To send them:
# [smtp]
# host = "mail.example.org"
# username = "you@example.org"
# password_file = "smtp-password"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Named by `provider` or `host`. Without a `username` there is no login."""

    provider: str | None = None
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of the operator, the first subscriber. Without a `server`, mails go into a Maildir."""

    email: str
    keywords: tuple[str, ...]
    at: str
    timezone: str
    server: MailServer | None = None


def install(folder: Path, answers: Answers) -> None:
    """Writes both files into `folder`, after a trial in a temporary folder.

    Raises `ConfigurationError` for a wrong answer, and if one of the files exists; then nothing was written.
    """
    refuse_to_overwrite(folder)
    with TemporaryDirectory(prefix="digest-") as place:
        trial = Path(place)
        try:
            _write(trial, answers)
            # The file with the password may be created later.
            has_login = answers.server is not None and answers.server.username is not None
            load_setup(trial / CONFIG, {"DIGEST_SMTP__PASSWORD": "later"} if has_login else {})
        except ConfigurationError as error:
            problems = (problem.replace(f"{trial}{os.sep}", "") for problem in error.problems)
            raise ConfigurationError(*problems) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    _write(folder, answers)


def refuse_to_overwrite(folder: Path) -> None:
    """Raises `ConfigurationError` if one of the two files exists."""
    there = [name for name in (CONFIG, SUBSCRIBERS) if (folder / name).exists()]
    if there:
        raise ConfigurationError(
            f"{folder / there[0]} exists already and is never overwritten; edit it, or choose another folder"
            " with --folder"
        )


def refuse_folder(folder: Path) -> None:
    """Raises `ConfigurationError` if the folder cannot be created or written to."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return
    reason = os.strerror(EACCES if place.is_dir() else ENOTDIR)
    what = "cannot be written to" if folder.is_dir() else "cannot be created"
    raise ConfigurationError(f"{folder} {what}: {reason}; choose another folder with --folder")


def write_password(file: Path, password: str) -> None:
    """Creates a file that only this user can read. Raises `ConfigurationError`."""
    _create(file, f"{password}\n", mode=0o600)


def _create(file: Path, text: str, *, mode: int) -> None:
    """Creates a file, complete or not at all. Raises `ConfigurationError`."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(file, error) from error


def _write(folder: Path, answers: Answers) -> None:
    """Writes both files or none: with one of them, a second try would be refused."""
    editor.subscribe(
        SubscribersFile(folder / SUBSCRIBERS, Defaults()),
        email=answers.email,
        keywords=answers.keywords,
        at=answers.at,
        timezone=answers.timezone,
    )
    try:
        _create(folder / CONFIG, config_text(answers), mode=0o666)
    except BaseException:
        (folder / SUBSCRIBERS).unlink(missing_ok=True)
        raise


def config_text(answers: Answers) -> str:
    """The text of digest.toml."""
    arxiv = _table("arxiv", contact=answers.email) + _table("mail", contact=answers.email)
    server = answers.server
    if server is None:
        return _HEAD + arxiv + _NO_SERVER
    is_address = server.username is not None and "@" in server.username
    return (
        _HEAD
        + arxiv
        + _table(
            "smtp",
            provider=server.provider,
            host=server.host,
            port=server.port,
            username=server.username,
            password_file=server.password_file if server.username else None,
            sender=None if is_address else answers.email,
        )
    )


def _table(name: str, **values: str | int | None) -> str:
    """A TOML table. Strings are written as in JSON, which TOML reads in the same way."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value]
    return "\n".join(("", f"[{name}]", *lines, ""))

"""A new installation: from a few answers to digest.toml and subscribers.toml, both or neither."""

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
    """`provider` or `host` says which; without a `username` nobody logs in."""

    provider: str | None = None
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the operator, who is the first subscriber, wants. Without a `server` mails go into a Maildir."""

    email: str
    keywords: tuple[str, ...]
    at: str
    timezone: str
    server: MailServer | None = None


def install(folder: Path, answers: Answers) -> None:
    """Writes both files into `folder`, after reading them back.

    Raises `ConfigurationError` for what is not allowed, and where one of the files is there; then nothing
    was written.
    """
    refuse_to_overwrite(folder)
    with TemporaryDirectory(prefix="digest-") as place:
        draft = Path(place)
        try:
            _write(draft, answers)
            # The file with the password may come later.
            has_login = answers.server is not None and answers.server.username is not None
            load_setup(draft / CONFIG, {"DIGEST_SMTP__PASSWORD": "later"} if has_login else {})
        except ConfigurationError as error:
            told = (problem.replace(f"{draft}{os.sep}", "") for problem in error.problems)
            raise ConfigurationError(*told) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    _write(folder, answers)


def refuse_to_overwrite(folder: Path) -> None:
    """Raises `ConfigurationError` where one of the two files is there."""
    there = [name for name in (CONFIG, SUBSCRIBERS) if (folder / name).exists()]
    if there:
        raise ConfigurationError(
            f"{folder / there[0]} is there already, and is never overwritten; edit it, or name another folder"
            " with --folder"
        )


def refuse_folder(folder: Path) -> None:
    """Raises `ConfigurationError` where the folder cannot be made, or nothing be written in it."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return
    reason = os.strerror(EACCES if place.is_dir() else ENOTDIR)
    what = "cannot be written to" if folder.is_dir() else "cannot be made"
    raise ConfigurationError(f"{folder} {what}: {reason}; name another folder with --folder")


def write_password(file: Path, password: str) -> None:
    """A new file for this user alone. Raises `ConfigurationError` where it cannot be made."""
    _create(file, f"{password}\n", mode=0o600)


def _create(file: Path, text: str, *, mode: int) -> None:
    """A new file, whole or not at all. Raises `ConfigurationError` where it cannot be made."""
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
    """Both files or none: what is there is never overwritten, so that a second try would be refused."""
    editor.subscribe(
        folder / SUBSCRIBERS,
        Defaults(),
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
    """A TOML table; a string is written as JSON writes it, which TOML reads alike."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value]
    return "\n".join(("", f"[{name}]", *lines, ""))

"""The files of this machine: permissions, free space, and the state."""

import shutil
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from digest.config.database_url import is_database, masked
from digest.config.package_data import templates_folder
from digest.config.parsing import parse_toml, read_text
from digest.config.settings import Settings
from digest.errors import ConfigurationError, StateError, Unwritable
from digest.model.paper import one_line
from digest.service.bootstrap import Setup
from digest.service.finding import Finding, failed, nearest_folder, ok, warning, writable
from digest.service.mail_setup import build_mail_writer, writer_setup_for
from digest.service.transports.base import transport_kind
from digest.storage.factory import State, is_there, look_into, restored_in, size_of

A_YEAR = 300_000_000
"""Bytes: half for all papers of arXiv in a year (docs/benchmarks.md), half for a copy."""

_FULL = 50_000_000
_PATIENCE = timedelta(seconds=20)
_BUSY = timedelta(seconds=3)


def check_files(setup: Setup) -> Iterator[Finding]:
    """Permissions, free space and state."""
    settings = setup.settings
    yield from _secrets(setup.config_file, settings)
    if isinstance(settings.state, Path):
        yield writable("state folder", settings.state.parent)
    yield from transport_kind(settings).check_files(settings)
    if isinstance(settings.state, Path):
        yield _room(settings.state.parent)
    if settings.mail.templates:
        yield _templates(settings, settings.mail.templates)
    yield _state(settings.state)


def _secrets(config: Path | None, settings: Settings) -> Iterator[Finding]:
    """Only one user may read files that hold a password."""
    files = [file for file in (settings.smtp.password_file, settings.state_password_file) if file]
    if config and _holds_password(config):
        files.append(config)
    for file in files:
        yield judge_secret(file, file.stat().st_mode)


def judge_secret(file: Path, mode: int) -> Finding:
    """What others may do with a file that holds a password."""
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        said = f"{file} holds a password, and every user of this machine can read or change it"
        return warning("password file", said, f"chmod o-rw {file}")
    return ok("password file", f"other users cannot read {file}")


def _holds_password(config: Path) -> bool:
    try:
        written = parse_toml(read_text(config), config)
    except (ConfigurationError, FileNotFoundError):  # it was edited just now
        return False
    smtp, state = written.get("smtp", {}), str(written.get("state", ""))
    return (
        (isinstance(smtp, dict) and "password" in smtp)
        or "state_password" in written
        or (is_database(state) and masked(state) != state)
    )


def _templates(settings: Settings, folder: Path) -> Finding:
    """Whether the operator's own templates work, tried with a digest of invented papers."""
    try:
        build_mail_writer(writer_setup_for(settings))
    except (ConfigurationError, Unwritable) as error:
        return failed(
            "templates",
            one_line(str(error)).removesuffix("; correct it"),
            "correct it; the shipped template shows the available values",
        )
    shipped = {file.name for file in templates_folder().glob("*.j2")}
    others = sorted(file.name for file in folder.glob("*.j2") if file.name not in shipped)
    if others:
        said = f"{folder}: {', '.join(others)}: no template has this name, it is not used"
        return warning("templates", said, f"possible names: {', '.join(sorted(shipped))}")
    return ok("templates", f"{folder}: can be used")


def _room(folder: Path) -> Finding:
    return judge_room(shutil.disk_usage(nearest_folder(folder)).free)


def judge_room(free: int) -> Finding:
    """Free bytes, compared with the need of a year."""
    said = f"{free / 1e6:,.0f} MB free for the state"
    if free < _FULL:
        return failed("disk", said, "free some space: a full disk stops everything")
    if free < A_YEAR:
        return warning("disk", said, f"free some space: a year may need {A_YEAR / 1e6:,.0f} MB")
    return ok("disk", said)


_REMEDY = {
    True: "check the disk, or restore a backup",
    False: "see whether the server runs, and whether state names it (digest docs postgresql)",
}
"""Where an error names none, by whether the state is a file."""


def _state(state: State) -> Finding:
    try:
        if isinstance(state, Path) and not is_there(state):
            return ok("state", f"{state} does not exist yet; the first run creates it")
        is_whole = look_into(state, busy=_BUSY, within=_PATIENCE)
        restored = restored_in(state)
        size = f"{size_of(state) / 1e6:,.1f} MB"
    except StateError as error:
        what, _, remedy = error.reason.partition("; ")
        return failed("state", f"{state}: {what}", remedy or _REMEDY[isinstance(state, Path)])
    if not is_whole:
        said = f"{state}: {size}, too large to check within {_PATIENCE.seconds} s"
        return warning("state", said, "`digest backup PATH` checks all of it")
    if restored and restored.noticed_at is None:
        said = f"{state}: {size}, no errors; restored from an older copy, the next run continues from it"
        return ok("state", said)
    return ok("state", f"{state}: {size}, no errors")

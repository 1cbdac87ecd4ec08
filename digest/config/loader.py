"""Loads settings: from the environment, then digest.toml, then defaults of this machine."""

import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, InitSettingsSource

from digest.config.database_url import is_address, is_database, masked
from digest.config.local_timezone import machine_zone
from digest.config.operator_settings import Log
from digest.config.os_errors import is_file
from digest.config.parsing import nearest, parse_toml, read_text, shown, unknown_key, unreadable
from digest.config.secret_file import read_secret
from digest.config.section import WrongKey
from digest.config.settings import (
    ARXIV_INTERVAL,
    DATABASE,
    Arxiv,
    Defaults,
    Delivery,
    Settings,
)
from digest.config.smtp_settings import Smtp
from digest.errors import ConfigurationError

__all__ = [
    "ARXIV_INTERVAL",
    "Arxiv",
    "Defaults",
    "Delivery",
    "Settings",
    "Smtp",
    "find_config",
    "load_settings",
]

_log = logging.getLogger(__name__)

SYSTEM_CONFIG = Path("/etc/arxiv-digest/digest.toml")
SERVICE_STATE = Path("/var/lib/arxiv-digest/digest.db")
"""The state of the service, as the units in systemd/ set it."""

_PREFIX = "DIGEST_"
CHANNELS = "channel"
"""The tables of channels, whose keys are no keys of the settings: there may be many of each."""

_OF_CHANNEL = re.compile(r"DIGEST_CHANNEL_\w+_(?:URL|SECRET)")
_SECRETS = (
    CHANNELS,
    "smtp.password",
    "state_password",
    "admin.client_secret",
    "operator.ping_url",
    "web.metrics_token",
)


def _known_keys() -> tuple[tuple[str, ...], ...]:
    keys: list[tuple[str, ...]] = []
    for name, field in Settings.model_fields.items():
        if name == CHANNELS:
            continue
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys += [(name, key) for key in section.model_fields]
        else:
            keys.append((name,))
    return tuple(keys)


KEYS = _known_keys()
"""Every key, as a path: `("state",)`, `("smtp", "host")`. `CHANNELS` is apart."""

_PATHS = (
    ("subscribers",),
    ("state",),
    ("state_password_file",),
    ("smtp", "password_file"),
    ("delivery", "maildir"),
    ("mail", "templates"),
    ("admin", "client_secret_file"),
)
_NO_PATH = ("subscribers", DATABASE)
_PASSWORDS = {
    "smtp-password": (("smtp", "password"), ("smtp", "password_file")),
    "state-password": (("state_password",), ("state_password_file",)),
    "admin-secret": (("admin", "client_secret"), ("admin", "client_secret_file")),
}
"""The credentials of systemd that hold a password, and the keys that do."""

_SECTIONS = {key[0] for key in KEYS if len(key) == 2}


def find_config(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The digest.toml in use: `config`, `DIGEST_CONFIG`, `./digest.toml`, `SYSTEM_CONFIG`, or none.

    Raises `ConfigurationError` if the named file does not exist.
    """
    variable = environ.get("DIGEST_CONFIG")
    named = config or (Path(variable).expanduser() if variable else None)
    if named is None:
        return next((path for path in (Path("digest.toml"), SYSTEM_CONFIG) if _is_file(path)), None)
    if not _is_file(named):
        by = "--config" if config else "DIGEST_CONFIG"
        found = "is a folder, not a file" if named.is_dir() else "no such file"
        raise ConfigurationError(f"{named}: {found}, named by {by}; correct the path, or leave out {by}")
    return named


def _is_file(path: Path) -> bool:
    try:
        return is_file(path)
    except OSError as error:
        raise unreadable(path, error) from error


def load_settings(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """The effective settings. `config` is the digest.toml from the command line, if given.

    Raises `ConfigurationError` with every problem of file and environment at once.
    """
    file = find_config(config, environ)
    written = _with_absolute_paths(parse_toml(read_text(file), file), file.parent) if file else {}
    variables = _variables(environ)
    sources = _Sources(file=file, written=written, variables=variables)
    machine = _machine(
        environ,
        file,
        state=sources.value(("state",)),
        passwords=frozenset(name for name, keys in _PASSWORDS.items() if sources.choose_password(keys)),
        has_zone=sources.value(("defaults", "timezone")) is not None,
    )
    layers = (
        _Environment(variables),
        InitSettingsSource(Settings, written),
        InitSettingsSource(Settings, machine),
    )
    try:
        return Settings(_build_sources=(layers, {}))  # type: ignore[call-arg]  # hidden from mypy
    except ValidationError as error:
        raise ConfigurationError(*_problems(error, sources)) from error


def channel_tables(file: Path | None) -> Settings:
    """Settings that have only the tables of channels and defaults, for a digest.toml that is not valid."""
    try:
        written = _with_absolute_paths(parse_toml(read_text(file), file), file.parent) if file else {}
    except ConfigurationError:  # `load_settings` reports it
        written = {}
    tables = written.get(CHANNELS)
    found = tuple(one for one in tables if isinstance(one, dict)) if isinstance(tables, list) else ()
    return Settings.model_construct(channel=found, defaults=Defaults())


def log_settings(config: Path | None, environ: Mapping[str, str]) -> Log:
    """`[log]` alone, before the other settings are checked. What is wrong there counts as not set."""
    try:
        file = find_config(config, environ)
        table = parse_toml(read_text(file), file).get("log") if file else None
    except ConfigurationError:  # `load_settings` reports it
        table = None
    given = dict(table) if isinstance(table, dict) else {}
    for key in Log.model_fields:
        if value := environ.get(_variable(("log", key))):
            given[key] = value
    known = {key: value for key, value in given.items() if key in Log.model_fields}
    try:
        return Log.model_validate(known)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors()}
        return Log.model_validate({key: value for key, value in known.items() if key not in wrong})


class _Environment(EnvSettingsSource):
    """pydantic-settings' reading of variables, from the given ones instead of the process's environment."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in variables.items()}


class _Sources:
    """Where each value comes from, so that a problem can name its place."""

    def __init__(self, *, file: Path | None, written: dict[str, Any], variables: Mapping[str, str]) -> None:
        self.file, self._written, self._variables = file, written, variables

    def choose_password(self, keys: Sequence[tuple[str, ...]]) -> bool:
        """Whether a password is given. One from the environment, in either form, replaces the file's."""
        if not any(_variable(key) in self._variables for key in keys):
            return any(self._in_file(key) is not None for key in keys)
        for *section, key in keys:
            table = self._in_file(tuple(section)) if section else self._written
            if isinstance(table, dict):
                table.pop(key, None)
        return True

    def place(self, key: tuple[str, ...]) -> str:
        """What to correct: the variable, the file, or if neither has the key, the credential."""
        if _variable(key) in self._variables:
            return _variable(key)
        credential = next((name for name, (first, _) in _PASSWORDS.items() if first == key), None)
        if self._in_file(key) is None and credential:
            return f"the credential {credential}"
        return str(self.file or "settings")

    def value(self, key: tuple[str, ...]) -> object:
        """The value as written."""
        return self._variables.get(_variable(key), self._in_file(key))

    def _in_file(self, key: tuple[str, ...]) -> object:
        found: Any = self._written
        for part in key:
            found = found.get(part) if isinstance(found, dict) else None
        return found


def _variable(key: Iterable[str]) -> str:
    return _PREFIX + "__".join(key).upper()


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of digest. An empty one counts as not set; an unknown one gets a warning."""
    ours: dict[str, str] = {}
    known = [_variable(key) for key in KEYS]
    for name, value in environ.items():
        if not name.startswith(_PREFIX) or name == "DIGEST_CONFIG" or not value:
            continue
        if _OF_CHANNEL.fullmatch(name):  # `digest.channels.channel` reads them
            continue
        section, separator, _ = name.removeprefix(_PREFIX).partition("__")
        if name in known or (separator and section.lower() in _SECTIONS):
            ours[name] = value
        else:
            near = nearest(name.removeprefix(_PREFIX), [one.removeprefix(_PREFIX) for one in known])
            hint = f"did you mean {_PREFIX}{near}?" if near else None
            _log.warning("unknown environment variable ignored name=%s hint=%s", name, hint)
    return ours


def _with_absolute_paths(written: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Relative paths in the file are relative to the folder of the file."""
    for *sections, key in _PATHS:
        table: Any = written
        for section in sections:
            table = table.get(section)
        value = table.get(key) if isinstance(table, dict) else None
        if isinstance(value, str) and not is_address(value) and (key, value) != _NO_PATH:
            table[key] = str(folder / Path(table[key]).expanduser())
    channels = written.get(CHANNELS)
    for table in channels if isinstance(channels, list) else ():
        for key in ("url_file", "secret_file", "folder") if isinstance(table, dict) else ():
            if isinstance(table.get(key), str) and table[key]:
                table[key] = str(folder / Path(table[key]).expanduser())
    return written


def _machine(
    environ: Mapping[str, str], file: Path | None, *, state: object, passwords: Set[str], has_zone: bool
) -> dict[str, Any]:
    """Defaults from the machine: folders, time zone, systemd's credentials. `passwords` are given already."""
    found: dict[str, Any] = {
        "subscribers": (file.parent if file else Path()) / "subscribers.toml",
        "defaults": {"timezone": _zone_here(environ, is_needed=not has_zone)},
    }
    if folder := state_folder(environ):
        found["state"] = folder / "digest.db"
        if is_database(state):
            found["delivery"] = {"maildir": folder / "Maildir"}
    if "smtp-password" not in passwords and (password := _credential("smtp-password", environ)):
        found["smtp"] = {"password": password}
    if "state-password" not in passwords and (password := _credential("state-password", environ)):
        found["state_password"] = password
    if "admin-secret" not in passwords and (password := _credential("admin-secret", environ)):
        found["admin"] = {"client_secret": password}
    return found


def _credential(name: str, environ: Mapping[str, str]) -> str:
    """Returns the password that systemd hands over; empty if it does not."""
    credential = Path(environ.get("CREDENTIALS_DIRECTORY") or os.devnull) / name
    if not _is_file(credential):
        return ""
    try:
        return read_secret(credential)
    except ValueError as error:
        raise ConfigurationError(f"the credential {name}: {error}") from error


def state_folder(environ: Mapping[str, str]) -> Path | None:
    """The default folder for the state of this user.

    `None` for a user without a home, as in some containers: then the state must be set.
    """
    if folders := environ.get("STATE_DIRECTORY"):
        return Path(folders.split(":")[0])
    try:
        return platformdirs.user_state_path("arxiv-digest")
    except RuntimeError:
        return None


def is_of_the_service(config: Path | None, environ: Mapping[str, str]) -> bool:
    """Whether the digest.toml in use is that of the service. Raises `ConfigurationError`."""
    file = find_config(config, environ)
    return file is not None and file.absolute() == SYSTEM_CONFIG


def of_the_service(config: Path | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """`environ`; for a user who has no own state, with the variables that systemd gives the service.

    Applies if digest.toml of the service is in use. Raises `ConfigurationError`.
    """
    if not is_of_the_service(config, environ):
        return environ
    handed: dict[str, str] = {}
    own = state_folder(environ)
    if not (own and os.path.lexists(own / SERVICE_STATE.name)) and os.path.lexists(SERVICE_STATE):
        handed["STATE_DIRECTORY"] = str(SERVICE_STATE.parent)
    if any(os.access(SYSTEM_CONFIG.parent / name, os.R_OK) for name in _PASSWORDS):
        handed["CREDENTIALS_DIRECTORY"] = str(SYSTEM_CONFIG.parent)
    return {**handed, **environ}


def _zone_here(environ: Mapping[str, str], *, is_needed: bool) -> str:
    if not is_needed:
        return "UTC"
    zone = machine_zone(environ)
    if zone is None:
        said = f"TZ={environ['TZ']}" if environ.get("TZ") else "/etc/localtime"
        remedy = 'set defaults.timezone, for example "Europe/Berlin"'
        _log.warning("time zone of this machine unknown, UTC is used source=%s remedy=%s", said, remedy)
    return zone or "UTC"


def system_zone(environ: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> str:
    """The name of the machine's time zone, or UTC."""
    return machine_zone(environ, localtime) or "UTC"


def _problems(error: ValidationError, sources: _Sources) -> list[str]:
    details = error.errors(include_url=False)
    # Such an entry only says that a default depends on another key, which has its own entry.
    return [_problem(one, sources) for one in details if one["type"] != "default_factory_not_called"]


def _problem(detail: ErrorDetails, sources: _Sources) -> str:
    key = tuple(str(part) for part in detail["loc"])[:2]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, WrongKey):
        key = tuple(cause.key.split("."))
        return f"{sources.place(key)}: {cause.key}: {cause}"
    name = ".".join(key)
    if detail["type"] == "missing":
        return f"{name}: this user has no home folder; set {_variable(key)}, or HOME"
    if detail["type"] == "extra_forbidden":
        return f"{sources.place(key)}: {name}: {_unknown(key)}"
    value = "" if name in _SECRETS else f" = {_shown(key, sources.value(key))}"
    # Only our own rules raise exceptions; `_allowed` replaces the texts of pydantic.
    reason = cause if isinstance(cause, ValueError) else f"must be {_allowed(key)}"
    return f"{sources.place(key)}: {name}{value}: {reason}"


def _shown(key: tuple[str, ...], value: object) -> str:
    """The value as written, without the password of a database."""
    text = masked(value) if isinstance(value, str) and is_address(value) else value
    return shown(text, is_cut=key not in _PATHS)


def _unknown(key: tuple[str, ...]) -> str:
    known = [".".join(one) for one in KEYS]
    siblings = [one[-1] for one in KEYS if len(one) == len(key) and one[:-1] == key[:-1]]
    elsewhere = [name for name in known if name.rpartition(".")[2] == key[-1]]
    if elsewhere and not nearest(key[-1], siblings):
        return f"unknown key; did you mean {elsewhere[0]}?"
    return unknown_key(key[-1], siblings if len(key) > 1 else [*siblings, CHANNELS, *sorted(_SECTIONS)])


def _allowed(key: tuple[str, ...]) -> str:
    field = Settings.model_fields[key[0]]
    if len(key) == 2 and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        field = field.annotation.model_fields[key[1]]
    return field.description or "another value"

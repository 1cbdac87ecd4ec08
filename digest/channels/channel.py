"""A channel, and how it is read from a table `[[channel]]` of digest.toml."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from digest.channels.chat.message import DIALECTS, service_in
from digest.channels.chat.service import MISSING, is_installed
from digest.config.parsing import channel_address, shown, unknown_key
from digest.config.secret_file import read_secret
from digest.config.settings import Settings
from digest.errors import ConfigurationError
from digest.model.paper import one_line
from digest.subscribers.entry_parser import KEYS as KEYS_OF_SUBSCRIBERS
from digest.subscribers.entry_parser import parse_subscriber
from digest.subscribers.subscriber import Subscriber

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_SECRET_ITSELF = re.compile(r"[a-z]:/|whsec_[a-z0-9+/]{20}", re.IGNORECASE)
"""Recognises an address or a secret where a path is expected: it must not be quoted."""

_STAND_IN = "channel@example.org"
_LONGEST_TITLE = 100
"""Short enough for every message, and for the head of a file, by which a second attempt finds the first."""

_ENTRY_KEYS = tuple(key for key in KEYS_OF_SUBSCRIBERS if key not in {"email", "name", "discover"})
"""The keys that a channel has in common with a subscriber."""


class Kind(StrEnum):
    """What takes the digests of a channel."""

    WEBHOOK = "webhook"
    CHAT = "chat"
    FOLDER = "folder"


_OF_KIND = {
    Kind.WEBHOOK: ("url", "url_file", "secret", "secret_file", "allow_private"),
    Kind.CHAT: ("url", "url_file"),
    Kind.FOLDER: ("folder",),
}
KEYS = (
    "name",
    "kind",
    "title",
    *dict.fromkeys(key for keys in _OF_KIND.values() for key in keys),
    *_ENTRY_KEYS,
)
"""The keys of a table `[[channel]]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel. `follower` follows its keywords as a subscriber does, under its reserved name.

    `url` and `secret` must never be shown: with them, anybody can write to the group.
    """

    name: str
    kind: Kind
    title: str
    follower: Subscriber
    url: SecretStr | None = None
    secret: SecretStr | None = None
    folder: Path | None = None
    allow_private: bool = False
    url_file: Path | None = field(default=None, compare=False)
    secret_file: Path | None = field(default=None, compare=False)

    @property
    def target(self) -> str:
        """A hash of where its digests go. A channel that is gone rests until this changes."""
        place = self.url.get_secret_value() if self.url else str(self.folder)
        return blake2b(place.encode(), digest_size=16, key=self.name.encode()).hexdigest()


def load_channels(settings: Settings, environ: Mapping[str, str], file: Path | None) -> tuple[Channel, ...]:
    """The channels of digest.toml. Addresses may come from the environment or from credentials of systemd.

    Raises `ConfigurationError` with every problem of all of them, which quotes no secret.
    """
    found: dict[str, Channel] = {}
    problems: list[str] = []
    for number, raw in enumerate(settings.channel, start=1):
        name = raw.get("name")
        is_named = isinstance(name, str) and _NAME.fullmatch(name) is not None
        place = f"{file or 'settings'}: channel {name if is_named else number}"
        try:
            channel = _channel(raw, settings, environ)
        except ConfigurationError as error:
            problems += [f"{place}: {one}" for one in error.problems]
            continue
        if channel.name in found:
            problems.append(f"{place}: name: another channel has the same")
        found[channel.name] = channel
    if not problems:
        problems += _unused(environ, found)
    if problems:
        raise ConfigurationError(*problems)
    return tuple(found.values())


def _channel(raw: Mapping[str, Any], settings: Settings, environ: Mapping[str, str]) -> Channel:
    wrong = [f"{key}: {unknown_key(key, KEYS)}" for key in raw if key not in KEYS]
    name, kind = _name(raw, wrong), _kind(raw, wrong)
    follower = _follower(raw, name or "unnamed", settings, wrong)
    if kind is None or name is None:
        raise ConfigurationError(*wrong)
    wrong += [f"{key}: not for a {kind}" for key in _misplaced(raw, kind)]
    title = raw.get("title", name)
    if not isinstance(title, str) or not 0 < len(one_line(title)) <= _LONGEST_TITLE:
        wrong.append(f"title: must be text in one line, of at most {_LONGEST_TITLE} characters")
    allow_private = raw.get("allow_private", False)
    if not isinstance(allow_private, bool):
        wrong.append("allow_private: must be true or false")
    url = secret = folder = None
    if kind is Kind.FOLDER:
        folder = _folder(raw, wrong)
    else:
        url = _secret("url", name, raw, environ, wrong)
        secret = _secret("secret", name, raw, environ, wrong) if kind is Kind.WEBHOOK else None
        wrong += _problems_of_url(kind, url, allow_private=bool(allow_private))
    if kind is Kind.WEBHOOK:
        wrong += _problems_of_secret(secret)
    if wrong or follower is None:
        raise ConfigurationError(*wrong)
    return Channel(
        name=name,
        kind=kind,
        title=one_line(title),
        follower=follower,
        url=url,
        secret=secret,
        folder=folder,
        allow_private=allow_private,
        url_file=Path(raw["url_file"]) if "url_file" in raw else None,
        secret_file=Path(raw["secret_file"]) if "secret_file" in raw else None,
    )


def _name(raw: Mapping[str, Any], wrong: list[str]) -> str | None:
    name = raw.get("name")
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    said = f" = {shown(name)}" if name is not None else ""
    wrong.append(f'name{said}: must be small letters, digits and hyphens, at most 40, for example "lab"')
    return None


def _kind(raw: Mapping[str, Any], wrong: list[str]) -> Kind | None:
    try:
        return Kind(str(raw.get("kind")))
    except ValueError:
        wrong.append('kind: must be "webhook", "chat" or "folder"')
        return None


def _misplaced(raw: Mapping[str, Any], kind: Kind) -> Iterator[str]:
    for keys in _OF_KIND.values():
        yield from (key for key in keys if key in raw and key not in _OF_KIND[kind])


def _follower(raw: Mapping[str, Any], name: str, settings: Settings, wrong: list[str]) -> Subscriber | None:
    """The subscriber that the same entry would make, under the reserved name."""
    entry = {key: raw[key] for key in _ENTRY_KEYS if key in raw}
    defaults = settings.defaults.model_copy(update={"discover": 0})
    try:
        subscriber = parse_subscriber({"email": _STAND_IN, **entry}, "", defaults)
    except ConfigurationError as error:
        wrong += [problem.removeprefix(": ") for problem in error.problems]
        return None
    return replace(subscriber, email=channel_address(name))


def _folder(raw: Mapping[str, Any], wrong: list[str]) -> Path | None:
    folder = raw.get("folder")
    if isinstance(folder, str) and folder and folder.isprintable():
        return Path(folder)
    wrong.append("folder: must be the path of a folder")
    return None


def _secret(
    key: str, name: str, raw: Mapping[str, Any], environ: Mapping[str, str], wrong: list[str]
) -> SecretStr | None:
    """The value from the environment, else from a file or digest.toml, else from a credential of systemd."""
    variable, file = variable_of(name, key), f"{key}_file"
    if environ.get(variable):
        return SecretStr(environ[variable])
    if key in raw and file in raw:
        wrong.append(f"{file}: {key} is also set; use only one of the two")
        return None
    value = raw.get(key)
    if isinstance(value, SecretStr):
        return value
    if key in raw:
        wrong.append(f"{key}: must be text in quotes")
        return None
    credential = Path(environ.get("CREDENTIALS_DIRECTORY") or os.devnull) / f"channel-{name}-{key}"
    if _SECRET_ITSELF.search(str(raw.get(file))):
        wrong.append(f"{file}: must be the path of a file, and not the {key} itself")
        return None
    path = Path(str(raw[file])) if file in raw else credential if credential.is_file() else None
    if path is None:
        return None
    try:
        found = read_secret(path).strip()
    except ValueError as error:
        wrong.append(f"{file}: {str(error).replace('password', key)}")
        return None
    if not found:
        wrong.append(f"{file}: {path} is empty")
    return SecretStr(found) if found else None


def variable_of(name: str, key: str) -> str:
    """The environment variable for the `url` or `secret` of a channel."""
    return f"DIGEST_CHANNEL_{name.replace('-', '_')}_{key}".upper()


def _problems_of_url(kind: Kind, url: SecretStr | None, *, allow_private: bool) -> Iterator[str]:
    if url is None:
        yield "url: missing; set url_file, or url"
        return
    text = url.get_secret_value()
    if re.search(r"[\x00-\x20\x7f]", text) or not text.isascii():
        yield "url: has blanks, control characters or letters that are not ASCII"
    elif kind is Kind.WEBHOOK:
        yield from _problems_of_webhook(text, allow_private=allow_private)
    elif service_in(text) is None:
        known = ", ".join(f"{scheme}://" for scheme in DIALECTS)
        yield f"url: must be an address of apprise that begins with one of {known} (digest docs channels)"
    elif not is_installed():
        yield f"kind: {MISSING}"


def _problems_of_webhook(text: str, *, allow_private: bool) -> Iterator[str]:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in {"https", "http"} or not host:
        yield "url: must be an https address"
    elif parts.scheme == "http" and not allow_private:
        yield "url: must be an https address; http is only for a private network, with allow_private = true"
    elif parts.username or parts.password:
        yield "url: must have no user and password before the host"
    elif parts.fragment:
        yield "url: must have no # part"


def _problems_of_secret(secret: SecretStr | None) -> Iterator[str]:
    from digest.channels.signature import key_of

    if secret is None:
        yield "secret: missing; `digest channels secret` makes one: set secret_file, or secret"
        return
    try:
        key_of(secret.get_secret_value())
    except ValueError as error:
        yield f"secret: {error}"


def _unused(environ: Mapping[str, str], channels: Mapping[str, Channel]) -> Iterator[str]:
    """A variable for a channel that does not exist is most likely a misspelt one."""
    known = {variable_of(name, key) for name in channels for key in ("url", "secret")}
    for name in environ:
        if re.fullmatch(r"DIGEST_CHANNEL_\w+_(?:URL|SECRET)", name) and name not in known:
            yield f"{name}: no channel of digest.toml has this name"

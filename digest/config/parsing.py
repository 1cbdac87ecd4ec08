"""How people write addresses, times, zones, weekdays and lengths, in both files and on the command line.

Every `parse_…` raises `ValueError` whose text says what is allowed.
"""

import json
import re
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from datetime import time
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo, available_timezones

from digest.config.os_errors import explain, is_passing
from digest.errors import ConfigurationError
from digest.model.digest import Length

MOST_DISCOVERED = 10
"""More papers that match no keyword are no addition to a digest any more."""

CHANNEL = "channel:"
"""How the name begins that stands for a channel where subscribers have their address: without an @."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9]|-(?!-)){0,61}(?<!-)"
# Nearly every address is of this plain form, which needs no closer look (RFC 5321, 4.1.2).
_PLAIN_ADDRESS = re.compile(
    rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@)[\w!#$%&'*+/=?^`{{|}}~-]+(?:\.[\w!#$%&'*+/=?^`{{|}}~-]+)*"
    rf"@(?:{_LABEL}\.)+(?!arpa|invalid|onion)[a-z]{{2,63}}",
    re.ASCII | re.IGNORECASE,
)
_PRIVATE = (".local", ".localdomain", ".lan", ".internal", ".home.arpa", ".localhost")
_ABBREVIATED = re.compile(r"[A-Z]{2,5}|(?:UTC|GMT)? ?[+-]\d{1,2}(?::?\d\d)?", re.ASCII)
_HOST_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_FULL_NAME = re.compile(
    rf"(?=.{{1,253}}\Z)(?:{_HOST_LABEL}\.)+(?!\d+\Z){_HOST_LABEL}", re.IGNORECASE | re.ASCII
)
_PLACE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?(?:\[(?P<address>[^\]\s]+)\]|(?P<name>[\w.-]+))"
    r"(?::(?!/)(?P<port>\d*))?(?:[/?#].*)?",
    re.IGNORECASE,
)
_TABLE_TWICE = re.compile(r"Cannot declare \((?P<key>.*)\) twice", re.S)
_QUOTED = re.compile(r"'([^']*)'")
_SYNTAX_PLACE = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.S
)


def parse_time(value: object) -> time:
    """A time of day: `"07:30"`, or TOML's own local time."""
    if isinstance(value, time) and not (value.second or value.microsecond):
        return value
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError("must be HH:MM, for example 07:30")
    return time(int(found[1]), int(found[2]))


def parse_zone(value: object) -> ZoneInfo:
    """A time zone by its name in the IANA database."""
    try:
        return ZoneInfo(str(value))
    except (OSError, KeyError, ValueError) as error:  # a folder of the database, unknown, or an absolute path
        known = {zone.casefold(): zone for zone in available_timezones()}
        near = nearest(str(value).casefold(), known)
        hint = f"; did you mean {known[near]}?" if near else ""
        if _ABBREVIATED.fullmatch(str(value).strip()):
            hint = "; an abbreviation or an offset from UTC has no summer time: use a city of that zone"
        raise ValueError(
            f'must be the name of a time zone, for example "Europe/Berlin" or "UTC"{hint}'
        ) from error


def parse_length(value: object) -> Length:
    """How much of a digest a mail shows. Raises `ValueError` for other values than the three words."""
    word = value.casefold() if isinstance(value, str) else ""
    for length in get_args(Length):
        if word == length:
            return cast("Length", length)
    raise ValueError(
        'must be "short" (about 600 words), "normal" (about 1,500) or "full" (everything that fits)'
    )


def parse_discover(value: object) -> int:
    """How many papers that match no keyword a digest may have. Raises `ValueError`."""
    if isinstance(value, str) and value.isascii() and value.isdigit():  # from the environment
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_DISCOVERED:
        raise ValueError(f"must be a number of papers from 0 to {MOST_DISCOVERED}")
    return value


def parse_weekday(value: object) -> int | None:
    """The day of a weekly digest, 0 for Monday; `None` for `"never"`, which is every day."""
    word = value.casefold() if isinstance(value, str) else ""
    if word == "never":
        return None
    for names in (WEEKDAYS, _WEEKDAY_NAMES):
        if word in names:
            return names.index(word)
    raise ValueError(f'must be one of {", ".join(WEEKDAYS)}, or "never" for every day')


def parse_address(value: object) -> str:
    """A mail address, as written. It is not looked up in DNS; local addresses are valid too."""
    if isinstance(value, str) and _PLAIN_ADDRESS.fullmatch(value):
        return value
    return _examine(value)[0]


def is_private_domain(domain: str) -> bool:
    """Whether it names something of one machine or one network only (RFC 6761, RFC 6762)."""
    return "." not in domain or domain.lower().endswith(_PRIVATE)


def channel_address(name: str) -> str:
    """What stands for the mail address of the channel with this name. No mail address is like it."""
    return f"{CHANNEL}{name}"


def is_channel(address: str) -> bool:
    """Whether it stands for a channel (`channel_address`)."""
    return address.startswith(CHANNEL)


def address_key(address: str) -> str:
    """The same text for all ways to write one mailbox; `address` has passed `parse_address`.

    That of a channel is its own key.
    """
    if _PLAIN_ADDRESS.fullmatch(address):
        return address if address.islower() else address.lower()
    return address if is_channel(address) else _examine(address)[1]


def _examine(value: object) -> tuple[str, str]:
    from email_validator import EmailNotValidError, validate_email

    text = value if isinstance(value, str) else ""
    # The library refuses names of local networks; under a public name it checks only the syntax.
    is_local = text.lower().rpartition("@")[2].rpartition(".")[2] in {"localhost", "local"}
    suffix = ".example.org" if is_local else ""
    try:
        found = validate_email(text + suffix, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise ValueError(f"must be a mail address, for example reader@example.org. {error}") from error
    domain = (found.ascii_domain or found.domain).removesuffix(suffix)
    return text, f"{found.local_part.casefold()}@{domain.lower()}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` was most likely meant to be."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def counted(number: int, noun: str) -> str:
    """`1 paper`, `1,000 papers`, `2 addresses`."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message about a key that does not exist."""
    choices = list(known)
    near = nearest(key, choices)
    meant = f"did you mean {near}?" if near else ""
    return f"unknown key; {meant or 'known keys are ' + ', '.join(choices)}"


def shown(value: object, *, is_cut: bool = True) -> str:
    """A value as in the file, cut if it is long; a path is not cut."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 or not is_cut else f"{text[:77]}…"


def read_text(path: Path) -> str:
    """The text of a configuration file. Raises `ConfigurationError`, or `FileNotFoundError`."""
    try:
        if path.is_fifo():  # to open it would wait for somebody who writes
            raise ConfigurationError(
                f"{path}: is a pipe, and is read more than once: give the path of a file"
            )
        return decoded(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error


def decoded(content: bytes, label: str) -> str:
    """The text of a file. Raises `ConfigurationError`, which calls it `label`."""
    try:
        return content.decode("utf-8-sig")  # some Windows editors write a byte order mark
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{label}, line {line}: not UTF-8 text; save it as UTF-8") from error


def unreadable(path: Path, error: OSError) -> ConfigurationError:
    """The error for a configuration file `path` that cannot be read."""
    return ConfigurationError(f"{path}: cannot be read: {explain(error, path)}", is_passing=is_passing(error))


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The tables of a configuration file. Raises `ConfigurationError` with line and column."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigurationError(
            f"{path}: arrays or tables are nested too deeply; no key needs more than two levels"
        ) from error
    except tomllib.TOMLDecodeError as error:
        found = _SYNTAX_PLACE.fullmatch(str(error))
        what = found["what"] if found else str(error)
        if found and found["line"]:
            place = f"line {found['line']}, column {found['column']}"
        else:
            place = f"line {text.count(chr(10)) + 1} (the end)"
        if what == "Invalid value":
            what = 'Invalid value: text must be in quotes, for example at = "07:30"'
        elif what == "Cannot overwrite a value":
            what = "this key is set twice"
        elif twice := _TABLE_TWICE.fullmatch(what):
            what = f"the table [{'.'.join(_QUOTED.findall(twice['key']))}] is there twice"
        raise ConfigurationError(
            f"{path}, {place}: {what}; the file must be TOML, see https://toml.io"
        ) from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise ConfigurationError(f"{path}: a number has too many digits; no key needs more than 9") from error


def is_full_name(name: str) -> bool:
    """Whether it is a host name with a domain, in ASCII: many mail servers refuse any other in EHLO."""
    return _FULL_NAME.fullmatch(name) is not None


def parse_host(value: str) -> str:
    """The name or address of a server, without port or scheme. The error says what to write instead."""
    with suppress(ValueError):
        ip_address(value)
        return value
    found = _PLACE.fullmatch(value.strip())
    if found is None:
        raise ValueError('must be the name or address of a server, for example "mail.example.org"')
    name, port = found["address"] or found["name"], found["port"]
    if name != value:
        also = f" and port = {port}" if port else ""
        raise ValueError(f'must be only the name or address: write host = "{name}"{also}')
    return value


def is_loopback(host: str | None) -> bool:
    """Whether `host`, a name or an address, is this machine."""
    if host is None or host.lower() == "localhost":
        return host is not None
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

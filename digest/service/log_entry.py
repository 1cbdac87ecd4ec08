"""What a log record says: an event, and fields with values.

Our own calls are written as `_log.warning("event in words key=%s other=%d", value, number)`. The template is
the event and the keys; tests/unit/test_log_calls.py checks each call. A library's record is an event alone.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from traceback import format_exception
from typing import NamedTuple

RESERVED = ("time", "level", "logger", "event", "to", "error", "traceback", "left_out")
"""Keys that mean the same in each record; no call uses them for a value of its own."""

_LONGEST = 8_000
"""Characters of a value. A record stays shorter than 48 kB, where journald would split it."""

_FIELD = re.compile(r" ([a-z][a-z_]*)=(%(?:s|d|\.\df))")

_PART = r"""[^\s<>()\[\]",:;@/\\?&]"""
_ADDRESS = re.compile(
    rf"""(?<!//)(?<!{_PART})(?:"[^"\n]{{1,64}}"|{_PART}+)(?:@|%40)(?:\[[^\]\s]+\]|{_PART}*[^\s<>()\[\]",:;@/\\?&.'])"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """An event and its fields. The value of a field is text, a number or a truth value."""

    event: str
    fields: Mapping[str, object]


@lru_cache(maxsize=1_000)
def parse_template(template: str) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """Returns the event and the keys with their placeholders; `None` if it is not of our form."""
    first = _FIELD.search(template)
    event, rest = (template[: first.start()], template[first.start() :]) if first else (template, "")
    if not event or "%" in event or "=" in event or "\n" in event or _FIELD.sub("", rest):
        return None
    return event, tuple((key, placeholder) for key, placeholder in _FIELD.findall(rest))


def entry_of(record: logging.LogRecord, *, addresses: bool) -> LogEntry:
    """Returns what a record says. Without `addresses`, no mail address is left in it."""
    call = _call_of(record)
    event, fields = (call.event, dict(call.fields)) if call else (record.getMessage(), {})
    own = getattr(record, "address", None)
    if own and addresses:
        fields["to"] = own
    if record.exc_info and record.exc_info[1]:
        error = record.exc_info[1]
        fields["error"] = "".join(_cut(f"{type(error).__name__}: {error}"))
        fields["traceback"] = "".join(format_exception(error)).rstrip()[-3 * _LONGEST :]
    if left_out := getattr(record, "left_out", 0):
        fields["left_out"] = left_out
    if not addresses:
        fixed = call.fixed if call else frozenset()
        event = event if call else without_addresses(event, own)
        fields = {
            key: without_addresses(value, own) if isinstance(value, str) and key not in fixed else value
            for key, value in fields.items()
        }
    return LogEntry(event=_cut(event), fields={k: v for k, v in fields.items() if v is not None})


class _Call(NamedTuple):
    """One of our own calls. `fixed` are the keys whose values come from a fixed list, or are times."""

    event: str
    fields: Mapping[str, object]
    fixed: frozenset[str]


def _call_of(record: logging.LogRecord) -> _Call | None:
    parsed = parse_template(str(record.msg)) if record.args else None
    values = record.args if isinstance(record.args, tuple) else (record.args,)
    if not parsed or len(parsed[1]) != len(values):
        return None
    given = tuple(zip(parsed[1], values, strict=True))
    return _Call(
        event=parsed[0],
        fields={
            key: _plain(value if placeholder in {"%s", "%d"} else float(placeholder % value))
            for (key, placeholder), value in given
        },
        fixed=frozenset(key for (key, _), value in given if isinstance(value, Enum | datetime)),
    )


def without_addresses(text: str, own: str | None = None) -> str:
    """Returns the text without mail addresses. `own` is that of the recipient, which replies often quote."""
    if own:
        text = re.sub(re.escape(own), "the recipient", text, flags=re.IGNORECASE)
        local = own.rpartition("@")[0]
        if len(local) > 2:
            text = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "the recipient", text, flags=re.IGNORECASE)
    return _ADDRESS.sub("[address]", text)


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case Enum():
            return _cut(str(value.value))
        case _:
            return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

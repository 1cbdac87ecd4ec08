"""The log, on standard error: one record in one of three formats. docs/monitoring.md has the keys.

The log begins as text, before the settings are read. What runs unattended then writes it as `[log]` says.
"""

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TextIO

from digest.service.log_entry import LogEntry, entry_of
from digest.service.log_limit import LogLimit

if TYPE_CHECKING:
    from types import TracebackType

    from digest.config.operator_settings import Format, Log

_STDERR = 2

_log = logging.getLogger(__name__)
_OURS = logging.getLogger("digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStyle:
    """How records are written. The journal adds the time, and takes the level from a prefix."""

    format: "Format" = "text"
    addresses: bool = False
    is_journal: bool = False


class LogFormatter(logging.Formatter):
    """Writes each record in the format of its style."""

    def __init__(self, style: LogStyle) -> None:
        super().__init__()
        self._log_style = style

    def format(self, record: logging.LogRecord) -> str:
        style, entry = self._log_style, entry_of(record, addresses=self._log_style.addresses)
        written_at = None if style.is_journal else datetime.fromtimestamp(record.created, UTC)
        if style.format == "text":
            lines = _text(record, entry, written_at)
        else:
            write = _json if style.format == "json" else _logfmt
            lines = [write(_pairs(record, entry, written_at))]
        prefix = f"<{_priority(record.levelno)}>" if style.is_journal else ""
        return "\n".join(prefix + line for line in lines)


def _text(record: logging.LogRecord, entry: LogEntry, written_at: datetime | None) -> list[str]:
    """Lines for people. Each after the first is indented, so that nothing in a value looks like a record."""
    time = f"{written_at:%Y-%m-%dT%H:%M:%SZ} " if written_at else ""
    pairs = [f"{key}={value}" for key, value in entry.fields.items() if key not in {"error", "traceback"}]
    said = [" ".join((entry.event, *pairs)), *filter(None, [str(entry.fields.get("traceback", ""))])]
    first, *others = "\n".join(said).splitlines()
    lines = [f"{time}{record.levelname} {record.name}: {first}", *(f"  {line}" for line in others)]
    return [_CONTROL.sub(_escaped, line) for line in lines]


def _pairs(record: logging.LogRecord, entry: LogEntry, written_at: datetime | None) -> dict[str, object]:
    time = {"time": f"{written_at.isoformat(timespec='milliseconds')[:-6]}Z"} if written_at else {}
    level = {"level": record.levelname.lower(), "logger": record.name, "event": entry.event}
    return {**time, **level, **entry.fields}


def _json(pairs: Mapping[str, object]) -> str:
    """One object of ASCII text, whatever the encoding of the output is."""
    return json.dumps({key: _without_surrogates(value) for key, value in pairs.items()})


def _logfmt(pairs: Mapping[str, object]) -> str:
    return " ".join(f"{key}={_logfmt_value(value)}" for key, value in pairs.items())


def _logfmt_value(value: object) -> str:
    """A word, or text in quotes with the escapes of JSON."""
    text = str(value).lower() if isinstance(value, bool) else str(_without_surrogates(value))
    return text if _WORD.fullmatch(text) else json.dumps(text)


_WORD = re.compile(r"[!#-<>-\[\]-~]+")
"""Printable ASCII without space, quote, equals sign and backslash."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _without_surrogates(value: object) -> object:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _priority(level: int) -> int:
    """The level as syslog(3) counts it, for the journal (sd-daemon(3))."""
    return next((priority for least, priority in ((40, 3), (30, 4), (20, 6)) if level >= least), 7)


class LogHandler(logging.Handler):
    """Writes to standard error, within the limits for one event."""

    def __init__(self, stream: TextIO, style: LogStyle, limit: LogLimit | None = None) -> None:
        super().__init__()
        self.style = style
        self.sets_level = False
        self._stream = stream
        self._limit = limit or LogLimit()

    @property
    def style(self) -> LogStyle:
        return self._log_style

    @style.setter
    def style(self, style: LogStyle) -> None:
        self._log_style = style
        self.setFormatter(LogFormatter(style))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            for one in self._limit.overdue():
                self._write(one)
            if _OURS.isEnabledFor(logging.DEBUG) or self._limit.filter(record):
                self._write(record)
        except Exception:
            self.handleError(record)

    def _write(self, record: logging.LogRecord) -> None:
        self._stream.write(f"{self.format(record)}\n")
        self._stream.flush()

    def close(self) -> None:
        """Writes what was left out, at the end of the process."""
        try:
            for one in self._limit.overdue(is_end=True):
                self._write(one)
        except (OSError, ValueError):  # the output is closed
            pass
        super().close()


def begin_log(level: int, environ: Mapping[str, str], style: LogStyle | None = None) -> None:
    """Begins the log as text, unless another style is given."""
    style = replace(style or LogStyle(), is_journal=is_in_journal(environ, _STDERR))
    logging.basicConfig(level=level, handlers=[LogHandler(sys.stderr, style)])
    _catch_others(style)


def current_style() -> LogStyle | None:
    """Returns how the log is written; `None` if this process has not begun it."""
    handler = _handler()
    return handler.style if handler else None


def is_all_log() -> bool:
    """Whether nothing but records may be written to standard error: a program, or the journal, takes them."""
    style = current_style()
    return style is not None and (style.format != "text" or style.is_journal)


def apply_log(settings: "Log", *, sets_level: bool | None = None) -> None:
    """Writes the log as the settings say.

    With `sets_level`, the level is that of the settings, else that of the command line. A later call without
    it, after a change of the settings, does as the call before.
    """
    handler = _handler()
    if handler is None:
        return
    if sets_level is not None:
        handler.sets_level = sets_level
    handler.style = replace(handler.style, format=settings.format, addresses=settings.addresses)
    _catch_others(handler.style)
    if handler.sets_level:
        wanted = logging.getLevelNamesMapping()[(settings.level or "info").upper()]
        logging.getLogger().setLevel(max(wanted, logging.WARNING))  # no details of libraries
        _OURS.setLevel(wanted)


def print_or_log(kind: Literal["error", "note"], text: str) -> None:
    """Writes `error: …` or `note: …` to standard error; a record, where there are only records."""
    if not is_all_log():
        sys.stderr.write(f"{kind}: {text}\n")
    elif kind == "error":
        _log.error("problem cause=%s", text)
    else:
        _log.warning("note cause=%s", text)


def end_log() -> None:
    """Ends the log of a process that ends without Python's usual steps."""
    logging.shutdown()


def _handler() -> LogHandler | None:
    return next((one for one in logging.getLogger().handlers if isinstance(one, LogHandler)), None)


def _catch_others(style: LogStyle) -> None:
    """Makes records of what Python writes to standard error by itself, if a program reads the log."""
    is_structured = style.format != "text"
    logging.captureWarnings(is_structured)
    sys.excepthook = _log_uncaught if is_structured else sys.__excepthook__
    sys.unraisablehook = _log_unraisable if is_structured else sys.__unraisablehook__
    threading.excepthook = _log_of_thread if is_structured else threading.__excepthook__


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: "TracebackType | None") -> None:
    if not isinstance(error, KeyboardInterrupt):
        _log.critical("unexpected error", exc_info=error)


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    _log.error("unexpected error in a finalizer", exc_info=unraisable.exc_value)


def _log_of_thread(args: "threading.ExceptHookArgs") -> None:
    _log.error("unexpected error in a thread", exc_info=args.exc_value)


def is_in_journal(environ: Mapping[str, str], descriptor: int) -> bool:
    """Whether systemd connected this output to the journal (JOURNAL_STREAM, systemd.exec(5)).

    A child of a service may inherit the variable and write elsewhere.
    """
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"

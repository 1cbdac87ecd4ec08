"""A record is one line that a program reads back exactly, and names nobody unless it may."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from enum import Enum
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.operator_settings import Format, Log
from digest.service.log import LogFormatter, LogHandler, LogStyle, apply_log
from digest.service.log_entry import without_addresses
from digest.service.log_limit import AT_ONCE, EVERY, LogLimit
from tests.logfmt import parse_logfmt

ADA = "ada.lovelace@example.org"
AWKWARD = [
    "",
    "a b",
    'say "no"',
    "a=b",
    "\\",
    "\\n",
    "line\nline",
    "\r\n",
    "tab\t",
    "\x00\x1b[31m",
    "é€😀",
    "\u2028",
]


class Colour(Enum):
    RED = "the red one"


def record(
    template: str,
    *values: object,
    level: int = logging.WARNING,
    address: str | None = None,
    error: object = None,
) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None
    made = logging.LogRecord("digest.pipeline.share", level, "here.py", 1, template, values, info)
    made.created = datetime(2026, 6, 16, 7, 0, 1, 250_000, tzinfo=UTC).timestamp()
    if address:
        made.address = address
    return made


def written(
    one: logging.LogRecord, kind: Format, *, addresses: bool = False, is_journal: bool = False
) -> str:
    return LogFormatter(LogStyle(format=kind, addresses=addresses, is_journal=is_journal)).format(one)


def fields(one: logging.LogRecord, kind: Format, *, addresses: bool = False) -> dict[str, object]:
    line = written(one, kind, addresses=addresses)
    assert line.isascii()
    assert line.isprintable()
    return json.loads(line) if kind == "json" else dict(parse_logfmt(line))


def raise_error(text: str) -> None:
    raise ValueError(text)


def an_error(text: str = f"no such user\n{ADA}") -> ValueError:
    try:
        raise_error(text)
    except ValueError as error:
        return error
    raise AssertionError


FAILED = record(
    "mailing not sent number=%d attempt=%d next_try=%s code=%s cause=%s",
    7, 2, datetime(2026, 6, 16, 7, 31, tzinfo=UTC), None, f"450 4.2.1 <{ADA}>: later", address=ADA,
)  # fmt: skip


def test_text_is_an_event_and_its_fields_after_time_level_and_logger() -> None:
    assert written(FAILED, "text") == (
        "2026-06-16T07:00:01Z WARNING digest.pipeline.share: mailing not sent number=7 attempt=2"
        " next_try=2026-06-16T07:31:00Z cause=450 4.2.1 <the recipient>: later"
    )


@pytest.mark.parametrize("kind", ["text", "logfmt", "json"])
@pytest.mark.parametrize("local", ["mailing", "sent", "red", "2026"])
def test_an_address_that_is_a_word_of_the_log_changes_no_event_and_no_fixed_value(
    kind: Format, local: str
) -> None:
    address = f"{local}@example.org"
    one = record(
        "mailing not sent outcome=%s next_try=%s cause=%s",
        Colour.RED,
        datetime(2026, 6, 16, 7, 31, tzinfo=UTC),
        f"450 <{address}>: later for {local}",
        address=address,
    )
    line = written(one, kind)
    assert "mailing not sent" in line
    assert "the red one" in line
    assert "2026-06-16T07:31:00Z" in line
    assert "450 <the recipient>: later for the recipient" in line


def test_json_keeps_numbers_and_leaves_out_what_is_not_known() -> None:
    assert fields(FAILED, "json") == {
        "time": "2026-06-16T07:00:01.250Z",
        "level": "warning",
        "logger": "digest.pipeline.share",
        "event": "mailing not sent",
        "number": 7,
        "attempt": 2,
        "next_try": "2026-06-16T07:31:00Z",
        "cause": "450 4.2.1 <the recipient>: later",
    }


def test_logfmt_has_the_same_keys_in_the_same_order() -> None:
    assert written(FAILED, "logfmt") == (
        'time=2026-06-16T07:00:01.250Z level=warning logger=digest.pipeline.share event="mailing not sent"'
        ' number=7 attempt=2 next_try=2026-06-16T07:31:00Z cause="450 4.2.1 <the recipient>: later"'
    )


@pytest.mark.parametrize("kind", ["text", "logfmt", "json"])
def test_the_address_is_there_only_if_it_may(kind: Format) -> None:
    assert "ada" not in written(FAILED, kind).lower()
    assert f"450 4.2.1 <{ADA}>" in written(FAILED, kind, addresses=True)
    if kind != "text":
        assert fields(FAILED, kind, addresses=True)["to"] == ADA


@pytest.mark.parametrize("kind", ["text", "logfmt", "json"])
def test_the_journal_adds_the_time_and_gets_the_level_of_each_line(kind: Format) -> None:
    lines = written(record("a cause=%s", "x\ny"), kind, is_journal=True).splitlines()
    assert all(line.startswith("<4>") for line in lines)
    assert "2026" not in "".join(lines)
    levels = {logging.ERROR: "<3>", logging.INFO: "<6>", logging.DEBUG: "<7>"}
    for level, prefix in levels.items():
        assert written(record("a", level=level), kind, is_journal=True).startswith(prefix)


@pytest.mark.parametrize("kind", ["logfmt", "json"])
@pytest.mark.parametrize("value", AWKWARD)
def test_every_value_is_read_back_as_it_was(kind: Format, value: str) -> None:
    found = fields(record("it happened cause=%s next=%s", value, "x"), kind)
    assert (found["event"], found["cause"], found["next"]) == ("it happened", value, "x")


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_any_text_is_one_record_in_any_format(values: list[str]) -> None:
    one = record("it happened cause=%s next=%s", *values)
    clean = [value.encode("utf-8", "backslashreplace").decode() for value in values]
    for kind in ("logfmt", "json"):
        found = fields(one, kind, addresses=True)
        assert [found["cause"], found["next"]] == clean
    first, *others = written(one, "text", addresses=True).split("\n")
    assert first.startswith("2026-06-16T07:00:01Z WARNING digest.pipeline.share: it happened cause=")
    assert all(line.startswith("  ") for line in others)


@pytest.mark.parametrize("kind", ["text", "logfmt", "json"])
def test_an_error_is_one_record_with_its_traceback(kind: Format) -> None:
    one = record("step failed step=%s", "mailing", error=an_error())
    text = written(one, kind)
    assert ADA not in text
    if kind == "text":
        assert len(re.findall("^2026", text, re.MULTILINE)) == 1
        assert "\n  ValueError: no such user\n  [address]" in text
        return
    found = fields(one, kind)
    assert found["error"] == "ValueError: no such user\n[address]"
    assert str(found["traceback"]).startswith("Traceback (most recent call last):\n")
    assert "an_error" in str(found["traceback"])


@pytest.mark.parametrize("kind", ["text", "logfmt", "json"])
def test_a_record_of_a_library_is_an_event_whatever_it_holds(kind: Format) -> None:
    for one in (record("100% of a=b\n%s"), record("took %d%% of %r", 3, "x=1"), record("x=%s and y", 1)):
        assert written(one, kind).count("\n") == (1 if kind == "text" and "\n" in one.getMessage() else 0)
        if kind != "text":
            assert fields(one, kind)["event"] == one.getMessage()


def test_values_that_are_no_text_are_written_as_a_program_expects_them() -> None:
    one = record("a b=%s c=%s d=%.1f e=%s f=%s", True, Colour.RED, 2.345, 1.5, None)
    assert {**fields(one, "json"), "time": 0} == {
        "time": 0, "level": "warning", "logger": one.name, "event": "a", "b": True, "c": "the red one",
        "d": 2.3, "e": 1.5,
    }  # fmt: skip
    assert written(one, "logfmt").endswith('event=a b=true c="the red one" d=2.3 e=1.5')


def test_a_record_stays_short_enough_for_the_journal() -> None:
    one = record("a cause=%s", "y" * 200_000, error=an_error("x" * 200_000))
    assert len(written(one, "json")) < 48_000


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 <Ada.Lovelace@EXAMPLE.org>: no such user",
        "user ada.lovelace is not here",
        "for ada.lovelace@example.org.",
        "'ada.lovelace@example.org' ada.lovelace%40example.org",
        "ada.lovelace@[192.0.2.1]",
        '"ada.lovelace"@example.org',
        "SRS0=ab=cd=example.org=ada.lovelace@forward.example",
        "bounce+ada.lovelace=example.org@lists.example",
        "rfc822;ada.lovelace@bücher.example",
    ],
)
def test_no_way_to_write_an_address_is_left(text: str) -> None:
    assert "lovelace" not in without_addresses(text, ADA).lower()
    assert re.search("lovelace@", text) is None or "lovelace@" not in without_addresses(text)


@pytest.mark.parametrize(
    "text", ["postgresql://digest@db.lab.example/digest", "a @ b", "127.0.0.1:25: 421 4.3.2 not now", "x@"]
)
def test_what_is_no_address_of_mail_stays(text: str) -> None:
    assert without_addresses(text, "ada@example.org") == text


# The limit for one event.


class Written:
    """A handler at a clock that is set by hand, and what it wrote."""

    def __init__(self) -> None:
        self.now = 0.0
        self._stream = StringIO()
        self.handler = LogHandler(self._stream, LogStyle(format="json"), LogLimit(clock=lambda: self.now))

    def emit(self, number: int, event: str = "mailing not sent", level: int = logging.WARNING) -> None:
        self.handler.emit(record(f"{event} number=%d", number, level=level))

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def log() -> Written:
    logging.getLogger("digest").setLevel(logging.INFO)
    return Written()


def test_of_ten_thousand_failed_mails_fifty_are_written_and_the_others_counted(log: Written) -> None:
    for number in range(10_000):
        log.emit(number)
    assert [one["number"] for one in log.records()] == [*range(AT_ONCE)]
    log.handler.close()
    *_, last = log.records()
    assert (last["number"], last["left_out"]) == (9_999, 10_000 - AT_ONCE - 1)


def test_a_server_that_refuses_all_mail_for_a_month_is_readable(log: Written) -> None:
    """10,000 mails, each tried every twelve hours: a record every four seconds."""
    for number in range(30 * 86_400 // 40):
        log.now = number * 40
        log.emit(number)
    log.handler.close()
    found = log.records()
    assert len(found) <= AT_ONCE + 30 * 86_400 / EVERY + 2
    assert len(found) + sum(int(str(one.get("left_out", 0))) for one in found) == 30 * 86_400 // 40


def test_what_is_rare_is_always_written_beside_what_is_not(log: Written) -> None:
    for number in range(200):
        log.emit(number)
    log.emit(1, "session failed")
    log.emit(2, level=logging.ERROR)
    assert [one["event"] for one in log.records()[AT_ONCE:]] == ["session failed", "mailing not sent"]


def test_what_was_left_out_is_told_once_the_event_is_quiet(log: Written) -> None:
    for number in range(AT_ONCE + 3):
        log.emit(number)
    log.now = EVERY + 1
    log.emit(1, "digests wait")
    assert [(one["event"], one.get("left_out")) for one in log.records()[AT_ONCE:]] == [
        ("mailing not sent", 2),
        ("digests wait", None),
    ]


def test_at_the_level_debug_nothing_is_left_out(log: Written) -> None:
    logging.getLogger("digest").setLevel(logging.DEBUG)
    for number in range(200):
        log.emit(number)
    assert len(log.records()) == 200


def test_what_waits_to_be_written_keeps_no_error_alive(log: Written) -> None:
    error = an_error()
    before = sys.getrefcount(error)
    for _ in range(AT_ONCE + 5):
        log.handler.emit(record("step failed cause=%s", error, error=error))
    assert sys.getrefcount(error) == before


def test_a_level_of_the_command_line_goes_before_that_of_the_settings(log: Written) -> None:
    root, ours = logging.getLogger(), logging.getLogger("digest")
    root.addHandler(log.handler)
    try:
        apply_log(Log(level="error", format="logfmt"), sets_level=False)
        assert (ours.level, log.handler.style.format) == (logging.INFO, "logfmt")
        apply_log(Log(level="error"))
        assert (ours.level, log.handler.style.format) == (logging.INFO, "text")
        apply_log(Log(level="error"), sets_level=True)
        assert (ours.level, root.level) == (logging.ERROR, logging.ERROR)
        apply_log(Log())
        assert (ours.level, root.level) == (logging.INFO, logging.WARNING)
    finally:
        root.removeHandler(log.handler)

"""Each call that logs is an event in fixed words, and fields whose keys a program can rely on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.service.log_entry import RESERVED, parse_template

DOC = Path(__file__).parents[2] / "docs" / "monitoring.md"
PACKAGE = Path(__file__).parents[2] / "digest"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def is_log(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in LEVELS and ast.unparse(node.value) == "_log"


def calls_of(path: Path) -> Iterator[ast.Call]:
    """Calls of `_log.warning` and its kin, and of `partial(_log.warning, …)`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and (is_log(node.func) or (node.args and is_log(node.args[0]))):
            yield node


def template_and_values(call: ast.Call) -> tuple[ast.expr, list[ast.expr]]:
    skipped = 1 if not is_log(call.func) or getattr(call.func, "attr", "") == "log" else 0
    return call.args[skipped], call.args[skipped + 1 :]


def keys_of(call: ast.Call) -> list[str]:
    template, _ = template_and_values(call)
    parsed = parse_template(str(ast.literal_eval(template)))
    return [key for key, _ in parsed[1]] if parsed else []


CALLS = [
    (f"{path.relative_to(PACKAGE)}:{call.lineno}", call)
    for path in sorted(PACKAGE.rglob("*.py"))
    for call in calls_of(path)
]


@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in CALLS])
def test_a_call_has_an_event_and_a_key_for_each_value(call: ast.Call) -> None:
    template, values = template_and_values(call)
    assert isinstance(template, ast.Constant), "the event is written as text in the call"
    parsed = parse_template(str(template.value))
    assert parsed, template.value
    _, fields = parsed
    if is_log(call.func) and not any(isinstance(value, ast.Starred) for value in values):
        assert len(fields) == len(values), template.value
    keys = [key for key, _ in fields]
    assert len(keys) == len(set(keys))
    assert not set(keys) & set(RESERVED)


def rows_below(heading: str) -> list[list[str]]:
    table = DOC.read_text(encoding="utf-8").partition(f"### {heading}\n")[2].partition("\n#")[0]
    cells = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| `")]
    return [re.findall(r"`([^`]+)`", row[0]) for row in cells]


def test_the_docs_tell_each_key_once() -> None:
    told = [key for row in rows_below("Keys") for key in row]
    used = {key for _, call in CALLS for key in keys_of(call)}
    assert sorted(told) == sorted({*used, *RESERVED})


def test_the_events_that_the_docs_name_are_events() -> None:
    told = [event for row in rows_below("Events to watch") for event in row]
    templates = [template_and_values(call)[0] for _, call in CALLS]
    parsed = [parse_template(str(ast.literal_eval(template))) for template in templates]
    assert len(told) > 8
    assert {*told} <= {one[0] for one in parsed if one}


def test_every_logger_of_ours_is_called_log() -> None:
    """Else its calls would not be checked above."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
            ):
                assert ast.unparse(node.func.value) not in {"log", "logger", "LOG", "logging"}, path


def test_the_calls_are_found() -> None:
    assert len(CALLS) > 40

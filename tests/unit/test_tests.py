"""The tests themselves: helpers are in no test module, and nothing is waited for without a limit."""

import ast
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from sqlite_utils import Database

from digest.storage.sqlite.migrations import migrations
from tests import once

TESTS = Path(__file__).parents[1]
STARTING = {"processes.py", "forked.py", "postgresql.py", "systemd/machine.py", "long/test_flood.py"}
"""These start processes by other means than tests/processes.py, and end them."""
SERVING = {"long/test_flood.py"}
"""Holds connections for as long as a test lasts."""


@cache
def modules() -> dict[str, ast.Module]:
    files = (path for path in sorted(TESTS.rglob("*.py")) if "node_modules" not in path.parts)
    return {path.relative_to(TESTS).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def calls(node: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The calls in it, by what is called: `asyncio.sleep` is `sleep`."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute | ast.Name):
            yield one.func.attr if isinstance(one.func, ast.Attribute) else one.func.id, one


def places(of: Iterator[tuple[str, ast.AST]]) -> list[str]:
    return [f"{name}:{getattr(node, 'lineno', 0)}" for name, node in of]


def imports_of_test_modules() -> Iterator[tuple[str, ast.AST]]:
    for name, module in modules().items():
        for node in ast.walk(module):
            source = node.module if isinstance(node, ast.ImportFrom) else None
            if source and source.startswith("tests.") and source.rpartition(".")[2].startswith("test_"):
                yield name, node


def polls_without_limit() -> Iterator[tuple[str, ast.AST]]:
    for name, module in modules().items():
        limited = {
            id(inner)
            for node in ast.walk(module)
            if (
                isinstance(node, ast.With | ast.AsyncWith)
                and any(called == "timeout" for item in node.items for called, _ in calls(item))
            )
            or (isinstance(node, ast.FunctionDef) and any(called == "monotonic" for called, _ in calls(node)))
            for inner in ast.walk(node)
        }
        for node in ast.walk(module):
            is_poll = isinstance(node, ast.While) and any(called == "sleep" for called, _ in calls(node))
            if is_poll and id(node) not in limited and name not in SERVING:
                yield name, node


def processes_without_end() -> Iterator[tuple[str, ast.AST]]:
    for name, module in modules().items():
        for called, node in calls(module):
            if called in {"Popen", "create_subprocess_exec"} and name not in STARTING:
                yield name, node
            is_run = isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "subprocess.run"
            if is_run and "timeout" not in {keyword.arg for keyword in node.keywords}:
                yield name, node


def test_helpers_are_in_no_test_module() -> None:
    assert not places(imports_of_test_modules())


def test_no_poll_is_without_a_limit() -> None:
    assert not places(polls_without_limit()), "tests/waiting.py waits with a limit"


def test_no_process_outlives_its_test() -> None:
    assert not places(processes_without_end()), "tests/processes.py ends them; subprocess.run has a timeout"


def test_the_empty_state_that_tests_copy_is_the_one_that_the_migrations_make() -> None:
    with closing(Database(memory=True)) as copied, closing(Database(memory=True)) as migrated:
        migrations.apply(copied)
        once.migrate(migrated)
        assert _schema(copied) == _schema(migrated)
        for table in migrated.table_names():
            assert _values(copied, table) == _values(migrated, table)
        assert _secret(copied) != _secret(migrated)


def _schema(db: Database) -> list[object]:
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def _values(db: Database, table: str) -> list[dict[str, object]]:
    """But for those that no two states share."""
    return [{**row, "secret": "", "applied_at": ""} for row in db[table].rows]


def _secret(db: Database) -> object:
    return db.execute("SELECT secret FROM installation").fetchone()

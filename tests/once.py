"""What each process of `digest` does at its start is done once for all the tests of a process.

That is the migration of an empty state, which is copied from then on, and the compilation of templates.
"""

from collections.abc import Sequence
from contextlib import closing
from functools import cache
from types import CodeType
from typing import Any

import jinja2
from sqlite_utils import Database

from digest.storage.sqlite.migrations import migrations

migrate = migrations.apply
"""Does all migrations, one after the other."""

_compile = jinja2.Environment.compile


def register() -> None:
    """For what runs in this process: processes that a test starts do everything by themselves."""
    migrations.apply = _copy_or_migrate  # type: ignore[method-assign]
    jinja2.Environment.compile = _compiled  # type: ignore[assignment,method-assign]


def _copy_or_migrate(db: Database, **options: Any) -> None:
    if options or db.table_names():
        migrate(db, **options)
        return
    with db.atomic():
        for statement in _empty_state():
            db.conn.execute(statement)
        db.conn.execute("UPDATE installation SET secret = lower(hex(randomblob(16)))")


@cache
def _empty_state() -> Sequence[str]:
    with closing(Database(memory=True)) as db:
        migrate(db)
        return [line for line in db.conn.iterdump() if line not in {"BEGIN TRANSACTION;", "COMMIT;"}]


_codes: dict[object, CodeType] = {}


def _compiled(
    environment: jinja2.Environment, source: str, name: str | None = None, filename: str | None = None
) -> CodeType:
    """A template of a file; the web pages and the mails have other filters."""
    key = (source, name, filename, frozenset(environment.filters))
    if key not in _codes:
        _codes[key] = _compile(environment, source, name, filename)
    return _codes[key]

"""Copies a whole state into an empty one, of either kind, and compares the two."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from digest.config.database_url import DatabaseUrl
from digest.errors import AlreadyRunning, StateError
from digest.storage.factory import State, is_there, open_store, postgresql
from digest.storage.lock import hold_state
from digest.storage.neutral import TABLES, Checksum, OpenTables, Tables
from digest.storage.sqlite import tables as sqlite_tables

_CHECKED = "the copy differs from the state in {tables}; nothing was kept of it. Please report this"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """The number of rows of each table of a copy, which was compared with the state."""

    rows: dict[str, int]


def copy_state(source: State, target: State) -> Copied:
    """Copies everything from `source` to `target`, compares both, and keeps the copy if they are the same.

    Raises `AlreadyRunning` if a daemon uses one of them, and `StateError` if `source` does not exist, or is
    an older copy that was just put in its place, or if `target` is not empty.
    """
    if not is_there(source):
        raise StateError(str(source), "does not exist; name the state to copy first, then the new one")
    if source == target or (_is_file(source) and _is_file(target) and _same_file(source, target)):
        raise StateError(str(target), "is the state itself; name another place for the copy")
    with _unused(source), _unused(target):
        _refuse_restored(source)
        with _tables(source, may_write=False) as given, _tables(target, may_write=True) as taken:
            if not taken.is_empty():
                raise StateError(
                    str(target), "is not empty; name a new file or an empty database, or remove what is there"
                )
            return _copy(given, taken, target)


def _copy(given: Tables, taken: Tables, target: State) -> Copied:
    sums = {table: Checksum() for table in TABLES}
    for table, found in sums.items():
        taken.write(table, map(found.add, given.rows(table)))
    numbers = given.last_numbers()
    taken.count_on_from(numbers)
    different = [table for table, found in sums.items() if _sum_of(taken, table) != found]
    if taken.last_numbers() != numbers:
        different.append("the last numbers")
    if different:
        raise StateError(str(target), _CHECKED.format(tables=", ".join(different)))
    return Copied(rows={table: found.count for table, found in sums.items()})


def _sum_of(tables: Tables, table: str) -> Checksum:
    found = Checksum()
    for row in tables.rows(table):
        found.add(row)
    return found


@contextmanager
def _unused(state: State) -> Iterator[None]:
    """Holds a file against daemons and runs; of a database, makes sure that no daemon is alive."""
    with ExitStack() as stack:
        if isinstance(state, Path):
            stack.enter_context(hold_state(state))
        elif is_there(state):
            with open_store(state) as store:
                alive = [host.name for host in store.hosts() if host.is_alive]
            if alive:
                raise AlreadyRunning(str(state), f"the daemon of {', '.join(alive)}")
        yield


def _refuse_restored(source: State) -> None:
    with open_store(source) as store:
        restored = store.restored()
    if restored and restored.noticed_at is None:
        raise StateError(
            str(source), "is an older copy of the state, which no run has noticed yet: `digest run` does it"
        )


def _tables(state: State, *, may_write: bool) -> OpenTables:
    opened: AbstractContextManager[Tables]
    if isinstance(state, DatabaseUrl):
        opened = postgresql("tables").open_tables(state, may_write=may_write)
    else:
        opened = sqlite_tables.open_tables(state, may_write=may_write)
    return opened


def _is_file(state: State) -> bool:
    return isinstance(state, Path) and state.exists()


def _same_file(one: State, other: State) -> bool:
    return isinstance(one, Path) and isinstance(other, Path) and one.samefile(other)

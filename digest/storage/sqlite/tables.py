"""All tables of a state file as plain values, with old papers and hits out of their archive."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, cast

from sqlite_utils import Database

from digest.model.paper import ArxivId
from digest.storage.neutral import COUNTING, TABLES, Kind, Row, Tables, storable
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import COLUMNS, PLACES, unpacked
from digest.storage.sqlite.row_mapping import checksum, code_of, exact_text_of, id_of, text_of

_NAMES = {"source_fetch": "fetch"}
"""The tables that have another name here."""

_FROM = {
    "hit": "(SELECT number, query, paper, edition, is_past FROM hit"
    " UNION ALL SELECT number, query, paper, edition, is_past FROM past_hit)"
}

_READ: Mapping[Kind, Callable[[Any], object]] = {
    Kind.FLAG: bool,
    Kind.MOMENT: lambda text: datetime.fromisoformat(text).astimezone(UTC),
    Kind.DATE: date.fromisoformat,
    Kind.TIME: time.fromisoformat,
    Kind.TEXT: storable,
    Kind.JSON: lambda text: storable(json.loads(text)),
    Kind.TEXTS: lambda text: storable(json.loads(text)),
    Kind.ID: lambda code: str(id_of(code)),
    Kind.PAPER: lambda text: _listed(json.loads(text)),
}

_WRITE: Mapping[Kind, Callable[[Any], object]] = {
    Kind.FLAG: int,
    Kind.MOMENT: lambda moment: exact_text_of(moment) if moment.microsecond else text_of(moment),
    Kind.DATE: date.isoformat,
    Kind.TIME: lambda moment: f"{moment:%H:%M}",
    Kind.JSON: lambda value: json.dumps(value, ensure_ascii=False),
    Kind.TEXTS: lambda value: json.dumps(value, ensure_ascii=False),
    Kind.ID: lambda arxiv_id: code_of(ArxivId(arxiv_id)),
    Kind.PAPER: lambda values: json.dumps(_listed_here(values), ensure_ascii=False),
}


@contextmanager
def open_tables(path: Path, *, may_write: bool) -> Iterator[Tables]:
    with closing(Connection(path)) as connection:
        begun = connection.transaction if may_write else connection.snapshot
        with begun() as db:
            yield SqliteTables(db)


class SqliteTables:
    """The tables within one transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def is_empty(self) -> bool:
        names = [_NAMES.get(table, table) for table in TABLES if table != "installation"]
        return not any(
            self._db.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()  # noqa: S608 (written here)
            for name in (*names, "shelf", "past_hit")
        )

    def rows(self, table: str) -> Iterator[Row]:
        columns = TABLES[table]
        source = _FROM.get(table, f'"{_NAMES.get(table, table)}"')
        found = self._db.execute(f"SELECT {_listing(columns)} FROM {source}")  # noqa: S608 (written here)
        yield from (_converted(row, columns, _READ) for row in found)
        if table == "edition":
            yield from (_converted(row, columns, _READ) for row in self._shelved(columns))

    def _shelved(self, columns: Mapping[str, Kind]) -> Iterator[Row]:
        """The editions of the archive."""
        names = COLUMNS.split(", ")
        papers = dict(self._db.execute("SELECT arxiv_id, number FROM paper").fetchall())
        for shelf, packed in self._db.execute("SELECT number, papers FROM shelf"):
            for place, row in enumerate(unpacked(packed)):
                if row:
                    found = dict(zip(names, row, strict=True))
                    found["number"], found["paper"] = shelf * PLACES + place, papers[found["arxiv_id"]]
                    found["checksum"] = checksum(found["title"], found["abstract"], found["categories"])
                    yield tuple(found[name] for name in columns)

    def write(self, table: str, rows: Iterable[Row]) -> None:
        columns, name = TABLES[table], _NAMES.get(table, table)
        if table == "installation":
            self._db.execute("DELETE FROM installation")
        marks = ", ".join("?" * len(columns))
        self._db.conn.executemany(
            f'INSERT INTO "{name}" ({_listing(columns)}) VALUES ({marks})',  # noqa: S608 (written here)
            (_converted(row, columns, _WRITE) for row in rows),
        )

    def last_numbers(self) -> Mapping[str, int]:
        given = dict(self._db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        return {table: given.get(table, 0) for table in COUNTING}

    def count_on_from(self, numbers: Mapping[str, int]) -> None:
        for table, last in numbers.items():
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table])
            self._db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, last])


def read_row(row: Iterable[object], columns: Mapping[str, Kind]) -> Row:
    """Returns the values of a row in the form that is the same for each kind of database."""
    return _converted(row, columns, _READ)


def _listing(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _converted(
    row: Iterable[object], columns: Mapping[str, Kind], converters: Mapping[Kind, Callable[[Any], object]]
) -> Row:
    return tuple(
        value if value is None or kind not in converters else converters[kind](value)
        for value, kind in zip(row, columns.values(), strict=True)
    )


def _listed(values: list[Any]) -> object:
    """An announced paper in the neutral form: its id as text, lists as lists."""
    code, version, title, abstract, authors, categories, *rest = values
    lists = (json.loads(authors), json.loads(categories))
    return storable([id_of(code), version, title, abstract, *lists, *rest])


def _listed_here(values: list[Any]) -> list[object]:
    arxiv_id, version, title, abstract, authors, categories, *rest = values
    lists = (json.dumps(authors, ensure_ascii=False), json.dumps(categories))
    return [code_of(cast("ArxivId", arxiv_id)), version, title, abstract, *lists, *rest]

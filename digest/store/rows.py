"""Between SQLite's rows and errors and the project's own values."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from digest.papers import ArxivId, Paper

Code = int | str
"""A paper's id as the state file has it: 2606.01234 is 260601234, since numbers take half the room."""

LAST_CODE = 999_999_999
"""The highest number that an id has; ids of the old style, as `math/0309136`, are text."""


def explained(error: sqlite3.Error) -> str:
    """What happened and what an operator can do about it; see https://sqlite.org/rescode.html."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return (
                f"is not a digest state file ({error}); name another with DIGEST_STATE. It was left as it is"
            )
        case sqlite3.SQLITE_FULL:
            return "the disk is full; make room and run again, nothing was half-written"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return f"cannot be written ({error}); check who owns the file and its folder"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "is locked by another program; close that and run again"
        case _:
            return f"{error}; nothing was half-written"


def is_passing(error: sqlite3.Error) -> bool:
    """Whether it may be over without the operator: others lock the file, or have filled its disk."""
    passing = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in passing


def paper_of(row: Sequence[Any]) -> Paper:
    arxiv_id, version, title, abstract, authors, categories, submitted_at, updated_at, *rest = row
    comment, journal_ref, doi = rest
    return Paper(
        id=id_of(arxiv_id),
        version=version,
        title=title,
        abstract=abstract,
        authors=tuple(json.loads(authors)),
        categories=tuple(json.loads(categories)),
        submitted_at=submitted_at and moment_of(submitted_at),
        updated_at=updated_at and moment_of(updated_at),
        comment=comment,
        journal_ref=journal_ref,
        doi=doi,
    )


def checksum_of(paper: Paper) -> int:
    """Tells the paper's title, abstract and categories from others; as `checksum` does."""
    return checksum(paper.title, paper.abstract, json.dumps(paper.categories))


def checksum(title: str, abstract: str, categories: str) -> int:
    return crc32("\n".join((title, abstract, categories)).encode())


def code_of(arxiv_id: ArxivId) -> Code:
    digits = arxiv_id.replace(".", "")
    if digits.isascii() and digits.isdigit() and id_of(int(digits)) == arxiv_id:
        return int(digits)
    return arxiv_id


def id_of(code: Code) -> ArxivId:
    """Until 2014 the month was followed by four digits, since then it is by five."""
    if isinstance(code, str):
        return ArxivId(code)
    digits = f"{code:08}"
    return ArxivId(f"{digits[:4]}.{digits[4:]}")


def first_code(moment: datetime) -> int:
    """No id that was given in the month of `moment`, or later, has a lower one."""
    return int(f"{moment.astimezone(UTC):%y%m}") * 100_000


def text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)

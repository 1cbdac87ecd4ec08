"""Converts between the rows of PostgreSQL and the values of this project."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zlib import crc32

from digest.model.paper import ArxivId, Paper

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

LAST_ID = "9999.99999"
"""The highest id of the new style. Those of the old style, as `math/0309136`, begin with a letter: they are
higher in the collation "C", which the column has."""


def whole_second(moment: datetime) -> datetime:
    """Cuts a moment to seconds: so it is the same in every back end."""
    return moment.astimezone(UTC).replace(microsecond=0)


def storable(text: str) -> str:
    """Returns a text of others without the one letter that PostgreSQL cannot store."""
    return text.replace("\x00", "\ufffd")


@lru_cache(maxsize=4_000)
def moment_of(binary: bytes) -> datetime:
    """Returns a moment as the server sends it: microseconds since 2000. Many rows share one."""
    return _EPOCH + timedelta(microseconds=int.from_bytes(binary, signed=True))


def parse_paper(row: Sequence[Any]) -> Paper:
    arxiv_id, version, title, abstract, authors, categories, submitted_at, updated_at, *rest = row
    comment, journal_ref, doi = rest
    return Paper(
        id=ArxivId(arxiv_id),
        version=version,
        title=title,
        abstract=abstract,
        authors=tuple(authors),
        categories=tuple(categories),
        submitted_at=submitted_at,
        updated_at=updated_at,
        comment=comment,
        journal_ref=journal_ref,
        doi=doi,
    )


def row_of(paper: Paper) -> list[object]:
    """Returns the values that `parse_paper` reads."""
    return [
        paper.id,
        paper.version,
        paper.title,
        paper.abstract,
        list(paper.authors),
        list(paper.categories),
        paper.submitted_at and whole_second(paper.submitted_at),
        paper.updated_at and whole_second(paper.updated_at),
        paper.comment,
        paper.journal_ref,
        paper.doi,
    ]


def listed_row(paper: Paper) -> list[object]:
    """Returns the same as JSON can have it, for `parse_listed`."""
    return [one.isoformat() if isinstance(one, datetime) else one for one in row_of(paper)]


def parse_listed(row: Sequence[Any]) -> Paper:
    before, moments, rest = row[:6], row[6:8], row[8:]
    return parse_paper([*before, *(one and datetime.fromisoformat(one) for one in moments), *rest])


def checksum_of(paper: Paper) -> int:
    """Returns a checksum of the paper's title, abstract and categories."""
    return crc32("\n".join((paper.title, paper.abstract, json.dumps(paper.categories))).encode())


def first_id(moment: datetime) -> str:
    """Returns what is before all ids from the month of `moment` or later."""
    return f"{moment.astimezone(UTC):%y%m}."

"""Converts between SQLite rows and the values of this project."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zlib import crc32

from digest.model.paper import ArxivId, Paper

Code = int | str
"""A paper's id in the state file: 2606.01234 is 260601234, because numbers take half the space."""

LAST_CODE = 999_999_999
"""The highest number of an id. Ids of the old style, for example `math/0309136`, are text."""


def parse_paper(row: Sequence[Any]) -> Paper:
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


def row_of(paper: Paper) -> list[object]:
    """Returns the values that `parse_paper` reads."""
    return [
        code_of(paper.id),
        paper.version,
        paper.title,
        paper.abstract,
        json.dumps(paper.authors, ensure_ascii=False),
        json.dumps(paper.categories),
        paper.submitted_at and text_of(paper.submitted_at),
        paper.updated_at and text_of(paper.updated_at),
        paper.comment,
        paper.journal_ref,
        paper.doi,
    ]


def checksum_of(paper: Paper) -> int:
    """Returns the `checksum` of the paper's title, abstract and categories."""
    return checksum(paper.title, paper.abstract, json.dumps(paper.categories))


def checksum(title: str, abstract: str, categories: str) -> int:
    return crc32("\n".join((title, abstract, categories)).encode())


def code_of(arxiv_id: ArxivId) -> Code:
    digits = arxiv_id.replace(".", "")
    if digits.isascii() and digits.isdigit() and id_of(int(digits)) == arxiv_id:
        return int(digits)
    return arxiv_id


def id_of(code: Code) -> ArxivId:
    """The month is followed by four digits until 2014, and by five since then."""
    if isinstance(code, str):
        return ArxivId(code)
    digits = f"{code:08}"
    return ArxivId(f"{digits[:4]}.{digits[4:]}")


def first_code(moment: datetime) -> int:
    """Returns the lowest possible code of an id from the month of `moment` or later."""
    return int(f"{moment.astimezone(UTC):%y%m}") * 100_000


def text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def exact_text_of(moment: datetime) -> str:
    """With microseconds, where a second that is cut off would be too much."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


@lru_cache(maxsize=1_000)
def shared_moment(text: str | None) -> datetime | None:
    """Returns the moment of a text that many subscribers share."""
    return (text and moment_of(text)) or None


@lru_cache(maxsize=1_000)
def shared_text(moment: datetime) -> str:
    return text_of(moment)

"""What several sessions sent is written down together, and no session goes on before its own is."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from digest.pipeline.receipt_writer import ReceiptWriter
from digest.storage.values import DeliveryResult, MailingState
from tests.waiting import LIMIT

if TYPE_CHECKING:
    from digest.storage.base import Store


class Book:
    """Keeps what is written at once, as a store does."""

    def __init__(self) -> None:
        self.written: list[tuple[int, ...]] = []

    def record_results(
        self, conclusions: Sequence[DeliveryResult], *, now: datetime, holder: str | None = None
    ) -> None:
        self.written.append(tuple(sorted(one.number for one in conclusions)))


@pytest.fixture
def book() -> Book:
    return Book()


def ledger_of(book: Book, sessions: int) -> ReceiptWriter:
    return ReceiptWriter(cast("Store", book), lambda: datetime.now(UTC), asyncio.Event(), sessions=sessions)


def conclusion(number: int) -> DeliveryResult:
    return DeliveryResult(number=number, state=MailingState.SENT, reply="250 ok")


async def test_those_who_come_within_a_moment_are_written_down_together(book: Book) -> None:
    receipt_writer = ledger_of(book, 20)

    async def session(number: int) -> None:
        await asyncio.sleep(0.0001 * number)
        await receipt_writer.write(conclusion(number))
        assert any(number in some for some in book.written)

    await asyncio.gather(*map(session, range(10)))
    assert sum(map(len, book.written)) == 10
    assert len(book.written) <= 3


async def test_the_only_session_waits_for_nobody(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.pipeline.receipt_writer._GATHERING", 3600)
    receipt_writer = ledger_of(book, 1)
    async with asyncio.timeout(LIMIT):
        await receipt_writer.write(conclusion(1))
        await receipt_writer.write(conclusion(2))
    assert book.written == [(1,), (2,)]

"""A server that refuses a mail because of what it contains: it does not hold back what comes later."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.storage.sqlite.store import SqliteStore
from tests.factories import invented_paper, make_subscriber
from tests.integration.installation import MONDAY, Installation

REFUSED = Receipt(outcome=Outcome.REJECTED, reply="554 5.7.1 this looks like spam")
TAKEN = Receipt(outcome=Outcome.SENT, reply="250 taken")
DAYS = range(1, 9)


def of_day(day: int) -> str:
    return f"2606.0000{day}"


async def week(store: SqliteStore, is_refused: Callable[[str], bool]) -> tuple[Installation, list[list[str]]]:
    """Eight days, each with a paper. Returns what each day's run brought, mail by mail."""
    lab = Installation(store, make_subscriber("ada@example.org", "tea"))

    def answer(mail: Outgoing) -> Receipt:
        return REFUSED if is_refused(mail.message.decode()) else TAKEN

    lab.transport.answer = answer
    found, brought = [], []
    for day in DAYS:
        now = MONDAY + timedelta(days=day)
        found.append(invented_paper(of_day(day), "Tea", submitted=f"{now - timedelta(days=1):%F} 10:00"))
        await lab.run(now, *found)
        brought.append([text for _, text in lab.mails()])
    return lab, brought


async def brought_at_last(lab: Installation) -> list[str]:
    lab.transport.answer = lambda mail: TAKEN
    await lab.run(MONDAY + timedelta(days=10))
    return [text for _, text in lab.mails()]


@pytest.mark.parametrize("poison", [{3}, {1, 2}, {2, 5}, {2, 4}])
async def test_a_paper_that_the_server_refuses_delays_one_other_day_at_most(
    store: SqliteStore, poison: set[int]
) -> None:
    lab, brought = await week(store, lambda text: any(of_day(day) in text for day in poison))
    delayed = {day for day, mails in zip(DAYS, brought, strict=True) if not mails}
    assert poison <= delayed
    assert len(delayed) <= 2 * len(poison)
    assert all(len(mails) <= 1 for mails in brought), "more than one mail on a day"
    waiting = " ".join(await brought_at_last(lab)).split()
    assert sorted([*" ".join(text for mails in brought for text in mails).split(), *waiting]) == [
        of_day(day) for day in DAYS
    ]


async def test_a_server_that_refuses_everything_leaves_two_mails_at_most(store: SqliteStore) -> None:
    lab, brought = await week(store, lambda text: True)
    assert not any(brought)
    mails = await brought_at_last(lab)
    assert len(mails) <= 2
    assert sorted(" ".join(mails).split()) == [of_day(day) for day in DAYS]

"""A mail after which the connection is lost each time may have arrived as often: copies become rare."""

from collections import Counter
from datetime import timedelta

from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.storage.sqlite.store import SqliteStore
from tests.factories import invented_paper, make_subscriber
from tests.integration.installation import MONDAY, TEA, Installation

ADA, BO = "ada@example.org", "bo@example.org"
DAYS = 12


async def test_lost_connections_each_time_repeat_a_digest_ever_more_rarely(
    store: SqliteStore,
) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"), make_subscriber(BO, "tea"))
    copies: Counter[str] = Counter()
    of_day: Counter[int] = Counter()
    now = MONDAY

    def lose_those_of_ada(mail: Outgoing) -> Receipt:
        if mail.recipient == ADA:
            copies[mail.token] += 1
            of_day[(now - MONDAY).days] += 1
            return Receipt(outcome=Outcome.UNKNOWN, reply="the connection was lost")
        return Receipt(outcome=Outcome.SENT, reply="250 taken")

    lab.transport.answer = lose_those_of_ada
    papers = [TEA]
    for day in range(DAYS):
        submitted = f"{MONDAY + timedelta(days=day):%F} 01:00"
        papers.append(invented_paper(f"2606.{day + 2:05}", "Tea", submitted=submitted))
        for hour in range(0, 24, 2):
            now = MONDAY + timedelta(days=day, hours=hour)
            await lab.run(now, *papers)
    assert len(lab.mails()) == DAYS, "Bo got each digest once"
    assert len(copies) == DAYS, "each digest of Ada was tried"
    first, *_ = copies.values()
    assert 8 <= first <= 11
    assert max(of_day.values()) <= 12, (
        "the day's digest comes five times, and all earlier ones together hardly more often"
    )

    lab.transport.answer = lambda mail: Receipt(outcome=Outcome.SENT, reply="250 taken")
    for hour in range(0, 24 * DAYS, 12):
        await lab.run(MONDAY + timedelta(days=DAYS, hours=hour))
    assert len(lab.mails()) == DAYS, "each is known to have arrived after as long again"
    assert store.waiting() == 0

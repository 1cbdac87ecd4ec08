"""A mail whose connection is lost after each attempt may arrive each time. Its copies have an end."""

from datetime import datetime, timedelta

import pytest

from digest.channels.base import Answer
from digest.channels.base import Outcome as Handed
from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.pipeline.policy import MOST_COPIES
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import MailingState
from tests.factories import make_subscriber
from tests.integration.installation import MONDAY, TEA, Installation
from tests.webhooks import FakeService, make_channel

ADA, BO = "ada@example.org", "bo@example.org"
TAKEN = Receipt(outcome=Outcome.SENT, reply="250 taken")
LOST = Receipt(outcome=Outcome.UNKNOWN, reply="the connection was closed after the mail")
REFUSED = Receipt(outcome=Outcome.REJECTED, reply="451 later")
MONTH = timedelta(days=30)


async def tried_at(lab: Installation, *receipts: Receipt) -> list[datetime]:
    """Returns when Ada's mail was tried during a month. The last of the `receipts` repeats."""
    tried: list[datetime] = []
    now = MONDAY

    def answer(mail: Outgoing) -> Receipt:
        if mail.recipient != ADA:
            return TAKEN
        tried.append(now)
        return receipts[min(len(tried), len(receipts)) - 1]

    lab.transport.answer = answer
    await lab.run(now, TEA)
    while (due_at := lab.store.next_due_at()) and due_at < MONDAY + MONTH:
        now = due_at
        await lab.run(now)
    return tried


@pytest.fixture
def lab(store: SqliteStore) -> Installation:
    return Installation(store, make_subscriber(ADA, "tea"), make_subscriber(BO, "tea"))


async def test_a_mail_that_may_have_arrived_again_and_again_is_given_up(lab: Installation) -> None:
    tried = await tried_at(lab, LOST)
    assert len(tried) == MOST_COPIES
    assert timedelta(days=4) < tried[-1] - tried[0] < timedelta(days=5)
    ada, bo = lab.store.past_mailings(since=None, email=None, after=0, limit=9)
    assert (ada.state, bo.state) == (MailingState.FAILED, MailingState.SENT)
    assert ada.reply == (
        "it may have arrived several times, in 14 attempts; the last reply:"
        " the connection was closed after the mail"
    )


async def test_the_run_that_gives_it_up_names_it(lab: Installation) -> None:
    lab.transport.answer = lambda mail: LOST if mail.recipient == ADA else TAKEN
    report = await lab.run(MONDAY, TEA)
    for _ in range(1, MOST_COPIES):
        assert any(f"the digest for {ADA} waits: " in error for error in report.errors)
        report = await lab.run(lab.store.next_due_at() or MONDAY)
    (error,) = report.errors
    assert f"the digest for {ADA} is not sent again: it may have arrived several times" in error
    assert (report.exit_code, report.digests_deferred) == (1, 0)


async def test_it_is_not_given_up_while_it_certainly_did_not_arrive(lab: Installation) -> None:
    tried = await tried_at(lab, REFUSED)
    assert len(tried) > MOST_COPIES
    (ada, _) = lab.store.past_mailings(since=None, email=None, after=0, limit=9)
    assert ada.state is MailingState.DEFERRED


async def test_the_first_doubt_is_never_the_last_attempt(lab: Installation) -> None:
    tried = await tried_at(lab, *[REFUSED] * 20, LOST, TAKEN)
    assert len(tried) == 22


async def test_it_is_sent_again_if_it_is_asked_for(lab: Installation) -> None:
    await tried_at(lab, LOST)
    (ada, _) = lab.store.past_mailings(since=None, email=None, after=0, limit=9)
    lab.mails()
    lab.transport.answer = lambda mail: TAKEN
    assert lab.store.send_again(ada.number, now=MONDAY + MONTH)
    await lab.run(MONDAY + MONTH)
    assert lab.mails() == [(ADA, "2606.00001")]


async def test_a_channel_gets_no_more_copies(lab: Installation) -> None:
    service = FakeService(answer=Answer(outcome=Handed.UNKNOWN, reply="no answer within 30 seconds"))
    lab.services = {make_channel("lab", "tea"): service}
    await lab.run(MONDAY, TEA)
    for hour in range(1, 24 * 30, 6):
        await lab.run(MONDAY + timedelta(hours=hour))
    assert len(service.taken()) == MOST_COPIES
    *_, posted = lab.store.past_mailings(since=None, email="channel:lab", after=0, limit=9)
    assert posted.state is MailingState.FAILED
    assert posted.reply.endswith("the last reply: no answer within 30 seconds")

"""A host that was cut off from the database sends nothing that another host may send by then."""

import asyncio
from collections import Counter
from contextlib import nullcontext
from datetime import timedelta

import pytest

from digest.errors import StateError
from digest.mail.links import links_for
from digest.mail.message import SenderIdentity
from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.pipeline import leases
from digest.pipeline.coordinator import DeliveryCoordinator
from digest.pipeline.deliver import DeliveryReport, StartWorkers, deliver
from digest.service.mail_setup import WriterSetup, build_writer
from digest.storage.sqlite.store import SqliteStore
from tests.integration.mail_server import MailServer, serving
from tests.stores import NOW, outbox_of
from tests.waiting import LIMIT, until

READERS = [f"reader{number}@example.org" for number in range(8)]
SENDER = SenderIdentity(sender="digest@example.org", contact="library@example.org")
SETUP = WriterSetup(sender_identity=SENDER, base_url=None)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LASTING", timedelta(seconds=0.3))
    monkeypatch.setattr(leases, "_POLL_SECONDS", 0.05)


async def mailed(
    store: SqliteStore, server: MailServer, start_workers: StartWorkers | None = None
) -> DeliveryReport:
    transport = SmtpTransport(SmtpServer(host="127.0.0.1", port=server.port, security="none", connections=2))
    write = build_writer(SETUP, links_for(None, store))
    async with asyncio.timeout(LIMIT):
        return await deliver(store, transport, write, lambda: NOW, start_workers=start_workers)


async def test_what_others_took_over_is_not_sent_here(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox_of(store, *READERS)
    monkeypatch.setattr(store, "keep_claims", lambda holder, lasting: False)
    async with serving(MailServer()) as server:
        with pytest.raises(StateError, match="cut off from the database") as caught:
            await mailed(store, server)
    assert caught.value.is_passing
    assert server.accepted == []


async def test_nothing_is_sent_until_it_is_certain_that_nobody_took_it_over(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox_of(store, *READERS)
    asked: list[int] = []

    async with serving(MailServer()) as server:

        def keep(holder: str, *, lasting: timedelta) -> bool:
            asked.append(len(server.accepted))
            if len(asked) < 10:
                raise StateError("postgresql://db.example", "no connection", is_passing=True)
            return True

        monkeypatch.setattr(store, "keep_claims", keep)
        report = await mailed(store, server)
    assert report.sent == len(READERS)
    assert asked[:10] == [0] * 10
    assert Counter(mail.recipient for mail in server.accepted) == Counter(READERS)


async def test_a_host_that_shares_the_server_opens_its_part_of_the_connections(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox_of(store, *READERS)
    monkeypatch.setattr(store, "begin_claims", lambda holder, lasting: 2)
    async with serving(MailServer()) as server:
        await mailed(store, server)
    assert len(server.accepted) == len(READERS)
    assert server.connections == 1


async def test_the_lease_is_kept_while_the_plan_is_made(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a million subscribers this takes longer than the lease lasts."""
    outbox_of(store, *READERS)
    kept: list[str] = []

    def keep(holder: str, lasting: timedelta) -> bool:
        kept.append(holder)
        return True

    async def has_many(coordinator: DeliveryCoordinator) -> bool:
        began = len(kept)
        await until(lambda: len(kept) > began + 3)
        return False

    monkeypatch.setattr(store, "keep_claims", keep)
    monkeypatch.setattr(DeliveryCoordinator, "has_many", has_many)
    async with serving(MailServer()) as server:
        await mailed(store, server, start_workers=lambda coordinator: nullcontext(()))
    assert len(server.accepted) == len(READERS)

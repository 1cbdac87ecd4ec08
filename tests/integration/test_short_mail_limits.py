"""The short mails of the web count towards the limits of the provider, with the digests."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.errors import ServerUnavailable
from digest.mail.links import links_for
from digest.mail.message import SenderIdentity
from digest.pipeline.confirm import confirm_changes
from digest.pipeline.deliver import deliver
from digest.pipeline.sending_limits import LimitedTransport
from digest.pipeline.signup_mails import send_signup_mails
from digest.service.bootstrap import Setup, build_cycle, load_setup
from digest.service.mail_setup import WriterSetup, build_writer
from digest.service.signup_sender import SignupSender
from digest.storage import rate_limit
from digest.storage.base import Store
from digest.storage.confirmations import PageChange
from digest.storage.factory import open_store
from digest.storage.rate_limit import Limits, Turn
from tests.fakes import FakeTransport
from tests.integration.mail_server import MailServer, serving
from tests.postgresql import database_of, take_back_databases
from tests.stores import outbox_of, sign_up

BASE = "https://digest.example.org"
SENDER = SenderIdentity(sender="digest@example.org", contact="library@example.org")
READERS = [f"reader{number}@example.org" for number in range(3)]
NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    is_file = request.param == "sqlite"
    with open_store(tmp_path / "digest.db" if is_file else database_of(tmp_path)) as opened:
        yield opened
    if not is_file:
        take_back_databases()


class Office:
    """Sends everything by one transport within limits, at `now`."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self.store, self.limits, self.now = store, limits, NOW
        self.transport = FakeTransport()

    @property
    def limited(self) -> LimitedTransport:
        return LimitedTransport(self.transport, self.store, self.limits, lambda: self.now, asyncio.Event())

    async def digests(self) -> int:
        writer = build_writer(WriterSetup(sender_identity=SENDER, base_url=None), links_for(None, self.store))
        report = await deliver(self.store, self.transport, writer, lambda: self.now, limits=self.limits)
        return report.sent

    async def signups(self) -> int:
        return await send_signup_mails(self.store, self.limited, SENDER, BASE, (), now=self.now)

    async def confirmations(self) -> int:
        return await confirm_changes(self.store, self.limited, SENDER, BASE, (), now=self.now)


async def test_a_day_has_no_more_mails_than_its_limit_of_digests_and_short_mails(store: Store) -> None:
    office = Office(store, Limits(per_day=6))
    outbox_of(store, *READERS)
    assert await office.digests() == 3
    sign_up(store, "cy@example.net", "di@example.net", now=NOW)
    assert await office.signups() == 2
    for reader in READERS:
        store.confirm(reader, PageChange.LINK, now=NOW)
    assert await office.confirmations() == 1
    sign_up(store, "eli@example.net", now=NOW)
    with pytest.raises(ServerUnavailable, match="daily limit reached until 2026-06-03 12:00 UTC"):
        await office.signups()
    assert await office.confirmations() == 0
    assert len(office.transport.taken) == 6
    office.now += DAY + timedelta(minutes=1)
    assert await office.signups() == 1
    assert await office.confirmations() == 2


async def test_a_short_mail_waits_for_its_turn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MINUTE", timedelta(seconds=0.2))
    office = Office(store, Limits(per_minute=2))
    sign_up(store, *(f"{number}@example.net" for number in range(5)), now=NOW)
    went: list[tuple[float, float]] = []
    reserve = store.reserve_sending

    def noted(limits: Limits, *, now: datetime) -> Turn:
        asked_at = time.monotonic()
        turn = reserve(limits, now=now)
        if not turn.wait:
            went.append((asked_at, time.monotonic()))
        return turn

    monkeypatch.setattr(store, "reserve_sending", noted)
    assert await office.signups() == 5
    for (first_asked_at, _), (_, third_given_at) in zip(went, went[2:], strict=False):
        assert third_given_at - first_asked_at >= 0.2, "three within the minute"
    assert len(went) == 5


async def test_without_limits_nothing_is_counted(store: Store) -> None:
    office = Office(store, Limits())
    sign_up(store, "cy@example.net", now=NOW)
    assert await office.signups() == 1
    assert store.reserve_sending(Limits(per_day=1), now=NOW).is_spent is False


def setup_of(folder: Path, port: int) -> Setup:
    """The settings of an installation whose provider takes two mails a day."""
    listed = "".join(f'[[subscriber]]\nemail = "{one}"\nkeywords = ["tea"]\n' for one in READERS)
    (folder / "subscribers.toml").write_text(listed)
    return load_setup(
        None,
        {
            "DIGEST_STATE": str(folder / "digest.db"),
            "DIGEST_SUBSCRIBERS": str(folder / "subscribers.toml"),
            "DIGEST_ARXIV__CONTACT": "lab@example.org",
            "DIGEST_SMTP__HOST": "127.0.0.1",
            "DIGEST_SMTP__PORT": str(port),
            "DIGEST_SMTP__SECURITY": "none",
            "DIGEST_SMTP__SENDER": SENDER.sender,
            "DIGEST_SMTP__MESSAGES_PER_DAY": "2",
            "DIGEST_WEB__BASE_URL": BASE,
        },
    )


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_service_keeps_the_limits_of_its_settings(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox_of(store, *READERS)
    sign_up(store, "cy@example.net", now=NOW)
    for reader in READERS:
        store.confirm(reader, PageChange.LINK, now=NOW)
    async with serving(MailServer()) as server:
        setup = setup_of(tmp_path, server.port)
        await SignupSender(store, lambda: setup, lambda: NOW).step()
        cycle = build_cycle(setup, store, clock=lambda: NOW)
        await cycle.finish(setup.subscribers, brakes=(), now=NOW)
        assert [mail.recipient for mail in server.accepted] == ["cy@example.net", READERS[0]]
        sign_up(store, "di@example.net", now=NOW)
        now = NOW
        sender = SignupSender(store, lambda: setup, lambda: now)
        for minutes in (0, 1, 16):
            now = NOW + timedelta(minutes=minutes)
            await sender.step()
        told = [line for line in caplog.messages if "mails of sign-ups wait" in line]
        assert len(told) == 2
        assert "daily limit reached until 2026-06-03 12:00 UTC" in told[0]
        assert (await cycle.deliver()).sent == 0
        assert len(server.accepted) == 2
        now = NOW + DAY + timedelta(minutes=1)
        await sender.step()
        assert server.accepted[-1].recipient == "di@example.net"

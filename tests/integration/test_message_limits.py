"""The limit of messages a minute over real connections and hosts, as the mail server counts them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from digest.mail.links import links_for
from digest.mail.message import SenderIdentity
from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.mail.transport import Outgoing, Receipt, Session, Transport
from digest.pipeline.deliver import DeliveryReport, deliver
from digest.service.mail_setup import WriterSetup, build_writer
from digest.storage import rate_limit
from digest.storage.base import Store
from digest.storage.factory import open_store
from digest.storage.rate_limit import Limits
from tests.integration.mail_server import Accepted, MailServer, serving
from tests.postgresql import database_of, take_back_databases
from tests.stores import outbox_of
from tests.waiting import LIMIT

LIMIT_OF_MAILS = 6
READERS = [f"reader{number}@example.org" for number in range(36)]
SPAN = 0.6
SENDER = SenderIdentity(sender="digest@example.org", contact="library@example.org")


class Counting(list[Accepted]):
    """When each mail came."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def append(self, one: Accepted) -> None:
        self.at.append(time.monotonic())
        super().append(one)


class Slow:
    """A network on which some mails are long on their way."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._random = Random(7)
        self.sessions = transport.sessions

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        async with self._transport.session() as session:
            yield SlowSession(session, self._random)


class SlowSession:
    def __init__(self, session: Session, random: Random) -> None:
        self._session = session
        self._random = random

    async def send(self, mail: Outgoing) -> Receipt:
        await asyncio.sleep(self._random.choice((0.0, 0.0, SPAN * 0.9)))
        return await self._session.send(mail)


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Store]]:
    """The state as each host has it: a file has one host, a database two."""
    is_file = request.param == "sqlite"
    with ExitStack() as stack:
        state = tmp_path / "digest.db" if is_file else database_of(tmp_path)
        yield [stack.enter_context(open_store(state)) for _ in range(1 if is_file else 2)]
    if not is_file:
        take_back_databases()


async def test_no_span_has_more_mails_than_the_limit_over_all_connections_and_hosts(
    stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "MINUTE", timedelta(seconds=SPAN))
    outbox_of(stores[0], *READERS)
    came = Counting()
    async with serving(MailServer(accepted=came)) as server, asyncio.timeout(LIMIT):
        reports = await asyncio.gather(*(_delivered(store, server.port) for store in stores))
    assert sum(report.sent for report in reports) == len(READERS)
    assert sorted(mail.recipient for mail in came) == sorted(READERS)
    spans = [later - earlier for earlier, later in zip(came.at, came.at[LIMIT_OF_MAILS:], strict=False)]
    assert min(spans) > SPAN


async def _delivered(store: Store, port: int) -> DeliveryReport:
    server = SmtpServer(host="127.0.0.1", port=port, security="none", connections=8)
    writer = build_writer(WriterSetup(sender_identity=SENDER, base_url=None), links_for(None, store))
    return await deliver(
        store,
        Slow(SmtpTransport(server)),
        writer,
        lambda: datetime.now(UTC),
        limits=Limits(per_minute=LIMIT_OF_MAILS),
    )

"""An installation with a source and a transport that do as they are told."""

import asyncio
from datetime import datetime, timedelta

from digest.channels.base import Service
from digest.channels.channel import Channel
from digest.mail.links import NO_LINKS
from digest.mail.transport import Outgoing
from digest.model.paper import Paper
from digest.pipeline.cycle import Cycle
from digest.pipeline.cycle_report import CycleReport
from digest.pipeline.serve_channel import ChannelJob
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber, moment
from tests.fakes import FakeSource, FakeTransport

MONDAY, TUESDAY, WEDNESDAY = (moment(f"2026-06-{day} 12:00") for day in (15, 16, 17))
LOOKBACK = timedelta(days=16)


def plain(mailing: Mailing) -> Outgoing:
    ids = " ".join(entry.paper.id for entry in mailing.digest.entries)
    return Outgoing(
        sender="digest@example.org", recipient=mailing.digest.email, message=ids.encode(), token=mailing.token
    )


class Installation:
    """A store, a source and a transport, run as of any moment."""

    def __init__(self, store: SqliteStore, *subscribers: Subscriber, group: int = 100) -> None:
        self.store = store
        self.source = FakeSource(group=group)
        self.transport = FakeTransport()
        self.write = plain
        self.lookback = LOOKBACK
        self.stop = asyncio.Event()
        self.subscribers = subscribers or (
            make_subscriber("ada@example.org", "tea"),
            make_subscriber("bo@example.org", "milk"),
        )
        self.services: dict[Channel, Service] = {}

    async def run(self, now: datetime, *papers: Paper, force: bool = False) -> CycleReport:
        self.source.papers = papers or self.source.papers
        return await self.cycle(now).run(force=force)

    def cycle(self, now: datetime) -> Cycle:
        return Cycle(
            sources=(self.source,),
            store=self.store,
            transport=self.transport,
            writer=lambda: self.write,
            stop=self.stop,
            subscribers=self.subscribers,
            channels=[self._job(channel, service, now) for channel, service in self.services.items()],
            lookback=self.lookback,
            clock=lambda: now,
        )

    def _job(self, channel: Channel, service: Service, now: datetime) -> ChannelJob:
        return ChannelJob(
            store=self.store,
            channel=channel,
            service=service,
            lookback=self.lookback,
            clock=lambda: now,
            links=lambda mailing: NO_LINKS,
            stop=self.stop,
        )

    def mails(self) -> list[tuple[str, str]]:
        """Who was mailed what since the last call, in order of the addresses."""
        taken = sorted((mail.recipient, mail.message.decode()) for mail in self.transport.taken)
        self.transport.taken.clear()
        return taken


TEA = invented_paper("2606.00001", "Tea leaves", submitted="2026-06-11 10:00")

"""A receiver of webhooks on loopback, which answers as it is told, and channels for it."""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from digest.channels.base import Post
from digest.channels.channel import Channel, Kind
from digest.config.parsing import channel_address
from digest.model.digest import Digest, Entry, Revision
from tests.factories import invented_paper, make_subscriber, moment

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/hooks/T0KEN-that-nobody-may-see"


@dataclass(slots=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def papers(self) -> list[str]:
        return [paper["id"] for paper in json.loads(self.body)["data"]["papers"]]


Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def accept(request: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


@dataclass(slots=True)
class Receiver:
    """What came, in its order. `respond` makes the next answers."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    respond: Respond = accept

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(headers, await request.read()))
        return await self.respond(request)

    def answer(self, status: int, **headers: str) -> None:
        async def respond(request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

        self.respond = respond


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{rest:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        receiver.url = f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"
        try:
            yield receiver
        finally:
            await runner.cleanup()


def make_channel(
    name: str = "lab", *keywords: str, url: str = "https://example.org/x", **more: Any
) -> Channel:
    return Channel(
        name=name,
        kind=Kind.WEBHOOK,
        title="Lab",
        follower=make_subscriber(channel_address(name), *keywords or ("tea",)),
        url=SecretStr(url),
        secret=SecretStr(SECRET),
        **more,
    )


def make_post(
    *papers: str, token: str = "t0", page: str | None = None, sent_at: datetime | None = None
) -> Post:
    found = [invented_paper(one, f"On tea {one}") for one in papers or ("2606.00001",)]
    digest = Digest(
        email="channel:lab",
        name=None,
        planned_at=moment("2026-06-16 07:00"),
        dated_on=date(2026, 6, 16),
        keywords=("tea", "milk"),
        names=(("tea", "hot"),),
        entries=tuple(Entry(paper, ("tea",)) for paper in found),
        revisions=(Revision(paper=invented_paper("2605.00009", version=3), from_version=1),),
    )
    return Post(token=token, title="Lab", digest=digest, sent_at=sent_at or datetime.now(UTC), page=page)

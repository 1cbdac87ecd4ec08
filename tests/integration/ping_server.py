"""A dead man's switch on loopback that answers as it is told, and remembers what it was asked."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(slots=True, kw_only=True)
class PingServer:
    """`statuses` are used up one by one, then 200. `asked` has method, address and body."""

    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.raw_path, await request.text()))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere"})


@asynccontextmanager
async def ping_server(*statuses: int) -> AsyncIterator[PingServer]:
    answers: Sequence[int] = statuses
    switch = PingServer(statuses=[*answers])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", switch.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        switch.url = str(server.make_url("")).rstrip("/")
        yield switch

"""A small zotero.org on loopback, as its API is documented: pages of items, keys, and being busy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True, kw_only=True)
class Zotero:
    """The items of one user, and `refusals`: how often it says that it is busy before it answers.

    With `strange`, that is its answer.
    """

    user: str
    key: str
    items: list[object]
    refusals: int = 0
    strange: str | None = None
    address: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        if request.headers.get("Zotero-API-Version") != "3":
            return web.Response(status=400)
        if request.headers.get("Zotero-API-Key") != self.key:
            return web.Response(status=403, text="Invalid key")
        if request.match_info["user"] != self.user:
            return web.Response(status=404, text="Not found")
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=429, headers={"Retry-After": "0"})
        if self.strange is not None:
            return web.Response(text=self.strange)
        start, limit = int(request.query["start"]), int(request.query["limit"])
        return web.json_response(self.items[start : start + limit])


@asynccontextmanager
async def serving(zotero: Zotero) -> AsyncIterator[Zotero]:
    app = web.Application()
    app.router.add_get("/users/{user}/items/top", zotero.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        zotero.address = f"http://{host}:{port}"
        yield zotero
    finally:
        await runner.cleanup()

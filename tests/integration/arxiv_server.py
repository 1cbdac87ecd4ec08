"""A small arXiv on loopback: scripted replies for what goes wrong, and a search over invented papers."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from zlib import crc32

from aiohttp import web

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]

FIRST_SUBMITTED_AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived; `started` is on the event loop's clock."""

    method: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]
    started: float


@dataclass(slots=True)
class ArxivServer:
    """Gives each request the next of `replies`, and the last of them for ever."""

    url: str
    replies: list[Reply]
    asked: list[Asked] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        started = asyncio.get_running_loop().time()
        form = {name: str(value) for name, value in (await request.post()).items()}
        fields = {**request.query, **form}
        self.asked.append(
            Asked(method=request.method, fields=fields, headers=request.headers, started=started)
        )
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        try:
            return await reply(request)
        finally:
            self.ended.append(asyncio.get_running_loop().time())


@asynccontextmanager
async def arxiv_server(*replies: Reply) -> AsyncIterator[ArxivServer]:
    """Serves at `url` until the block is left; requests that hang then are dropped."""
    server = ArxivServer("", list(replies))
    app = web.Application()
    app.router.add_route("*", "/api/query", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/query"
        yield server
    finally:
        await runner.cleanup()


def says(body: str | bytes, status: int = 200, **headers: str) -> Reply:
    """A reply of these bytes; `Retry_After="5"` becomes a header."""

    async def reply(request: web.Request) -> web.StreamResponse:
        content = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=content, status=status, headers=named)

    return reply


async def resets(request: web.Request) -> web.StreamResponse:
    """Drops the connection before a byte of an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def hangs(request: web.Request) -> web.StreamResponse:
    """Says nothing."""
    await asyncio.sleep(600)
    return web.Response()


def breaks_off(body: str) -> Reply:
    """Promises twice the body and closes the connection after it."""

    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(2 * len(body.encode()))})
        await response.prepare(request)
        await response.write(body.encode())
        if request.transport is not None:
            request.transport.close()
        return response

    return reply


async def drips(request: web.Request) -> web.StreamResponse:
    """A byte now and then, so that no single wait is long."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(10_000):
        await response.write(b" ")
        await asyncio.sleep(0.02)
    return response


def entry(
    identifier: str = "2606.00001v1",
    *,
    title: str = "On the walks of lost gnomes",
    abstract: str = "We follow gnomes.",
    authors: Sequence[str] = ("Ada Example",),
    categories: Sequence[str] = ("math.CO",),
    submitted_at: datetime = FIRST_SUBMITTED_AT,
    extra: str = "",
) -> str:
    """A paper as the search API writes it; texts are escaped, `extra` is XML."""
    terms = "".join(
        f'<category term="{term}" scheme="http://arxiv.org/schemas/atom"/>' for term in categories
    )
    names = "".join(f"<author><name>{escape(name)}</name></author>" for name in authors)
    stamp = submitted_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"""<entry>
    <id>http://arxiv.org/abs/{identifier}</id><title>{escape(title)}</title><updated>{stamp}</updated>
    <link href="https://arxiv.org/abs/{identifier}" rel="alternate" type="text/html"/>
    <summary>{escape(abstract)}</summary>{terms}<published>{stamp}</published>
    <arxiv:primary_category term="{categories[0]}"/>{names}{extra}
    </entry>"""


def feed(*entries: str, total: int | None = None, made_at: str | None = None) -> str:
    """An answer of the search API; without `made_at` it does not say when it was made."""
    updated = f"<updated>{made_at}</updated>" if made_at else ""
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom"
      xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/x</id><title>arXiv Query: search_query=gnome</title>
  {updated}
  <opensearch:totalResults>{len(entries) if total is None else total}</opensearch:totalResults>
  <opensearch:startIndex>0</opensearch:startIndex>
  {"".join(entries)}
</feed>"""


def error_entry(reason: str) -> str:
    """The search API's way to refuse."""
    return feed(
        "<entry><id>https://arxiv.org/api/errors#x</id><title>Error</title>"
        f"<updated>2026-06-16T12:00:00Z</updated><summary>{escape(reason)}</summary></entry>"
    )


def searches(papers: Mapping[str, datetime]) -> Reply:
    """Finds all of `papers` (identifier to submission) in the window; ties come in a new order each time."""
    pages = 0

    async def reply(request: web.Request) -> web.StreamResponse:
        nonlocal pages
        pages += 1
        fields = {**request.query, **(await request.post())}
        window = re.search(r"AND submittedDate:\[(\d{12}) TO (\d{12})\]$", str(fields["search_query"]))
        if window is None:
            return web.Response(status=500, text=error_entry("bad date range"))
        low, high = (datetime.strptime(end, "%Y%m%d%H%M").replace(tzinfo=UTC) for end in window.groups())
        inside = [
            (at, crc32(f"{pages} {name}".encode()), name) for name, at in papers.items() if low <= at <= high
        ]
        page = sorted(inside, reverse=True)[: int(str(fields["max_results"]))]
        entries = [entry(f"{name}v1", submitted_at=at) for at, _, name in page]
        return web.Response(text=feed(*entries, total=len(inside)), content_type="application/atom+xml")

    return reply


def papers_every(step: timedelta, count: int) -> dict[str, datetime]:
    """`count` identifiers, the oldest first, submitted `step` apart."""
    return {f"2606.{number:05}": FIRST_SUBMITTED_AT + number * step for number in range(count)}

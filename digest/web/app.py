"""HTTP around the site: routes, limits, headers, and what is said when something is not there."""

import asyncio
import json
import logging
import math
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.typedefs import Middleware

from digest.errors import StateError
from digest.store import Store
from digest.web.clients import Guesses, client_of, network_of
from digest.web.metrics import Metrics
from digest.web.pages import Pages
from digest.web.site import Found, Site
from digest.web_settings import Web

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LONGEST_BODY = 64 * 1024
"""A form with some hundred keywords; anything larger is refused (413)."""

LONGEST_ANSWER = 30.0
"""Seconds for reading a request's body and answering it, and for the other side to take in some of that."""

_THREADS = 2
_FORM = "application/x-www-form-urlencoded"
_FORWARDED = ("X-Forwarded-For", "Forwarded")

_SAID = {
    404: ("Not found", "There is nothing at this address. Look whether the link in the mail was cut off."),
    405: ("Not possible", "This address does not take such a request."),
    413: ("Too large", "More was sent than this page takes."),
    429: ("Later, please", "Too many wrong links came from your network. Try again in a few minutes."),
    503: ("Later, please", "The page cannot be made now. Try again in a few minutes."),
}


class Application:
    """Answers requests, with the slow parts in threads of its own, so that it holds up nobody's mail."""

    def __init__(self, *, settings: Web, site: Site, pages: Pages, store: Store, metrics: Metrics) -> None:
        self._settings = settings
        self._site = site
        self._pages = pages
        self._store = store
        self._metrics = metrics
        self._guesses = Guesses()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="web")

    def application(self, clock: Callable[[], datetime]) -> web.Application:
        """`clock` tells the age of the last fetch."""
        site = self._site
        app = web.Application(client_max_size=LONGEST_BODY, middlewares=[self._answering()])
        app.on_response_prepare.append(self._add_headers)
        app.on_cleanup.append(self._close)
        app.add_routes(
            [
                web.get("/u/{token}", self._showing(site.leaving)),
                # RFC 8058, 3.2: whatever the form says, the request itself is the wish.
                web.post("/u/{token}", self._showing(site.leave)),
                web.get("/p/{token}", self._showing(site.preferences)),
                web.post("/p/{token}", self._prefer),
                web.get("/d/{token}", self._showing(site.digest)),
                web.get("/d/{token}/feed.atom", self._showing(site.digest_feed)),
                web.get("/k/{token}", self._showing(site.keyword)),
                web.get("/k/{token}/feed.atom", self._showing(site.keyword_feed)),
                web.get("/f/{token}/feed.atom", self._showing(site.reader_feed)),
                web.get("/robots.txt", self._robots),
                web.get("/healthz", self._health(clock)),
                web.get("/metrics", self._figures),
            ]
        )
        return app

    # The pages.

    def _showing(self, page: Callable[[str], Found | None]) -> _Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            return await self._found(request, page)

        return show

    async def _prefer(self, request: web.Request) -> web.StreamResponse:
        self._refuse_guessers(request)
        if request.content_type != _FORM:
            raise web.HTTPUnsupportedMediaType
        sent = parse_qs((await request.read()).decode(errors="replace"), keep_blank_values=True)
        return await self._found(request, lambda token: self._site.prefer(token, sent))

    async def _found(self, request: web.Request, page: Callable[[str], Found | None]) -> web.StreamResponse:
        """What the token leads to; a wrong one is counted."""
        network = self._refuse_guessers(request)
        token = request.match_info["token"]
        found = await self._in_thread(lambda: page(token))
        if found is None:
            self._guesses.count(network, _now())
            raise web.HTTPNotFound
        return web.Response(
            body=found.body,
            status=422 if found.is_refused else 200,
            content_type="application/atom+xml" if found.is_feed else "text/html",
            charset="utf-8",
        )

    def _refuse_guessers(self, request: web.Request) -> str:
        """The network that asks. Raises where it has tried too many wrong tokens."""
        forwarded = request.headers.getall("X-Forwarded-For", [])
        network = network_of(client_of(request.remote, forwarded, self._settings.trusted_proxies))
        if wait := self._guesses.wait(network, _now()):
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(math.ceil(wait))})
        return network

    # For machines.

    async def _robots(self, request: web.Request) -> web.StreamResponse:
        refused = ("/u/", "/p/", "/f/") if self._settings.robots else ("/",)
        lines = ("User-agent: *", *(f"Disallow: {path}" for path in refused))
        return web.Response(text="".join(f"{line}\n" for line in lines))

    def _health(self, clock: Callable[[], datetime]) -> _Handler:
        async def health(request: web.Request) -> web.StreamResponse:
            figures = await self._in_thread(self._store.figures)
            at = figures.fetched_at
            told = {
                "status": "ok",
                "last_fetch_at": at and at.isoformat(),
                "last_fetch_age_seconds": at and round((clock() - at).total_seconds()),
            }
            return web.Response(text=json.dumps(told), content_type="application/json")

        return health

    async def _figures(self, request: web.Request) -> web.StreamResponse:
        """Not for what came through a proxy: that is the world."""
        if any(name in request.headers for name in _FORWARDED):
            raise web.HTTPNotFound
        figures = await self._in_thread(self._store.figures)
        sources = await self._in_thread(self._store.fetched_at)
        return web.Response(
            body=self._metrics.exposition(figures, sources),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    # Around them all.

    def _answering(self) -> Middleware:
        @web.middleware
        async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
            _drop_who_reads_nothing(request)
            try:
                async with asyncio.timeout(LONGEST_ANSWER):
                    response = await handler(request)
            except web.HTTPException as error:
                response = self._saying(error.status, {**error.headers})
            except (StateError, TimeoutError) as error:
                _log.error("a page could not be made: %s", str(error) or "it took too long")
                response = self._saying(503, {"Retry-After": "120"})
            resource = request.match_info.route.resource
            self._metrics.answered(resource.canonical if resource else "other", response.status)
            return response

        return answer

    def _saying(self, status: int, headers: dict[str, str]) -> web.Response:
        title, text = _SAID.get(status, ("Not possible", "This request cannot be answered."))
        kept = {name: value for name, value in headers.items() if name in {"Allow", "Retry-After"}}
        html = self._pages.message(title, text)
        return web.Response(text=html, status=status, content_type="text/html", headers=kept)

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(
            {
                "Content-Security-Policy": self._pages.policy,
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
                "X-Frame-Options": "DENY",
                "Cache-Control": "no-store",
            }
        )
        del response.headers["Server"]
        if not (self._settings.robots and request.path.startswith(("/d/", "/k/"))):
            response.headers["X-Robots-Tag"] = "noindex, nofollow"

    async def _in_thread(self, ask: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def _close(self, app: web.Application) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def _drop_who_reads_nothing(request: web.Request) -> None:
    """The system ends the connection where what was sent stays untaken (RFC 5482); only Linux can."""
    connection = request.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(LONGEST_ANSWER * 1000))


def _now() -> float:
    return asyncio.get_running_loop().time()

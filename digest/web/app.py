"""HTTP around the site: routes, limits, headers and error pages."""

import asyncio
import hmac
import json
import logging
import math
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from digest.config.web_settings import Web
from digest.errors import StateError
from digest.mail.citations import Format
from digest.mail.citations.writer import FILE_TYPES
from digest.storage.report_stores import FiguresStore
from digest.web.client_address import TokenGuesses, client_for, network_for, parse_hops
from digest.web.connections import Connection, where_of
from digest.web.judging import JudgingSite
from digest.web.metrics import Metrics
from digest.web.pages import Pages
from digest.web.site import Found, Site

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LONGEST_BODY = 64 * 1024
"""Enough for a form with some hundred keywords; larger bodies are refused (413)."""

LONGEST_ANSWER = 30.0
"""Seconds to read and answer a request, and for the client to accept some of the answer."""

LONGEST_UPLOAD = 10.0
"""Seconds of these for the body."""

LONGEST_QUEUE = 5.0
"""Seconds until a change must have begun; later it is not made."""

BODIES_AT_ONCE = 32
BODIES_OF_ONE_NETWORK = 8

_THREADS = 2
_FORM = "application/x-www-form-urlencoded"

_SAID = {
    400: ("Not understood", "This is not a request of a browser."),
    404: (
        "Not found",
        "There is no page at this address. Check whether the link in the mail is cut off, or old.",
    ),
    405: ("Not possible", "This address does not accept such a request."),
    408: ("Too slow", "The request was not complete in time. Nothing was changed. Try again."),
    413: ("Too large", "The request is larger than this page accepts. Nothing was changed."),
    415: ("Not understood", "This page accepts only its own form. Nothing was changed."),
    429: ("Later, please", "Too many such requests came from your network. Try again in a few minutes."),
    500: ("Server error", "The page cannot be shown. The log of the server has the cause."),
    503: ("Later, please", "The page cannot be shown now. Try again in a few minutes."),
}

_UNCHANGED = "Nothing was changed: the server is busy. Try again in a few minutes."
_UNCERTAIN = (
    "This takes long, and it is not certain whether it was done. Check your page again in a few minutes."
)


class Application:
    """Answers requests. Slow parts run in threads of its own, so that mails are not delayed."""

    def __init__(
        self,
        *,
        settings: Web,
        site: Site,
        judging: JudgingSite,
        pages: Pages,
        store: FiguresStore,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._site = site
        self._judging = judging
        self._pages = pages
        self._store = store
        self._metrics = metrics
        self._guesses = TokenGuesses()
        self._bodies: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="web")
        # Changes wait for other writers; requests that only read must not wait behind them.
        self._changes = ThreadPoolExecutor(1, thread_name_prefix="web-changes")

    def application(self, clock: Callable[[], datetime]) -> web.Application:
        """`clock` is for the age of the last fetch."""
        site = self._site
        app = web.Application(client_max_size=LONGEST_BODY, middlewares=[self._answering()])
        app.on_response_prepare.append(self._add_headers)
        app.on_cleanup.append(self._close)
        app.add_routes(
            [
                web.get("/u/{token}", self._showing(site.leaving)),
                # RFC 8058, 3.2: the request itself unsubscribes, with any content of the form.
                web.post("/u/{token}", self._leave),
                web.get("/b/{token}", self._showing(site.undoing)),
                web.post("/b/{token}", self._undo),
                web.get("/p/{token}", self._showing(site.preferences)),
                web.post("/p/{token}", self._prefer),
                *(
                    web.get(f"/d/{{token}}.{file_type.extension}", self._showing(self._references(form)))
                    for form, file_type in FILE_TYPES.items()
                ),
                web.get("/d/{token}", self._showing(site.digest)),
                web.get("/d/{token}/feed.atom", self._showing(site.digest_feed)),
                web.get("/i/{token}", self._showing(self._judging.digest)),
                web.get("/i/{token}/{verdict}/{paper:.+}", self._ask_verdict),
                web.post("/i/{token}/{verdict}/{paper:.+}", self._judge),
                web.get("/k/{token}", self._showing(site.keyword)),
                web.get("/k/{token}/feed.atom", self._showing(site.keyword_feed)),
                web.get("/f/{token}/feed.atom", self._showing(site.subscriber_feed)),
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

    def _references(self, form: Format) -> Callable[[str], Found | None]:
        return lambda token: self._site.digest_references(token, form)

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        return await self._found(request, self._site.leave, asking=self._in_turn)

    async def _undo(self, request: web.Request) -> web.StreamResponse:
        return await self._found(request, self._site.undo, asking=self._in_turn)

    async def _ask_verdict(self, request: web.Request) -> web.StreamResponse:
        return await self._found(request, lambda token: self._judging.asking(token, *_judged_in(request)))

    async def _judge(self, request: web.Request) -> web.StreamResponse:
        return await self._found(
            request,
            lambda token: self._judging.judge(token, *_judged_in(request)),
            asking=self._in_turn,
        )

    async def _prefer(self, request: web.Request) -> web.StreamResponse:
        """Checks the token before it waits for the body: a wrong token must not occupy a place."""
        if request.content_type != _FORM:
            raise web.HTTPUnsupportedMediaType
        await self._found(request, self._site.is_of_subscriber)
        async with self._place_for_body(self._network(request)):
            body = await _body_of(request)
        sent = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        return await self._found(
            request, lambda token: self._site.save_preferences(token, sent), asking=self._in_turn
        )

    async def _found(
        self,
        request: web.Request,
        page: Callable[[str], Found | None],
        *,
        asking: Callable[[Callable[[], Found | None]], Awaitable[Found | None]] | None = None,
    ) -> web.StreamResponse:
        """The page of a token. Wrong tokens are counted by network and limited."""
        token = request.match_info["token"]
        found = await (asking or self._in_thread)(lambda: page(token))
        if found is None:
            raise self._refusal_of_guess(self._network(request))
        saved_as = f'attachment; filename="{found.filename}"'
        return web.Response(
            body=found.body,
            status=422 if found.is_refused else 200,
            content_type=found.content_type,
            charset="utf-8",
            headers={"Content-Disposition": saved_as} if found.filename else None,
        )

    def _refusal_of_guess(self, network: str) -> web.HTTPException:
        if not network:
            return web.HTTPNotFound()
        if wait := self._guesses.wait(network, _now()):
            return web.HTTPTooManyRequests(headers={"Retry-After": str(math.ceil(wait))})
        self._guesses.count(network, _now())
        return web.HTTPNotFound()

    @asynccontextmanager
    async def _place_for_body(self, network: str) -> AsyncIterator[None]:
        """Raises if too many bodies are being sent already, in total or by that network."""
        if self._bodies.total() >= BODIES_AT_ONCE or (
            network and self._bodies[network] >= BODIES_OF_ONE_NETWORK
        ):
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(round(LONGEST_UPLOAD))})
        self._bodies[network] += 1
        try:
            yield
        finally:
            self._bodies[network] -= 1
            if not self._bodies[network]:
                del self._bodies[network]

    def _network(self, request: web.Request) -> str:
        """The network of the client; empty if a trusted proxy does not send it."""
        hops = parse_hops(
            request.headers.getall("X-Forwarded-For", []), request.headers.getall("Forwarded", [])
        )
        return network_for(client_for(request.remote, hops, self._settings.trusted_proxies))

    # For machines.

    async def _robots(self, request: web.Request) -> web.StreamResponse:
        refused = ("/u/", "/p/", "/f/", "/b/", "/i/") if self._settings.robots else ("/",)
        lines = ("User-agent: *", *(f"Disallow: {path}" for path in refused))
        return web.Response(text="".join(f"{line}\n" for line in lines))

    def _health(self, clock: Callable[[], datetime]) -> _Handler:
        async def health(request: web.Request) -> web.StreamResponse:
            figures = await self._in_thread(self._store.figures)
            at = figures.fetched_at
            answer = {
                "status": "ok",
                "last_fetch_at": at and at.isoformat(),
                "last_fetch_age_seconds": at and round((clock() - at).total_seconds()),
                "client_is_known": bool(self._network(request)),
            }
            return web.Response(text=json.dumps(answer), content_type="application/json")

        return health

    async def _figures(self, request: web.Request) -> web.StreamResponse:
        """Needs the token or the address for metrics; for all others the page does not exist.

        A request does not show whether it came through a proxy: not every proxy adds a header.
        """
        protocol = request.protocol
        is_private = isinstance(protocol, Connection) and protocol.is_private
        if not is_private and not self._has_metrics_token(request):
            raise web.HTTPNotFound
        figures = await self._in_thread(self._store.figures)
        sources = await self._in_thread(self._store.fetched_at)
        return web.Response(
            body=self._metrics.exposition(figures, sources),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    def _has_metrics_token(self, request: web.Request) -> bool:
        """RFC 6750, section 2.1."""
        wanted = self._settings.metrics_token
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        if wanted is None or scheme.lower() != "bearer":
            return False
        given, known = sent.strip(), wanted.get_secret_value()
        return hmac.compare_digest(given.encode(errors="replace"), known.encode())

    # Around them all.

    def _answering(self) -> Middleware:
        @web.middleware
        async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
            _note_turn(request)
            _limit_unread_answer(request)
            resource = request.match_info.route.resource
            page = resource.canonical if resource else "other"
            response = await self._answer(request, handler, page)
            if request.body_exists and not request.content.is_eof():
                response.force_close()  # the client must stop sending what is not read
            self._metrics.answered(page, response.status)
            _note_turn(request)
            return response

        return answer

    async def _answer(self, request: web.Request, handler: _Handler, page: str) -> web.StreamResponse:
        is_change = request.method == "POST"
        try:
            async with asyncio.timeout(LONGEST_ANSWER):
                return await handler(request)
        except web.HTTPException as error:
            return self.saying(error.status, {**error.headers})
        except StateError as error:
            _log.error("a page could not be made page=%s cause=%s", page, error)
            return self.saying(503, {"Retry-After": "120"}, _UNCHANGED if is_change else None)
        except TimeoutError:
            _log.error("a page could not be made page=%s cause=it took too long", page)
            return self.saying(503, {"Retry-After": "120"}, _UNCERTAIN if is_change else None)
        except Exception as error:  # its text may hold parts of the request
            _log.error("a page could not be made page=%s cause=%s", page, where_of(error))
            return self.saying(500, {}, _UNCERTAIN if is_change else None)

    def saying(
        self, status: int, headers: dict[str, str] | None = None, text: str | None = None
    ) -> web.Response:
        """An error page; `text` replaces the usual text of the status."""
        title, usual = _SAID.get(status, ("Not possible", "This request cannot be answered."))
        kept = {name: value for name, value in (headers or {}).items() if name in {"Allow", "Retry-After"}}
        html = self._pages.message(title, text or usual)
        return web.Response(text=html, status=status, content_type="text/html", headers=kept)

    def refusal(self, status: int) -> web.Response:
        """The answer to a request that is not HTTP, with all headers: the application adds none."""
        response = self.saying(status)
        response.headers.update(self._safe_headers())
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        response.headers["Server"] = "digest"  # instead of names and versions of libraries
        return response

    def _safe_headers(self) -> dict[str, str]:
        return {
            "Content-Security-Policy": self._pages.policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cache-Control": "no-store",
        }

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._safe_headers())
        del response.headers["Server"]
        if not (self._settings.robots and request.path.startswith(("/d/", "/k/"))):
            response.headers["X-Robots-Tag"] = "noindex, nofollow"

    async def _in_thread(self, ask: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def _in_turn(self, change: Callable[[], _T]) -> _T:
        """Makes a change. If it could not begin in time, it is not made, and this raises."""
        job = self._changes.submit(change)
        waiting = asyncio.wrap_future(job)
        done, _ = await asyncio.wait({waiting}, timeout=LONGEST_QUEUE)
        if not done and job.cancel():
            raise StateError("the state", "other processes are writing it", is_passing=True)
        return await waiting

    async def _close(self, app: web.Application) -> None:
        for threads in (self._threads, self._changes):
            await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)


def _judged_in(request: web.Request) -> tuple[str, str]:
    """The verdict and the paper in the address."""
    return request.match_info["verdict"], request.match_info["paper"]


async def _body_of(request: web.Request) -> bytes:
    """The complete body. Raises `HTTPException` if it does not arrive or is not valid HTTP."""
    try:
        async with asyncio.timeout(LONGEST_UPLOAD):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError, ValueError):
        raise web.HTTPBadRequest from None


def _note_turn(request: web.Request) -> None:
    if isinstance(request.protocol, Connection):
        request.protocol.turn_at = _now()


def _limit_unread_answer(request: web.Request) -> None:
    """The system ends a connection whose client reads nothing (RFC 5482); Linux only."""
    connection = request.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(LONGEST_ANSWER * 1000))


def _now() -> float:
    return asyncio.get_running_loop().time()

"""What the areas of the pages share: threads, bodies within limits, wrong tokens, the client's network."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from digest.config.web_settings import Network
from digest.errors import StateError
from digest.web.client_address import TokenGuesses, client_for, network_for, parse_hops
from digest.web.context import Found

_T = TypeVar("_T")
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

LONGEST_UPLOAD = 10.0
"""Seconds for the body of a request."""

LONGEST_QUEUE = 5.0
"""Seconds until a change must have begun; later it is not made."""

BODIES_AT_ONCE = 32
BODIES_OF_STRANGERS = 16
"""The other places are for those who have a token, or signed in."""

BODIES_OF_ONE_NETWORK = 8

_THREADS = 2
_FORM = "application/x-www-form-urlencoded"


class Frame:
    """Runs what areas ask for. Slow parts run in separate threads, so that mails are not delayed."""

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._trusted_proxies = trusted_proxies
        self._guesses = TokenGuesses()
        self._bodies: Counter[str] = Counter()
        self._of_strangers = 0
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="web")
        # Changes wait for other writers; requests that only read must not wait behind them.
        self._changes = ThreadPoolExecutor(1, thread_name_prefix="web-changes")

    async def in_thread(self, ask: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def in_turn(self, change: Callable[[], _T]) -> _T:
        """Makes a change. If it could not begin in time, it is not made, and this raises."""
        job = self._changes.submit(change)
        waiting = asyncio.wrap_future(job)
        done, _ = await asyncio.wait({waiting}, timeout=LONGEST_QUEUE)
        if not done and job.cancel():
            raise StateError("the state", "other processes are writing it", is_passing=True)
        return await waiting

    async def found_for(
        self, request: web.Request, page: Callable[[str], Found | None], *, in_turn: bool = False
    ) -> web.StreamResponse:
        """The page of the token in the address. Wrong tokens are counted by network and limited."""
        token = request.match_info["token"]
        found = await (self.in_turn if in_turn else self.in_thread)(lambda: page(token))
        if found is None:
            raise self._refusal_of_guess(self.network(request))
        return response_for(found)

    def showing(self, page: Callable[[str], Found | None], *, in_turn: bool = False) -> Handler:
        """A handler that answers with the page of the token in the address."""

        async def show(request: web.Request) -> web.StreamResponse:
            return await self.found_for(request, page, in_turn=in_turn)

        return show

    async def form(self, request: web.Request, *, of_stranger: bool = False) -> Mapping[str, Sequence[str]]:
        """The fields of a form. Raises `HTTPException` if it is none, or does not arrive in time.

        `of_stranger`: anybody may send it. Those together leave places for others.
        """
        require_form(request)
        async with self._place_for_body(self.network(request), of_stranger=of_stranger):
            body = await _body_of(request)
        return parse_qs(body.decode(errors="replace"), keep_blank_values=True)

    def network(self, request: web.Request) -> str:
        """The network of the client; empty if a trusted proxy does not send it."""
        hops = parse_hops(
            request.headers.getall("X-Forwarded-For", []), request.headers.getall("Forwarded", [])
        )
        return network_for(client_for(request.remote, hops, self._trusted_proxies))

    async def close(self) -> None:
        for threads in (self._threads, self._changes):
            await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)

    def _refusal_of_guess(self, network: str) -> web.HTTPException:
        if not network:
            return web.HTTPNotFound()
        if wait := self._guesses.wait(network, _now()):
            return web.HTTPTooManyRequests(headers={"Retry-After": str(math.ceil(wait))})
        self._guesses.count(network, _now())
        return web.HTTPNotFound()

    @asynccontextmanager
    async def _place_for_body(self, network: str, *, of_stranger: bool) -> AsyncIterator[None]:
        """Raises if too many bodies are being sent already, in total, by strangers or by that network."""
        if (
            self._bodies.total() >= BODIES_AT_ONCE
            or (of_stranger and self._of_strangers >= BODIES_OF_STRANGERS)
            or (network and self._bodies[network] >= BODIES_OF_ONE_NETWORK)
        ):
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(round(LONGEST_UPLOAD))})
        self._bodies[network] += 1
        self._of_strangers += of_stranger
        try:
            yield
        finally:
            self._of_strangers -= of_stranger
            self._bodies[network] -= 1
            if not self._bodies[network]:
                del self._bodies[network]


class Area(Protocol):
    """Some of the pages: their addresses, and what is answered there. It holds no SQL."""

    def routes(self) -> Iterable[web.RouteDef]: ...


def require_form(request: web.Request) -> None:
    """Raises `HTTPException` if the body is said to be something else than a form."""
    if request.content_type != _FORM:
        raise web.HTTPUnsupportedMediaType


def response_for(found: Found) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{found.filename}"'} if found.filename else {}
    if found.policy:
        headers["Content-Security-Policy"] = found.policy
    return web.Response(
        body=found.body,
        status=422 if found.is_refused else 200,
        content_type=found.content_type,
        charset="utf-8",
        headers=headers,
    )


async def _body_of(request: web.Request) -> bytes:
    """The complete body. Raises `HTTPException` if it does not arrive or is not valid HTTP."""
    try:
        async with asyncio.timeout(LONGEST_UPLOAD):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError, ValueError):
        raise web.HTTPBadRequest from None


def _now() -> float:
    return asyncio.get_running_loop().time()

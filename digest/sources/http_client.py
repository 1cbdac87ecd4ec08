"""The HTTP client for all requests to arXiv: with pauses, retries, and size limits."""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from yarl import URL

from digest.config.parsing import is_loopback
from digest.errors import BadDocument, Refused, SourceError, Throttled, Unreachable
from digest.sources.arxiv.search_api_parser import error_reason
from digest.sources.network_errors import no_answer
from digest.sources.proxies import proxy_for
from digest.sources.rate_limiter import RateLimiter

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_LONGEST_URL = 2_000
_MOST_REDIRECTS = 3
_LONGEST_PAUSE = timedelta(minutes=10)
"""If arXiv asks to wait for longer, only the next fetch asks again."""

_SHORT_TRY = 5.0
"""Seconds for a request after the patience is used up: another server of arXiv may answer."""

_CHUNK = 64 * 1024
_BUSY = {
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_MOVED = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}
# Without an Accept header arXiv has answered 406.
_ACCEPT = "application/atom+xml, application/xml, text/xml, application/rss+xml, */*;q=0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How to ask. `contact` is the operator's mail address, which arXiv asks for.

    A failed request is repeated after `retry_pause`, which doubles each time, up to `tries` requests.
    `timeout` is for one whole answer: a 429 of arXiv may take two minutes to arrive.
    `patience` is how long a person waits without any answer. Then nothing is repeated, and other requests get
    one short try. `None` waits for all tries.
    """

    contact: str | None
    version: str
    retry_pause: timedelta
    tries: int = 5
    timeout: timedelta = timedelta(seconds=150)
    max_bytes: int = 64 * 1024 * 1024
    patience: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One request; `url` is the configured address, for messages; `address` is the full one."""

    url: str
    address: URL
    form: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


class PoliteClient:
    """Sends one request at a time, each with a turn of the rate limiter.

    `requests` counts all that were sent, also those that failed, were redirected or were sent again.
    `notice` is called before each request. `tell` is called for each failure that will be repeated, and for
    waiting on another process.
    `clock_lead` is how far this machine's clock was ahead of the server's, from the last answer with a date.
    """

    def __init__(self, settings: ClientSettings, rate_limiter: RateLimiter) -> None:
        self.requests = 0
        self.notice: Callable[[int], None] = lambda requests: None
        self.notify: Callable[[str], None] = lambda text: None
        self.clock_lead: timedelta | None = None
        self._last_heard: float | None = None
        self._settings = settings
        self._rate_limiter = rate_limiter
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        contact = f" (+mailto:{self._settings.contact})" if self._settings.contact else ""
        self._session = aiohttp.ClientSession(
            # A connection that stays open would be a second one beside another process's.
            connector=aiohttp.TCPConnector(limit=1, force_close=True),
            middlewares=(_send_once,),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout.total_seconds()),
            headers={"User-Agent": f"arxiv-digest/{self._settings.version}{contact}", "Accept": _ACCEPT},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, url: str, fields: Mapping[str, str], understand: Callable[[bytes], _T]) -> _T:
        """The answer to `fields` at `url`, parsed by `understand`: by GET, or by POST if it is too long.

        `understand` runs in a thread. It raises a `SourceError` for an answer that is not usable or
        not plausible; then the request is repeated, as after any failure.
        Raises the last `SourceError`, or `StateError` when the file of the rate limiter cannot be used.
        """
        question = _question(url, fields)
        attempt = 1
        while True:
            try:
                answer = await asyncio.to_thread(understand, await self._fetch_in_time(question))
            except SourceError as error:
                pause = _pause(self._settings.retry_pause, attempt, error)
                if attempt >= self._settings.tries or pause > self._patience_left() or _is_put_off(error):
                    raise
                again_at = datetime.now().astimezone() + timedelta(seconds=pause)
                self.notify(
                    f"{error.reason.rpartition('; ')[0] or error.reason} ({url}); next try at"
                    f" {again_at:%H:%M:%S}, try {attempt + 1} of {self._settings.tries}"
                )
                _log.warning(
                    "arXiv request failed url=%s attempt=%d tries=%d pause_seconds=%.1f cause=%s",
                    url, attempt, self._settings.tries, pause, error.reason,
                )  # fmt: skip
            else:
                self._last_heard = asyncio.get_running_loop().time()
                return answer
            await asyncio.sleep(pause)
            attempt += 1

    def _patience_left(self) -> float:
        """Seconds that are left; each good answer starts the patience again."""
        if self._settings.patience is None:
            return math.inf
        now = asyncio.get_running_loop().time()
        self._last_heard = now if self._last_heard is None else self._last_heard
        return self._settings.patience.total_seconds() - (now - self._last_heard)

    async def _fetch_in_time(self, question: _Question) -> bytes:
        left = max(self._patience_left(), _SHORT_TRY)
        self._rate_limiter.notify = self._notify_of_turn
        try:
            async with asyncio.timeout(left if left < math.inf else None):
                return await self._fetch(question)
        except TimeoutError as error:
            why = self._rate_limiter.waits_for or "arXiv does not answer"
            raise Unreachable(
                question.url, f"no answer within {left:.0f} s ({why}); try again later"
            ) from error

    def _notify_of_turn(self, text: str) -> None:
        _log.warning("waiting for the turn to ask arXiv cause=%s", text)
        self.notify(text)

    async def _fetch(self, question: _Question) -> bytes:
        for _ in range(1 + _MOST_REDIRECTS):
            async with self._rate_limiter.turn():
                reply = await self._request(question)
            if reply.status not in _MOVED:
                return _accepted(question.url, reply)
            question = replace(question, address=_new_address(question, reply))
        raise BadDocument(question.url, f"redirected more than {_MOST_REDIRECTS} times; check the address")

    async def _request(self, question: _Question) -> _Reply:
        if self._session is None:
            raise RuntimeError("PoliteClient is used outside of its `async with`")
        method = "GET" if question.form is None else "POST"
        proxy = proxy_for(str(question.address))
        self.requests += 1
        self.notice(self.requests)
        try:
            async with self._session.request(
                method, question.address, data=question.form, allow_redirects=False, proxy=proxy
            ) as response:
                lead = _lead(response.headers)
                self.clock_lead = self.clock_lead if lead is None else lead
                body = await self._read(response, question.url)
                return _Reply(status=response.status, headers=response.headers, body=body)
        except TimeoutError as error:
            seconds = self._settings.timeout.total_seconds()
            raise Unreachable(
                question.url, f"no complete answer within {seconds:.0f} s; try again later"
            ) from error
        except aiohttp.ClientPayloadError as error:
            raise BadDocument(question.url, "the answer was cut off; try again later") from error
        except _Lost as lost:
            raise Unreachable(question.url, no_answer(lost.error)) from lost
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(question.url, no_answer(error)) from error

    async def _read(self, response: aiohttp.ClientResponse, url: str) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > self._settings.max_bytes:
                limit = self._settings.max_bytes // 1024
                raise BadDocument(url, f"the answer is larger than {limit} KiB")
        return bytes(body)


class _Lost(Exception):
    """`error` ended the connection."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__(str(error))
        self.error = error


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Prevents aiohttp from repeating a GET at once, uncounted, if a connection is lost."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost(error) from error


def _question(url: str, fields: Mapping[str, str]) -> _Question:
    address = URL(url)
    asked = address.update_query(fields)
    if len(str(asked)) <= _LONGEST_URL:
        return _Question(url=url, address=asked, form=None)
    return _Question(url=url, address=address, form=fields)


def _accepted(url: str, reply: _Reply) -> bytes:
    """The body of a successful answer. Raises `SourceError` for others."""
    if reply.status in _BUSY:
        said = f"arXiv is overloaded or wants fewer requests ({_status(reply)}"
        raise Throttled(url, f"{said}{_asked_wait(reply)}", _wait(reply))
    if reply.status != HTTPStatus.OK:
        words = error_reason(reply.body) or "no reason given; check the address"
        raise Refused(url, f"arXiv refused the request ({_status(reply)}): {words}")
    start = reply.body[:200].strip().lower()
    if start.startswith(b"rate exceeded"):
        said = f"arXiv wants fewer requests (“Rate exceeded.”{_asked_wait(reply)}"
        raise Throttled(url, said, _wait(reply))
    if start.startswith((b"<!doctype html", b"<html")):
        raise BadDocument(
            url, "the answer is a web page, for example of an overloaded server or a proxy; try again later"
        )
    return reply.body


def _status(reply: _Reply) -> str:
    try:
        return f"HTTP {reply.status} {HTTPStatus(reply.status).phrase}"
    except ValueError:
        return f"HTTP {reply.status}"


def _wait(reply: _Reply) -> timedelta | None:
    """The time in `Retry-After` (RFC 9110, 10.2.3: seconds or a date), if it is valid."""
    text = reply.headers.get("Retry-After", "").strip()
    try:
        if text.isdecimal():
            return timedelta(seconds=int(text))
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment - datetime.now(UTC), timedelta(0))


def _asked_wait(reply: _Reply) -> str:
    """The end of a message: how long the server asks to wait, and what to do."""
    wait = _wait(reply)
    if wait is None or wait <= _LONGEST_PAUSE:
        return "); try again later"
    # A very long time is a ban, or an error of the server.
    length = f"{wait.days:,} days" if wait.days > 1 else f"{wait.total_seconds() / 3600:.1f} hours"
    return (
        f", and asks to wait for {length}); the next fetch asks again. Find out which other programs ask"
        " arXiv from this address; if this continues, write to arXiv (info.arxiv.org/help/contact)"
    )


def _is_put_off(error: SourceError) -> bool:
    return isinstance(error, Throttled) and (error.retry_after or timedelta(0)) > _LONGEST_PAUSE


def _lead(headers: Mapping[str, str]) -> timedelta | None:
    """By `Date`, and by `Age` where a cache answered (RFC 9110, 6.6.1, and RFC 9111, 5.1)."""
    age = headers.get("Age", "").strip()
    try:
        said_at = parsedate_to_datetime(headers.get("Date", ""))
        if said_at.tzinfo is None:
            said_at = said_at.replace(tzinfo=UTC)
        return datetime.now(UTC) - said_at - timedelta(seconds=int(age) if age.isdecimal() else 0)
    except (ValueError, OverflowError):
        return None


def _pause(first: timedelta, attempt: int, error: SourceError) -> float:
    """Seconds until the next try: doubling, a little uneven, and at least what the server asked for."""
    asked = error.retry_after if isinstance(error, Throttled) and error.retry_after else timedelta(0)
    # Installations that were refused together must not try again together.
    growing = first * float(2 ** (attempt - 1))
    pause = min(max(growing, asked), _LONGEST_PAUSE)
    return min(pause * random.uniform(1, 1.1), _LONGEST_PAUSE).total_seconds()  # noqa: S311


def _new_address(question: _Question, reply: _Reply) -> URL:
    location = reply.headers.get("Location", "")
    try:
        address = question.address.join(URL(location))
    except ValueError as error:
        raise BadDocument(question.url, f"redirected to an invalid address: {location[:200]!r}") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise BadDocument(question.url, f"redirected to an address that is not HTTP: {location[:200]!r}")
    if is_loopback(question.address.host) != is_loopback(address.host):
        # The interval between requests is that of the first address.
        raise BadDocument(question.url, f"redirected to or from this machine: {location[:200]!r}")
    return address

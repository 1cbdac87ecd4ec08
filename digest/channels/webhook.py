"""Sends a digest as signed JSON to a web address, and returns the result."""

import asyncio
import errno
import os
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from digest import __version__
from digest.channels.addresses import ForbiddenAddress, guarded_socket
from digest.channels.base import Answer, Outcome, Post
from digest.channels.payload import payload
from digest.channels.signature import signed_headers

_TIME_LIMIT = 30.0
"""Seconds for name, connection, request and answer together."""

_LONGEST_LINE = 8_000
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One address that takes digests. Neither `url` nor `secret` is in any answer."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
    allow_private: bool = False
    time_limit: float = _TIME_LIMIT

    async def send(self, post: Post) -> Answer:
        """A redirect is not followed: it may lead to any address. The body of the answer is not read."""
        body = await asyncio.to_thread(payload, post)
        headers = {
            **signed_headers(self.secret, post.token, post.sent_at, body),
            "content-type": "application/json; charset=utf-8",
            "user-agent": f"arxiv-digest/{__version__}",
        }
        has_begun = asyncio.Event()
        try:
            async with (
                self._session(has_begun) as session,
                session.post(
                    URL(self.url, encoded=True), data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                status, retry_after = response.status, response.headers.get("retry-after")
                response.close()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return _failure(error, has_begun=has_begun.is_set(), time_limit=self.time_limit)
        return judge(status, retry_after, now=datetime.now(UTC))

    def _session(self, has_begun: asyncio.Event) -> aiohttp.ClientSession:
        """Sets `has_begun` once the server may have a part of the request."""

        async def begin(*_: Any) -> None:
            has_begun.set()

        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(begin)
        factory = None if self.allow_private else guarded_socket
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=factory, force_close=True, use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(total=self.time_limit),
            trace_configs=[trace],
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            auto_decompress=False,
        )


def judge(status: int, retry_after: str | None, *, now: datetime) -> Answer:
    """What a status code means for the digest. Codes other than 5xx mean that it was not accepted."""
    reply = _named(status)
    if 200 <= status < 300:
        return Answer(outcome=Outcome.SENT, reply=reply)
    if status == HTTPStatus.GONE:
        return Answer(outcome=Outcome.GONE, reply=reply)
    if 300 <= status < 400:
        reply = f"{reply}: it points to another address, which is not followed; set url to that one"
    wait = _wait(retry_after, now) if status in _BUSY or status >= 500 else None
    is_refused = status < 500 or status in _BUSY
    return Answer(outcome=Outcome.REFUSED if is_refused else Outcome.UNKNOWN, reply=reply, wait=wait)


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _wait(retry_after: str | None, now: datetime) -> timedelta | None:
    """The time in a `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3)."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:12]), 10**9))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta(0))


def _failure(error: BaseException, *, has_begun: bool, time_limit: float) -> Answer:
    """The texts are our own: those of libraries contain the address."""
    outcome = Outcome.UNKNOWN if has_begun else Outcome.REFUSED
    return Answer(outcome=outcome, reply=_cause(error, time_limit))


def _cause(error: BaseException, time_limit: float) -> str:
    if any(isinstance(one, ForbiddenAddress) for one in _chain(error)):
        return (
            "its name resolves to this machine or to a private network, which is not allowed;"
            " allow_private = true allows it"
        )
    if isinstance(error, TimeoutError):
        return f"no answer within {time_limit:g} seconds"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the name of the server is not found"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return "the certificate of the server is not valid"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "no encrypted connection with the server"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not HTTP"
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and number in errno.errorcode:
        return f"no connection: {os.strerror(number)}"
    return "the connection was lost"


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                found += _chain(one)
        error = error.__cause__ or error.__context__ or getattr(error, "os_error", None)
    return found

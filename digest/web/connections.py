"""Limits connections, and closes the quietest ones when there are too many.

Mail, state and pages share the open files of the process. So connections are accepted one at a time, as long
as enough files are left for mail. If all places are taken, the connection that was quiet for longest is
closed: it is slow or idle, because a page takes only milliseconds.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from aiohttp import web

from digest.config.web_settings import Network
from digest.web.client_address import is_trusted, network_for

_log = logging.getLogger(__name__)

MOST_CONNECTIONS = 256
FEWEST_CONNECTIONS = 8
FILES_FOR_MAIL = 64
"""Three for each connection to the state, one for each to a mail server, and those of the process itself."""

MOST_OF_ONE_NETWORK = 32
"""Connections of one network; a proxy is not limited, because it serves many networks."""

Listener: TypeAlias = Literal["public", "metrics", "admin"]
"""Which of the addresses that a process listens at a connection came to."""

_BACKLOG = 128
_PAUSE = 0.5
_WARN_EVERY = 300.0


def connections_for(files: int) -> int:
    """The most connections in a process with this limit of open files."""
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, files - FILES_FOR_MAIL))


def listener_at(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


class Connection(web.RequestHandler):
    """One connection. The log has only the kind of its errors, because requests contain tokens."""

    __slots__ = ("listener", "network", "refusal", "turn_at")

    def __init__(
        self,
        server: web.Server,
        *,
        network: str,
        listener: Listener,
        refusal: Callable[[int], web.Response],
        **options: Any,
    ) -> None:
        """`turn_at` is when a request last began or ended; `network` is empty for a trusted proxy."""
        super().__init__(server, **options)
        self.network = network
        self.listener = listener
        self.refusal = refusal
        self.turn_at = 0.0

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """400 for a request that is not HTTP, and 500 for an unexpected error."""
        if status >= 500:
            self.log_exception(exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        response = self.refusal(status)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        _log.error("a request failed cause=%s", where_of(kw.get("exc_info")))

    def log_debug(self, *args: Any, **kw: Any) -> None:
        """Logs nothing: it would contain requests."""


def where_of(error: object) -> str:
    """The kind of an error and the place in the program, without its text: that may hold a token."""
    if not isinstance(error, BaseException):
        return "unknown"
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"


class ConnectionLimiter:
    """Accepts connections for an aiohttp server, up to a limit."""

    def __init__(
        self,
        server: web.Server,
        *,
        limit: int,
        trusted: Sequence[Network],
        refusal: Callable[[int], web.Response],
        **options: Any,
    ) -> None:
        """`refusal` answers a request that is not HTTP; `options` are for each `web.RequestHandler`."""
        self._server = server
        self._limit = limit
        self._trusted = trusted
        self._refusal = refusal
        self._options = options
        self._transports: dict[Connection, asyncio.Transport] = {}
        self._warned_at: float | None = None

    async def accept(self, listening: socket.socket, *, listener: Listener = "public") -> None:
        """Accepts connections until it is cancelled. An error of one connection does not end it."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                taken, peer = await loop.sock_accept(listening)
            except OSError as error:  # no file is left, or the client is gone
                self._warn(f"cannot accept connections: {error.strerror}")
                self._make_room(len(self._transports) // 2)
                await asyncio.sleep(_PAUSE)
                continue
            try:
                await self._take(taken, str(peer[0]), listener=listener)
            except Exception as error:  # the next connection must still be served
                taken.close()
                self._warn(f"a connection was lost cause={where_of(error)}")

    async def _take(self, taken: socket.socket, peer: str, *, listener: Listener) -> None:
        self._forget_ended()
        network = "" if is_trusted(peer, self._trusted) else network_for(peer)
        of_that_network = sum(one.network == network for one in self._transports)
        if network and of_that_network >= min(MOST_OF_ONE_NETWORK, self._limit // 2):
            taken.close()
            return
        surplus = len(self._transports) - self._limit + 1
        if surplus > 0:
            self._warn(f"all {self._limit} connections are in use; closing the quietest ones")
            self._make_room(surplus)
            await asyncio.sleep(0)  # lets them close
        loop = asyncio.get_running_loop()
        connection = Connection(
            self._server,
            network=network,
            listener=listener,
            refusal=self._refusal,
            loop=loop,
            **self._options,
        )
        connection.turn_at = loop.time()
        transport, _ = await loop.connect_accepted_socket(lambda: connection, taken)
        self._transports[connection] = transport

    def _forget_ended(self) -> None:
        there = set(self._server.connections)
        self._transports = {
            connection: transport for connection, transport in self._transports.items() if connection in there
        }

    def _make_room(self, number: int) -> None:
        quietest = sorted(self._transports, key=lambda connection: connection.turn_at)
        for connection in quietest[:number]:
            self._transports.pop(connection).abort()

    def _warn(self, what: str) -> None:
        """Logs a warning, but not often: a flood must not fill the log."""
        now = asyncio.get_running_loop().time()
        if self._warned_at is None or now - self._warned_at >= _WARN_EVERY:
            self._warned_at = now
            _log.warning("connections limited cause=%s", what)

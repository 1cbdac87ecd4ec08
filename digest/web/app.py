"""HTTP around the areas of the pages: limits, headers and error pages."""

import asyncio
import logging
import socket
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from digest.config.web_settings import Web
from digest.errors import ConfigurationError, StateError
from digest.web.connections import Connection, where_of
from digest.web.frame import Area, Frame, Handler
from digest.web.metrics import Metrics
from digest.web.pages import Pages

_log = logging.getLogger(__name__)


LONGEST_BODY = 64 * 1024
"""Enough for a form with some hundred keywords; larger bodies are refused (413)."""

LONGEST_ANSWER = 30.0
"""Seconds to read and answer a request, and for the client to accept some of the answer."""

_SAID = {
    400: ("Not understood", "This is not a request of a browser."),
    403: ("Not possible", "This form was sent from a page of another site. Nothing was changed."),
    404: (
        "Not found",
        "There is no page at this address. Check whether the link in the mail is cut off, or old.",
    ),
    405: ("Not possible", "This address does not accept such a request."),
    408: ("Too slow", "The request was not complete in time. Nothing was changed. Try again."),
    413: ("Too large", "The request is larger than this page accepts. Nothing was changed."),
    415: ("Not understood", "This page accepts only its own form. Nothing was changed."),
    429: (
        "Later, please",
        "Too many such requests came at once, or from your network. Try again in a few minutes.",
    ),
    500: ("Server error", "The page cannot be shown. The log of the server has the cause."),
    503: ("Later, please", "The page cannot be shown now. Try again in a few minutes."),
}

_UNCHANGED = "Nothing was changed: the server is busy. Try again in a few minutes."
_UNCERTAIN = (
    "This takes long, and it is not certain whether it was done. Check your page again in a few minutes."
)


class Application:
    """Answers requests: each by its area, within limits, and with the headers of all."""

    def __init__(
        self, *, settings: Web, frame: Frame, areas: Sequence[Area], pages: Pages, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._frame = frame
        self._areas = areas
        self._pages = pages
        self._metrics = metrics

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LONGEST_BODY, middlewares=[self._answering()])
        app.on_response_prepare.append(self._add_headers)

        async def close(app: web.Application) -> None:
            await self._frame.close()

        app.on_cleanup.append(close)
        for area in self._areas:
            app.add_routes(area.routes())
        self._metrics.begin_pages(resource.canonical for resource in app.router.resources())
        return app

    def _answering(self) -> Middleware:
        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
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

    async def _answer(self, request: web.Request, handler: Handler, page: str) -> web.StreamResponse:
        is_change = request.method == "POST"
        try:
            async with asyncio.timeout(LONGEST_ANSWER):
                return await handler(request)
        except web.HTTPException as error:
            return self.saying(error.status, {**error.headers})
        except StateError as error:
            _log.error("a page could not be made page=%s cause=%s", page, error)
            return self.saying(503, {"Retry-After": "120"}, _UNCHANGED if is_change else None)
        except ConfigurationError:  # its text has addresses
            _log.error("a page could not be made page=%s cause=%s", page, "the subscribers cannot be read")
            return self.saying(503, {"Retry-After": "120"}, _UNCHANGED if is_change else None)
        except TimeoutError:
            _log.error("a page could not be made page=%s cause=%s", page, "it took too long")
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
        for name, value in self._safe_headers().items():
            response.headers.setdefault(name, value)
        del response.headers["Server"]
        if not (self._settings.robots and request.path.startswith(("/d/", "/k/"))):
            response.headers["X-Robots-Tag"] = "noindex, nofollow"


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

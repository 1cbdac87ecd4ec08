"""The addresses for programs: health, metrics, and the rules for search engines."""

import hmac
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from aiohttp import web

from digest.config.web_settings import Web
from digest.storage.report_stores import MetricsStore
from digest.web.connections import Connection
from digest.web.frame import Frame
from digest.web.metrics import Metrics


class MachineArea:
    def __init__(
        self,
        frame: Frame,
        settings: Web,
        store: MetricsStore,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        """`clock` is for the ages of the last fetch and of what waits."""
        self._frame = frame
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._clock = clock

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/robots.txt", self._robots),
            web.get("/healthz", self._health),
            web.get("/metrics", self._figures),
        ]

    async def _robots(self, request: web.Request) -> web.StreamResponse:
        refused = (
            ("/u/", "/p/", "/f/", "/b/", "/i/", "/c/", "/join/", "/admin")
            if self._settings.robots
            else ("/",)
        )
        lines = ("User-agent: *", *(f"Disallow: {path}" for path in refused))
        return web.Response(text="".join(f"{line}\n" for line in lines))

    async def _health(self, request: web.Request) -> web.StreamResponse:
        figures = await self._frame.in_thread(self._store.figures)
        at = figures.fetched_at
        answer = {
            "status": "ok",
            "last_fetch_at": at and at.isoformat(),
            "last_fetch_age_seconds": at and round((self._clock() - at).total_seconds()),
            "client_is_known": bool(self._frame.network(request)),
        }
        return web.Response(text=json.dumps(answer), content_type="application/json")

    async def _figures(self, request: web.Request) -> web.StreamResponse:
        """Needs the token or the address for metrics; for all others the page does not exist.

        A request does not show whether it came through a proxy: not every proxy adds a header.
        """
        protocol = request.protocol
        is_private = isinstance(protocol, Connection) and protocol.listener == "metrics"
        if not is_private and not self._has_metrics_token(request):
            raise web.HTTPNotFound
        body = await self._frame.in_thread(partial(self._metrics.exposition, self._store, now=self._clock()))
        return web.Response(
            body=body,
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

"""The server itself: it listens while its context lasts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from aiohttp import web

from digest.errors import ConfigurationError
from digest.resources import templates_folder
from digest.store.sqlite import SqliteStore
from digest.web.app import Application
from digest.web.metrics import Metrics
from digest.web.pages import Pages
from digest.web.site import Site, Subscribers
from digest.web_settings import Web

_KEEP_ALIVE = 30.0
"""Seconds from the connection, or its last answer, until a request has to have come with all its headers."""

_GOODBYE = 5.0
"""Seconds that requests in hand get when the server stops."""


@asynccontextmanager
async def serving(
    settings: Web,
    state: Path,
    subscribers: Subscribers,
    *,
    clock: Callable[[], datetime],
    metrics: Metrics,
) -> AsyncIterator[str]:
    """Serves the pages, over a connection of its own to the state; gives the address that it listens at.

    Without a base address it serves none. Raises `ConfigurationError` where it cannot listen.
    """
    if settings.base_url is None:
        yield ""
        return
    pages = Pages(templates_folder(), is_indexed=settings.robots)
    with SqliteStore(state) as store:
        site = Site(
            base_url=settings.base_url, store=store, pages=pages, subscribers=subscribers, clock=clock
        )
        answering = Application(settings=settings, site=site, pages=pages, store=store, metrics=metrics)
        runner = web.AppRunner(
            answering.application(clock),
            access_log=None,  # it would hold tokens
            handle_signals=False,
            keepalive_timeout=_KEEP_ALIVE,
            shutdown_timeout=_GOODBYE,
        )
        await runner.setup()
        try:
            host, port = settings.address
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                raise ConfigurationError(
                    f'web.listen = "{settings.listen}": cannot listen there: {error.strerror};'
                    " stop what uses that port, or name another"
                ) from error
            host, port = runner.addresses[0][:2]
            yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        finally:
            await runner.cleanup()

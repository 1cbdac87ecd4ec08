"""The web server: it listens inside its context manager."""

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from aiohttp import web

from digest.config.package_data import templates_folder
from digest.config.web_settings import Web
from digest.errors import ConfigurationError
from digest.storage.factory import State, open_store
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.stored import EntryStore
from digest.web.admin_setup import AdminSetup
from digest.web.app import Application
from digest.web.areas import areas_for
from digest.web.connections import ConnectionLimiter, Listener, connections_for, listener_at
from digest.web.context import SiteContext, Subscribers
from digest.web.frame import Frame
from digest.web.metrics import Metrics
from digest.web.pages import Pages
from digest.web.preview_site import Previews

if TYPE_CHECKING:
    from digest.config.settings import Defaults

_log = logging.getLogger(__name__)

_KEEP_ALIVE = 30.0
"""Seconds from the connection, or its last answer, until all headers of a request must have arrived."""

_GOODBYE = 5.0
"""Seconds for open requests when the server stops."""

_LINGERING = 1.0
"""Seconds for a client that still sends data that is not read, so that it gets the answer."""

_PATIENCE = 2.5
"""Seconds that a change waits for other writers of the state."""


@asynccontextmanager
async def serving(
    settings: Web,
    state: State,
    subscribers: Subscribers,
    directory: Callable[[EntryStore], SubscriberDirectory],
    *,
    clock: Callable[[], datetime],
    metrics: Metrics,
    defaults: "Defaults",
    admin: AdminSetup | None = None,
    signed_up: Callable[[], None] = lambda: None,
    wake_previews: Callable[[], None] = lambda: None,
) -> AsyncIterator[str]:
    """Serves the pages, with its own connection to the state; yields the address that it listens at.

    `directory` is where entries are changed, with the store that is given to it. `wake_previews` is called
    when somebody waits for arXiv's answer to a preview.
    `defaults` are shown to people who sign up, and `signed_up` is called when one of their mails waits.
    Without a base address it serves nothing, and without `admin` no pages of administrators.
    Raises `ConfigurationError` if it cannot listen.
    """
    if settings.base_url is None:
        yield ""
        return
    pages = Pages(templates_folder(), is_indexed=settings.robots)
    with ExitStack() as stack:
        # Reading has its own connection, and never waits for a change that waits for other writers.
        # So have previews, which read much.
        store, changing, reading = (
            stack.enter_context(open_store(state, patience=_PATIENCE)) for _ in range(3)
        )
        context = SiteContext(
            base_url=settings.base_url,
            store=store,
            changing=changing,
            pages=pages,
            subscribers=subscribers,
            clock=clock,
        )
        previews = Previews(
            store=reading,
            changing=changing,
            most_papers_a_day=settings.most_papers_a_day,
            clock=clock,
            wake=wake_previews,
        )
        stack.callback(previews.close)
        frame = Frame(settings.trusted_proxies)
        areas = areas_for(
            frame,
            settings,
            context,
            directory=directory(changing),
            previews=previews,
            metrics=metrics,
            defaults=defaults,
            admin=admin,
            signed_up=signed_up,
        )
        answering = Application(settings=settings, frame=frame, areas=areas, pages=pages, metrics=metrics)
        runner = web.AppRunner(
            answering.application(),
            handle_signals=False,
            shutdown_timeout=_GOODBYE,
        )
        await runner.setup()
        tasks: list[asyncio.Task[None]] = []
        try:
            listeners = _listeners(stack, settings, admin)
            limiter = ConnectionLimiter(
                _server_of(runner),
                limit=connections_for(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
                trusted=settings.trusted_proxies,
                refusal=answering.refusal,
                access_log=None,  # it would contain tokens
                keepalive_timeout=_KEEP_ALIVE,
                lingering_time=_LINGERING,
                auto_decompress=False,
            )
            tasks += [
                asyncio.create_task(limiter.accept(one, listener=listener)) for one, listener in listeners
            ]
            yield _url_of(listeners[0][0])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.cleanup()


def _listeners(
    stack: ExitStack, settings: Web, admin: AdminSetup | None
) -> list[tuple[socket.socket, Listener]]:
    """All that the settings name; the first is that of the pages. The stack closes them."""
    public = stack.enter_context(_listening("web.listen", settings.listen, settings.address))
    found: list[tuple[socket.socket, Listener]] = [(public, "public")]
    if settings.metrics_listen and settings.metrics_address:
        private = _listening("web.metrics_listen", settings.metrics_listen, settings.metrics_address)
        found.append((stack.enter_context(private), "metrics"))
        _log.info("metrics served url=%s", f"{_url_of(private)}/metrics")
    if admin and admin.settings.header:
        own = _listening("admin.listen", admin.settings.listen, admin.settings.address)
        found.append((stack.enter_context(own), "admin"))
        _log.info("administrators served url=%s", f"{_url_of(own)}/admin")
    return found


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server_of(runner: web.AppRunner) -> web.Server:
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    return runner.server


def _listening(key: str, value: str, address: tuple[str, int]) -> socket.socket:
    """Raises `ConfigurationError` if it cannot listen there."""
    try:
        return listener_at(*address)
    except OSError as error:
        raise ConfigurationError(
            f'{key} = "{value}": cannot listen there: {error.strerror};'
            " stop what uses that port, or name another"
        ) from error

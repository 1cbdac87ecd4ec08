"""Serves the web pages without the daemon, for an installation whose cycles are started by a timer."""

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from digest.errors import ConfigurationError, DigestError, StateError
from digest.service.bootstrap import Fingerprint, Setup
from digest.service.log import apply_log
from digest.service.long_tasks import LongTasks
from digest.service.web_pages import WebPages
from digest.storage.factory import open_store

_log = logging.getLogger(__name__)

_LOOK_UP = 20.0


async def serve_alone(setup: Setup, load: Callable[[], Setup]) -> None:
    """Serves until SIGTERM. Rereads the files after an edit; the last valid setup stays in use.

    If they could not be read for a reason that passes, it tries again.
    """
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    now = setup
    with open_store(setup.settings.state) as store:
        pages, long = WebPages(store, lambda: now, _clock), LongTasks(_clock)
        async with pages.serving() as address, asyncio.TaskGroup() as group:
            tasks = [group.create_task(long.kept(name, task)) for name, task in pages.tasks()]
            _log.info("web pages served url=%s", address)
            seen: Fingerprint | None = setup.fingerprint
            while not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _LOOK_UP)
                try:
                    found = await asyncio.to_thread(now.fingerprint_now)
                except StateError as error:
                    _log.error("subscribers cannot be read, the last ones remain in use cause=%s", error)
                    continue
                if found != seen:
                    fresh, is_passing = await _reread(load)
                    now, seen = fresh or now, None if is_passing else found
                    apply_log(now.settings.log)
            for task in tasks:
                task.cancel()


def _clock() -> datetime:
    return datetime.now(UTC)


async def _reread(load: Callable[[], Setup]) -> tuple[Setup | None, bool]:
    """Returns what the files say now; if they cannot be used, whether reading them again may help."""
    try:
        return await asyncio.to_thread(load), False
    except ConfigurationError as error:
        _log.error("reload refused, the last valid files remain in use cause=%s", error)
        return None, error.is_passing
    except (DigestError, OSError) as error:
        _log.error("reload failed, the last valid files remain in use cause=%s", error)
        return None, True

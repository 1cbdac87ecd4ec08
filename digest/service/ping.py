"""Calls `operator.ping_url` after a cycle, so that a dead man's switch notices when no cycle ends well.

The address is a secret: the log has its host only.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import SecretStr
from yarl import URL

from digest import __version__
from digest.pipeline.deliver import DeliveryReport
from digest.pipeline.progress import OutboxStatus
from digest.sources.network_errors import no_answer
from digest.storage.values import LastFetch

_log = logging.getLogger(__name__)

AT_LEAST_EVERY = timedelta(hours=12)
"""A daemon that has nothing to do pings this often, so that the period of the switch can be a day."""

_PAUSES = (2.0, 5.0)
"""Seconds between the attempts at one ping."""

_PATIENCE = 10.0
"""Seconds for one attempt."""

_AT_MOST_EVERY = 60.0
"""Seconds between two pings of a daemon: services limit how often they may be called."""

_MOST_WAITING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """How a cycle ended: the steps that failed, and figures in words. It names nobody."""

    failed: Sequence[str]
    figures: str

    @property
    def is_good(self) -> bool:
        return not self.failed

    @property
    def text(self) -> str:
        return "; ".join((*(f"{step} failed" for step in self.failed), self.figures))


def request_for(url: str, ping: Ping) -> tuple[str, str, str | None]:
    """Returns method, address and body.

    After a bad cycle, `/fail` is added to the path, before a query. An address with `status=up` in its query
    (Uptime Kuma) gets `status=down` instead, and the text as `msg`.
    """
    parts = urlsplit(url)
    pairs = parts.query.split("&") if parts.query else []
    if "status=up" in pairs:
        said = {"status": "up" if ping.is_good else "down", "msg": quote(ping.text, safe="")}
        pairs = [f"{key}={said.get(key, value)}" for key, _, value in (one.partition("=") for one in pairs)]
        return "GET", parts._replace(query="&".join(pairs), fragment="").geturl(), None
    path = parts.path if ping.is_good else f"{parts.path.rstrip('/')}/fail"
    return "POST", parts._replace(path=path, fragment="").geturl(), ping.text


async def send_ping(url: SecretStr, ping: Ping) -> str | None:
    """Calls the address. Returns why that failed, without the address. It raises no error."""
    method, target, body = request_for(url.get_secret_value(), ping)
    cause: str | None = None
    for pause in (*_PAUSES, None):
        cause, is_passing = await _attempt(method, target, body)
        if cause is None or not is_passing or pause is None:
            break
        await asyncio.sleep(pause)
    host = urlsplit(target).hostname
    if cause is None:
        _log.debug("pinged host=%s state=%s", host, "good" if ping.is_good else "bad")
    else:
        _log.warning("ping failed host=%s cause=%s", host, cause)
    return cause


async def _attempt(method: str, target: str, body: str | None) -> tuple[str | None, bool]:
    """Returns what went wrong, and whether to try again. A redirect is not followed."""
    patience = aiohttp.ClientTimeout(total=_PATIENCE)
    agent = {"User-Agent": f"arxiv-digest/{__version__}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=patience, headers=agent, trust_env=True) as session,
            session.request(method, URL(target, encoded=True), data=body, allow_redirects=False) as answer,
        ):
            status = answer.status
    except TimeoutError:
        return f"no answer within {_PATIENCE:.0f} seconds", True
    except aiohttp.ClientConnectionError as error:
        return no_answer(error), True
    except (aiohttp.ClientError, OSError, ValueError) as error:  # its text may hold the address
        return type(error).__name__, True
    if 200 <= status < 300:
        return None, False
    return f"HTTP {status}", status >= 500 or status in {408, 429}


class Pinger:
    """Pings for a daemon, beside its other tasks: a slow service delays nothing.

    A cycle ends with each mailing, and contains the fetches of this host since the last one.
    """

    def __init__(self, url: Callable[[], SecretStr | None], clock: Callable[[], datetime]) -> None:
        self._url = url
        self._clock = clock
        self._has_fetched = False
        self._last_at = clock()
        self._waiting: deque[Ping] = deque(maxlen=_MOST_WAITING)
        self._is_new = asyncio.Event()

    def watched(
        self, name: str, step: Callable[[], Awaitable[datetime]]
    ) -> Callable[[], Awaitable[datetime]]:
        """Returns the step; if it raises an error, a cycle has ended badly."""

        async def watch() -> datetime:
            try:
                return await step()
            except Exception:
                self._note(Ping(failed=(name,), figures="an error ended it"))
                raise

        return watch

    def fetched(self) -> None:
        """This host asked arXiv."""
        self._has_fetched = True

    def mailed(self, report: DeliveryReport, waits: OutboxStatus, last_fetch: LastFetch | None) -> None:
        """A mailing ended. One in which this host did nothing counts only if there was no ping for long."""
        steps = {"fetch": bool(last_fetch and last_fetch.failed_at), "mail": report.is_server_down}
        did_anything = self._has_fetched or report.is_server_down or report.errors or report.sent
        self._has_fetched = False
        if did_anything or report.composed.composed or self._is_due():
            failed = tuple(step for step, is_failed in steps.items() if is_failed)
            self._note(Ping(failed=failed, figures=f"sent {report.sent}, waiting {waits.waiting}"))

    def _is_due(self) -> bool:
        return not self._last_at <= self._clock() < self._last_at + AT_LEAST_EVERY

    def _note(self, ping: Ping) -> None:
        if self._url() is None:
            return
        self._last_at = self._clock()
        if self._waiting and self._waiting[-1].is_good == ping.is_good:
            self._waiting.pop()
        self._waiting.append(ping)
        self._is_new.set()

    async def run(self) -> None:
        """Sends the pings in their order."""
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            while self._waiting:
                ping, url = self._waiting.popleft(), self._url()
                if url is not None:
                    await send_ping(url, ping)
                    await asyncio.sleep(_AT_MOST_EVERY)

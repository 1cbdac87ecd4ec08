"""The web pages, asked for as their subscribers ask: through the proxy."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp

from digest.config.web_settings import Web
from digest.service.finding import Finding, failed, ok, warning

_NAME = "web pages"
_SECONDS = 10.0
_LARGEST = 10_000

_PROXY = "digest docs web has what nginx and Caddy need"


async def check_pages(web: Web) -> AsyncIterator[Finding]:
    """Whether they are there at `web.base_url`, and the proxy tells who asks; nothing without pages."""
    if web.base_url is None:
        return
    url = f"{web.base_url}/healthz"
    try:
        async with (
            asyncio.timeout(_SECONDS),
            aiohttp.ClientSession(trust_env=True) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            status, body = answer.status, await answer.content.read(_LARGEST)
    except TimeoutError:
        yield _not_there(url, f"no answer within {_SECONDS:.0f} s")
    except aiohttp.ClientError as error:
        yield _not_there(url, str(error))
    else:
        yield judge_answer(url, status, body)


def _not_there(url: str, why: str) -> Finding:
    return warning(_NAME, f"{url}: {why}", f"start the service; else look at the proxy: {_PROXY}")


def judge_answer(url: str, status: int, body: bytes) -> Finding:
    """What `/healthz` said, as it arrived at this end of the proxy."""
    try:
        told = json.loads(body)
        is_ours = isinstance(told, dict) and "last_fetch_at" in told
    except ValueError:
        is_ours = False
    if status in {502, 503, 504} and not is_ours:
        return failed(_NAME, f"{url} answers {status}", "start the service; look at the port in the proxy")
    if not is_ours:
        said = f"{url} answers {status}, and not as these pages do"
        return failed(_NAME, said, f"web.base_url, or the proxy, leads elsewhere: {_PROXY}")
    if not told.get("client_is_known", True) and urlsplit(url).scheme == "https":
        said = "they are there; the proxy does not tell who asks, so nobody who guesses links is held up"
        return warning(_NAME, said, f"have it set X-Forwarded-For, or set web.trusted_proxies: {_PROXY}")
    return ok(_NAME, f"they are there at {url.removesuffix('/healthz')}")

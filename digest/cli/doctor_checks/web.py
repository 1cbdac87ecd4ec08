"""The web pages, requested through the proxy, as subscribers do."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp

from digest.config.admin_settings import Admin
from digest.config.parsing import is_loopback
from digest.config.web_settings import Web
from digest.errors import ConfigurationError
from digest.service.finding import Finding, failed, ok, warning

_NAME = "web pages"
_SECONDS = 10.0
_LARGEST = 10_000

_OURS = b"<title>Administration</title>"
_ADMIN = "page of administrators"
_RECIPES = "for nginx and Caddy see digest docs admin"
_PROXY = "for nginx and Caddy see digest docs web"


async def check_pages(web: Web) -> AsyncIterator[Finding]:
    """Whether `web.base_url` answers and the proxy forwards the client address; nothing without pages."""
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
        yield judge_answer(url, status, body, takes_signups=web.signup is not None)


async def check_admin(web: Web, admin: Admin) -> AsyncIterator[Finding]:
    """Whether the provider answers, or whether a forged header of the administrators' proxy is refused."""
    if web.base_url is None or not admin.is_on:
        return
    if admin.issuer:
        yield await _ask_provider(web.base_url, admin)
        return
    if not is_loopback(admin.address[0]):
        said = f'admin.listen = "{admin.listen}" can be reached from other machines'
        yield warning(_ADMIN, said, "let a firewall allow only the proxy: others could send any name")
    async for finding in _forge_header(f"{web.base_url}/admin", admin):
        yield finding


async def _ask_provider(base_url: str, admin: Admin) -> Finding:
    from digest.web.admin_access import provider_for

    try:
        provider = provider_for(admin, base_url=base_url, clock=time.time)
    except ConfigurationError as error:
        return failed(_ADMIN, str(error), "see digest docs admin")
    from digest.web.oidc import OidcError

    try:
        await provider.login_url(state="-", nonce="-", verifier="-")
    except OidcError as error:
        return failed(_ADMIN, f"nobody can sign in: {error}", "correct admin.issuer: see digest docs admin")
    return ok(_ADMIN, f"{admin.issuer} lets administrators sign in")


async def _forge_header(url: str, admin: Admin) -> AsyncIterator[Finding]:
    """Sends a request with the header that only the proxy may send."""
    header = admin.header or ""
    try:
        async with (
            asyncio.timeout(_SECONDS),
            aiohttp.ClientSession(trust_env=True) as session,
            session.get(url, allow_redirects=False, headers={header: admin.users[0]}) as answer,
        ):
            begin = await answer.content.read(_LARGEST)
    except (TimeoutError, aiohttp.ClientError):
        return  # `check_pages` says so
    if answer.status == 200 and _OURS in begin:  # a page to sign in has other content
        said = f"{url}: anybody who sends the header {header} gets in, without signing in"
        yield failed(_ADMIN, said, f"let the proxy replace this header: {_RECIPES}")
    else:
        yield ok(_ADMIN, f"{url} takes no header of strangers")


def _not_there(url: str, why: str) -> Finding:
    return warning(_NAME, f"{url}: {why}", f"start the service; if it runs, check the proxy: {_PROXY}")


def judge_answer(url: str, status: int, body: bytes, *, takes_signups: bool = False) -> Finding:
    """Judges the answer of `/healthz`, as it came through the proxy."""
    try:
        found = json.loads(body)
        is_ours = isinstance(found, dict) and "last_fetch_at" in found
    except ValueError:
        is_ours = False
    if status in {502, 503, 504} and not is_ours:
        return failed(_NAME, f"{url} answers {status}", "start the service; check the port in the proxy")
    if not is_ours:
        said = f"{url} answers {status}, but not with these pages"
        return failed(_NAME, said, f"correct web.base_url or the proxy: {_PROXY}")
    if not found.get("client_is_known", True) and urlsplit(url).scheme == "https":
        unlimited = "guessing of links and sign-ups are" if takes_signups else "guessing of links is"
        said = f"they work, but the proxy sends no client address, so {unlimited} not limited"
        return warning(_NAME, said, f"set X-Forwarded-For in the proxy, or set web.trusted_proxies: {_PROXY}")
    return ok(_NAME, f"they work at {url.removesuffix('/healthz')}")

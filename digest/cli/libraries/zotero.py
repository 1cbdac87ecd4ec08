"""Reads a user's library on zotero.org.

One kind of request is all that is needed. (pyzotero would do, but its version 1.16 cannot be installed beside
bibtexparser 2.) https://www.zotero.org/support/dev/web_api/v3/basics
"""

import asyncio
import json
from typing import Any

import aiohttp

from digest.cli.libraries.parser import Reference, Unread, of_zotero
from digest.errors import ConfigurationError

ENDPOINT = "https://api.zotero.org"

_AT_ONCE = 100
_MOST_ITEMS = 20_000
_LONGEST_ANSWER = 60
_LONGEST_PAUSE = 60
_TRIES = 4
_LARGEST = 32 * 1024 * 1024


async def fetch_library(user: str, key: str, *, endpoint: str = ENDPOINT) -> list[Reference | Unread]:
    """Returns the papers of the library of that user, by number. Raises `ConfigurationError`."""
    items: list[Any] = []
    headers = {"Zotero-API-Version": "3", "Zotero-API-Key": key}
    timeout = aiohttp.ClientTimeout(total=_LONGEST_ANSWER)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=True) as session:
        while len(items) < _MOST_ITEMS:
            url = f"{endpoint}/users/{user}/items/top?format=json&limit={_AT_ONCE}&start={len(items)}"
            some = await _answer(session, url, user)
            items += some
            if len(some) < _AT_ONCE:
                break
    return [found for item in items if isinstance(item, dict) and (found := of_zotero(item))]


async def _answer(session: aiohttp.ClientSession, url: str, user: str) -> list[Any]:
    """Asks again where Zotero says that it is busy."""
    for is_last in (*[False] * (_TRIES - 1), True):
        try:
            async with session.get(url) as response:
                if response.status in (429, 503) and not is_last:
                    await asyncio.sleep(_pause(response.headers.get("Retry-After", "")))
                    continue
                if response.status != 200:
                    raise ConfigurationError(_refusal(response.status, user))
                found = json.loads(await _body(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ConfigurationError(
                f"zotero.org could not be asked: {error or type(error).__name__}"
            ) from error
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"zotero.org gave no valid answer: {error}") from error
        if isinstance(found, list):
            return found
        raise ConfigurationError("zotero.org gave no list of papers")
    raise AssertionError("unreachable")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST:
            raise ValueError("it is too long")
    return body


def _pause(retry_after: str) -> float:
    return min(float(retry_after), _LONGEST_PAUSE) if retry_after.isdigit() else 1.0


def _refusal(status: int, user: str) -> str:
    if status in (401, 403):
        return (
            f"zotero.org refuses the key for the library of user {user}: make one that may read it at"
            " https://www.zotero.org/settings/keys, which shows the number of the user too"
        )
    if status == 404:
        return f"zotero.org has no user {user}: the number is at https://www.zotero.org/settings/keys"
    return f"zotero.org answered with status {status}; try again later"

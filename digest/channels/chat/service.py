"""The service of a chat: gives each message to a separate process, within a time limit."""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

from digest.channels.base import Answer, Outcome, Post
from digest.channels.chat.message import message_of

_TIME_LIMIT = 45.0
"""Seconds. A service with a login needs several requests for one message."""

_KEY = 32
"""Characters of the id of a message. It is no token: that opens the page of the digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat at an address of apprise, which is in no answer."""

    url: str = field(repr=False)
    time_limit: float = _TIME_LIMIT

    async def send(self, post: Post) -> Answer:
        """Sends one message, and never a second one, however long the digest is."""
        message = await asyncio.to_thread(message_of, post)
        key = sha256(post.token.encode()).hexdigest()[:_KEY]
        return await self._ask({"title": post.title, "message": message.as_object(), "key": key})

    async def check(self) -> Answer:
        """Whether apprise understands the address. Makes no request."""
        return await self._ask({"title": "", "is_check": True})

    async def _ask(self, task: dict[str, Any]) -> Answer:
        if not is_installed():
            return Answer(outcome=Outcome.REFUSED, reply=MISSING)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # do not import modules from the current folder
            "-m",
            "digest.channels.chat.process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self.time_limit):
                printed, _ = await process.communicate(json.dumps({**task, "url": self.url}).encode())
            return _read(printed)
        except TimeoutError:
            return Answer(outcome=Outcome.UNKNOWN, reply=f"no answer within {self.time_limit:g} seconds")
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def is_installed() -> bool:
    return find_spec("apprise") is not None


MISSING = "chats need apprise: pip install 'arxiv-digest-mailer[chat]'"


def _read(printed: bytes) -> Answer:
    try:
        found = json.loads(printed)
        wait = found["wait"]
        return Answer(
            outcome=Outcome(found["outcome"]),
            reply=str(found["reply"]),
            wait=None if wait is None else timedelta(seconds=float(wait)),
        )
    except (ValueError, KeyError, TypeError):
        return Answer(outcome=Outcome.UNKNOWN, reply="the process that sends ended early")

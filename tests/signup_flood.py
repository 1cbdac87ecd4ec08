"""Many sign-ups by programs: other people's addresses, from many networks, as fast as they are answered."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count

from aiohttp import ClientSession

from tests.forms import PageForm, submitted
from tests.waiting import LIMIT

AT_ONCE = 20


def stranger(number: int) -> str:
    return f"stranger{number}@example.net"


async def flood(
    session: ClientSession,
    address: str,
    form: PageForm,
    *,
    signups: int,
    networks: int,
    strangers: int,
) -> Counter[int]:
    """How often each status was answered. The form was opened before."""
    numbers, statuses = count(), Counter[int]()

    async def send() -> None:
        while (number := next(numbers)) < signups:
            fields = submitted(
                form,
                "Sign up",
                **{"email": stranger(number % strangers), "k-new-1": f"casino {number % 7}"},
            )
            network = number % networks
            headers = {"X-Forwarded-For": f"198.{18 + network // 250}.0.{network % 250 + 1}"}
            async with session.post(f"{address}/join", data=fields, headers=headers) as answer:
                statuses[answer.status] += 1
                await answer.read()

    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    return statuses


async def meanwhile(
    ask: Callable[[], Awaitable[int]],
    working: "asyncio.Task[Counter[int]]",
    *,
    pause: float,
    seconds: float = LIMIT,
) -> Counter[int]:
    """What somebody else is answered until that work is done. Raises `TimeoutError`."""
    statuses = Counter[int]()
    async with asyncio.timeout(seconds):
        while not working.done():
            statuses[await ask()] += 1
            await asyncio.sleep(pause)
    return statuses

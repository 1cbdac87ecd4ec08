"""The real command in an invented place: its subscribers, an arXiv that goes on day by day, and their
mailbox.
"""

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from digest.config.database_url import DatabaseUrl
from digest.storage.factory import State
from tests.acceptance.installation import Installation
from tests.crash.servers import TOPICS, Days, Delivered, Mailbox, invented_days, mailbox
from tests.factories import moment
from tests.integration.arxiv_server import ArxivServer, arxiv_server
from tests.processes import started_here

FIRST_DAY = moment("2026-06-01 12:30")
DAYS = 200
CONNECTIONS = 2

_SHORT_LEASES = """from datetime import timedelta
from digest.pipeline import leases
leases.LASTING = timedelta(seconds=5)
"""
"""Each process begins with this: what a dead one held in a database is free after 5 seconds, not 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """`subscribers` have topics by address. The process is started as of the day that it is in `days`."""

    state: State
    subscribers: dict[str, tuple[str, ...]]
    days: Days
    arxiv: ArxivServer
    inbox: Mailbox
    installation: Installation
    processes: AsyncExitStack
    command: Sequence[str] = ("-m", "digest")

    @property
    def state_file(self) -> Path:
        assert isinstance(self.state, Path)
        return self.state

    def next_day(self) -> None:
        self.days.now += timedelta(days=1)
        assert self.days.now < FIRST_DAY + timedelta(days=DAYS), "no day is left"

    async def start(self) -> Process:
        """Begins `digest run`."""
        self.inbox.run += 1
        return await self.processes.enter_async_context(
            started_here(
                sys.executable, *self.command, "run", "--now", self.days.now.isoformat(),
                cwd=self.installation.folder, env=self.installation.environ, stdout=PIPE, stderr=PIPE,
            )
        )  # fmt: skip

    async def run(self) -> tuple[int, str]:
        """A whole `digest run`: its exit code, and what it said, of errors first."""
        process = await self.start()
        told, said = await process.communicate()
        assert process.returncode is not None
        return process.returncode, (said + told).decode()

    async def run_well(self) -> None:
        """A whole `digest run` that has to do all that there is to do."""
        code, said = await self.run()
        assert code == 0, said

    async def run_until_done(self) -> None:
        """Runs until nothing waits: in a database, what a dead process held is free when its lease ends."""
        for _ in range(20):
            code, said = await self.run()
            if code == 0:
                return
            await asyncio.sleep(0.5)
        raise AssertionError(said)

    def digests(self) -> dict[str, list[Delivered]]:
        """All that was delivered, by Message-ID."""
        copies: dict[str, list[Delivered]] = defaultdict(list)
        for mail in self.inbox.delivered:
            copies[mail.message_id].append(mail)
        return copies

    def everybody_has_all_and_once(self) -> None:
        """Each subscriber got each paper on their topics up to today, in one digest only."""
        got: dict[str, list[str]] = defaultdict(list)
        for copy, *_ in self.digests().values():
            got[copy.recipient] += copy.papers()
        known = [paper for paper in self.days.papers if paper.at <= self.days.now]
        for email, topics in self.subscribers.items():
            expected = [paper.id for paper in known if set(topics) & set(paper.topics)]
            assert sorted(got[email]) == sorted(expected), email


@asynccontextmanager
async def laboratory(
    folder: Path,
    chance: random.Random,
    *,
    subscribers: int,
    state: State | None = None,
    command: Sequence[str] = ("-m", "digest"),
    connections: int = CONNECTIONS,
    each: str = "",
    **more: object,
) -> AsyncIterator[Lab]:
    """A laboratory in `folder`.

    `command`: the arguments of Python that begin `digest`. `each`: lines of each subscriber. `more`: other
    settings.
    """
    state = state or folder / "state" / "digest.db"
    topics = {f"reader{number}@example.org": tuple(chance.sample(TOPICS, 2)) for number in range(subscribers)}
    days = Days(invented_days(FIRST_DAY, DAYS, chance), FIRST_DAY, chance)
    with mailbox(chance) as (port, inbox):
        async with arxiv_server(days.reply()) as arxiv, AsyncExitStack() as processes:
            settings = {
                "arxiv__api_url": arxiv.url,
                "smtp__host": "127.0.0.1",
                "smtp__port": port,
                "smtp__security": "none",
                "smtp__sender": "digest@example.org",
                "smtp__connections": connections,
                "state": state.url if isinstance(state, DatabaseUrl) else state,
                **more,
            }
            installation = Installation(folder, _subscribers_toml(topics, each), **settings)
            installation.environ["XDG_STATE_HOME"] = str(folder)
            installation.environ["PYTHONPATH"] = str(_with_short_leases(folder / "modules"))
            yield Lab(
                state=state,
                subscribers=topics,
                days=days,
                arxiv=arxiv,
                inbox=inbox,
                processes=processes,
                command=command,
                installation=installation,
            )


def _with_short_leases(modules: Path) -> Path:
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(_SHORT_LEASES)
    return modules


def _subscribers_toml(subscribers: dict[str, tuple[str, ...]], each: str) -> str:
    return "".join(
        f'[[subscriber]]\nemail = "{email}"\nkeywords = ["{topics[0]}", "{topics[1]}"]\n{each}'
        for email, topics in subscribers.items()
    )

"""Several hosts over one database: a `digest daemon` each, in a folder of its own, on a clock of the test."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tests.acceptance.installation import Installation
from tests.crash.lab import Lab
from tests.processes import started_here
from tests.waiting import LIMIT, until

SUBSCRIBERS = 90
CONNECTIONS = 6
AT = 'at = "12:31"\ntimezone = "UTC"\n'
"""A minute after the moments of `Lab.next_day`."""

_DAEMON = """
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from digest.pipeline import coordinator
coordinator.MANY, coordinator._BATCH = 20, 10
from digest.service import long_tasks
long_tasks.LOOK_UP = timedelta(seconds=1)
from digest.pipeline import policy
from digest.service import mail_task, wait_for_state
mail_task.pause_after = long_tasks.pause_after = lambda failures: timedelta(seconds=1)
wait_for_state._LOOK_SECONDS = 1.0
from digest.service.daemon import Daemon
ahead, skew = Path(os.environ["CLOCK"]), float(os.environ["SKEW"])
def clock():
    return datetime.now(UTC) + timedelta(seconds=float(ahead.read_text()) + skew)
Daemon.__init__.__defaults__ = (clock,)
from digest.cli import main
main()
"""
"""`digest` with the clock of the test: the file CLOCK says how far it is ahead of the real one."""


@dataclass(slots=True)
class Clock:
    """The clock of all hosts, which goes on by itself and can be set."""

    file: Path

    def set(self, now: datetime) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(str((now - datetime.now(UTC)).total_seconds()))
        new.rename(self.file)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self.file.read_text()))


@dataclass(slots=True)
class Host:
    """One host. Its clock is `skew` seconds ahead. `inside` is the command that enters its network."""

    name: str
    installation: Installation
    clock: Clock
    processes: AsyncExitStack
    skew: float = 0
    inside: Sequence[str] = ()
    process: Process | None = None
    said: list[str] = field(default_factory=list)
    _reading: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        """Returns when the daemon is ready."""
        told = len(self.said)
        self.process = await self.processes.enter_async_context(
            started_here(
                *self.inside, sys.executable, "-c", _DAEMON, "daemon",
                cwd=self.installation.folder, stdout=PIPE, stderr=STDOUT, start_new_session=True,
                env={**self.installation.environ, "SKEW": str(self.skew)},
            )
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self.process))
        try:
            await until(lambda: any("ready subscribers" in line for line in self.said[told:]))
        except TimeoutError:
            raise AssertionError(self.log()) from None

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self.said.append(line.decode().rstrip())

    async def end(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Ends it by this signal; SIGKILL also ends its workers, as when the host dies."""
        assert self.process is not None
        if by is signal.SIGKILL:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.send_signal(by)
        await self.process.wait()
        self.process = None

    def log(self) -> str:
        return "\n".join(f"{self.name}: {line}" for line in self.said)


def hosts_of(lab: Lab, folder: Path, names: Sequence[str], clock: Clock) -> dict[str, Host]:
    """Hosts with the settings of `lab`, each with files of its own. arXiv sees their names as the contact."""
    return {name: _host(lab, folder / name, name, clock) for name in names}


def _host(lab: Lab, folder: Path, name: str, clock: Clock) -> Host:
    folder.mkdir()
    given = lab.installation
    (folder / "subscribers.toml").write_bytes((given.folder / "subscribers.toml").read_bytes())
    installation = replace_folder(given, folder)
    installation.environ |= {
        "DIGEST_ARXIV__CONTACT": f"{name}@example.org",
        "CLOCK": str(clock.file),
    }
    return Host(name=name, installation=installation, clock=clock, processes=lab.processes)


def replace_folder(given: Installation, folder: Path) -> Installation:
    installation = copy(given)
    installation.folder = folder
    installation.environ = {
        **given.environ,
        "DIGEST_SUBSCRIBERS": str(folder / "subscribers.toml"),
        "XDG_STATE_HOME": str(folder),
    }
    return installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    lab: Lab
    clock: Clock
    hosts: dict[str, Host]

    def next_day(self) -> None:
        """Some seconds before the sending time of the next day."""
        self.lab.next_day()
        self.begin_day()

    def begin_day(self) -> None:
        self.lab.inbox.run += 1
        self.clock.set(self.lab.days.now + timedelta(seconds=52))

    async def until(self, is_true: Callable[[], object], seconds: float = LIMIT) -> None:
        try:
            await until(is_true, seconds)
        except TimeoutError:
            raise AssertionError("\n".join(host.log()[-3000:] for host in self.hosts.values())) from None

    async def until_all_have_all(self, seconds: float = LIMIT) -> None:
        await self.until(self._has_all, seconds)
        self.lab.everybody_has_all_and_once()

    def _has_all(self) -> bool:
        try:
            self.lab.everybody_has_all_and_once()
        except AssertionError:
            return False
        return True

    def today(self) -> int:
        return sum(mail.run == self.lab.inbox.run for mail in self.lab.inbox.delivered)

    def fetching(self) -> Host:
        """The host that asked arXiv last."""
        agent = self.lab.arxiv.asked[-1].headers["User-Agent"]
        return next(host for host in self.hosts.values() if f"{host.name}@" in agent)


def copies(lab: Lab) -> int:
    """How many mails came twice. They were in flight: the last ones of their connections."""
    last = {(mail.run, mail.connection): mail for mail in lab.inbox.delivered}
    count = 0
    for same in lab.digests().values():
        assert len({(mail.recipient, mail.message) for mail in same}) == 1, "the copies differ"
        for earlier, _ in pairwise(same):
            assert earlier is last[earlier.run, earlier.connection], "another mail went before it was noted"
            count += 1
    return count

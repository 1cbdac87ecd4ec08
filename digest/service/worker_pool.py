"""Starts the worker processes of a delivery, `digest.service.worker`, and talks to them for the coordinator.

When this process dies, its workers end too; they hold the lock of the state until then. When a worker dies or
hangs, what it held is given to the others.
"""

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.errors import StateError, WorkerGone
from digest.mail.transport import Transport
from digest.pipeline.coordinator import DeliveryCoordinator
from digest.pipeline.share import RoundResult
from digest.service.log import current_style
from digest.service.mail_setup import WriterSetup
from digest.service.worker_messages import (
    Batch,
    Brake,
    Composed,
    Hello,
    Judged,
    NextBatch,
    NotStarted,
    Progress,
    Refused,
    Round,
    RoundEnded,
    Stop,
    UsedUp,
    WorkerSetup,
    framed,
    read_message,
)
from digest.storage.factory import State, lock_descriptors
from digest.storage.rate_limit import Limits

if TYPE_CHECKING:
    from digest.pipeline.plan import DueSubscriber

PATIENCE = 120.0
"""Seconds to wait for a message. A worker says every few seconds that it is alive."""

_GOODBYE_SECONDS = 5.0

_KEPT_BACK = ("DIGEST_", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPool:
    """How to start up to `count` workers for the sessions of a delivery. One is this process itself."""

    count: int
    state: State
    transport: Transport
    writer_setup: WriterSetup
    limits: Limits

    @asynccontextmanager
    async def __call__(self, coordinator: DeliveryCoordinator) -> AsyncIterator[Sequence["Worker"]]:
        """Starts the workers for one delivery. Raises `WorkerGone` if the system does not allow it."""
        if min(self.count, coordinator.sessions) == 1:
            yield ()
            return
        setup = self._setup(coordinator)
        pairs: list[tuple[socket.socket, socket.socket]] = []
        try:
            for _ in setup.holders:
                pairs.append(socket.socketpair())  # noqa: PERF401 (those made before an error are closed)
            process = await _started([theirs for _, theirs in pairs], lock_descriptors(self.state))
        except OSError as error:
            for ours, _ in pairs:
                ours.close()
            raise WorkerGone(f"it cannot be started: {error}") from error
        finally:
            for _, theirs in pairs:
                theirs.close()
        workers = [
            Worker(*await asyncio.open_connection(sock=connection), coordinator, holder, process.pid)
            for (connection, _), holder in zip(pairs, setup.holders, strict=True)
        ]
        workers[0].send(setup)
        coordinator.changed.append(lambda: _tell_all(workers, _brake_of(coordinator)))
        stopping = asyncio.create_task(_pass_on_stop(coordinator.stop, workers))
        try:
            yield workers
        except BaseException:
            for worker in workers:
                worker.kill()
            raise
        finally:
            stopping.cancel()
            coordinator.changed.clear()
            await _end(workers, process)

    def _setup(self, coordinator: DeliveryCoordinator) -> WorkerSetup:
        count = min(self.count, coordinator.sessions)
        return WorkerSetup(
            state=self.state,
            transport=self.transport,
            writer_setup=self.writer_setup,
            limits=self.limits,
            now=coordinator.now(),
            monotonic=time.monotonic(),
            holders=[f"{coordinator.holder}/{number}" for number in range(1, count + 1)],
            sessions=shared_out(coordinator.sessions, count),
            log_levels=_log_levels(),
            log_style=current_style(),
            backlog_since=coordinator.backlog_since,
        )


def worker_count(wanted: int | None, transport: Transport) -> int:
    """Returns how many workers send: each has a session, and a core unless others are `wanted`."""
    return min(wanted or _cores(), transport.sessions)


def _cores() -> int:
    """Returns how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on this system, or forbidden in a sandbox
        return os.cpu_count() or 1


def shared_out(sessions: int, count: int) -> list[int]:
    """Returns how many sessions each of the workers has."""
    return [(sessions + place) // count for place in range(count)]


def _log_levels() -> Mapping[str, int]:
    """Returns the levels of all loggers that have one; `""` is the root."""
    named = {name: logging.getLogger(name).level for name in list(logging.root.manager.loggerDict)}
    return {"": logging.root.level, **{name: level for name, level in named.items() if level}}


async def _started(connections: Sequence[socket.socket], locks: Sequence[int]) -> asyncio.subprocess.Process:
    """Starts the first worker, which makes the others. They inherit `locks`, which no other run gets then."""
    descriptors = [connection.fileno() for connection in connections]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # do not import modules from the current folder
        "-m",
        "digest.service.worker",
        *map(str, descriptors),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env=environment(os.environ),
        pass_fds=[*descriptors, *locks],
        start_new_session=True,  # Ctrl-C is for the coordinator, also while the workers still begin
    )


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of the workers, without the secrets and sockets of this process."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_KEPT_BACK) and not name.lower().endswith("_proxy")
    }


async def _pass_on_stop(stop: asyncio.Event, workers: Sequence["Worker"]) -> None:
    await stop.wait()
    _tell_all(workers, Stop())


def _tell_all(workers: Sequence["Worker"], message: object) -> None:
    for worker in workers:
        worker.send(message)


def _brake_of(coordinator: DeliveryCoordinator) -> Brake:
    return Brake(coordinator.is_ended, coordinator.stopped)


async def _end(workers: Sequence["Worker"], process: asyncio.subprocess.Process) -> None:
    """Lets the workers end, and returns when all have ended."""
    await asyncio.gather(*(worker.end() for worker in workers))
    try:
        await asyncio.wait_for(process.wait(), _GOODBYE_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Worker:
    """The connection to one worker process."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        coordinator: DeliveryCoordinator,
        holder: str,
        group: int,
    ) -> None:
        """`group` is the process group of all workers."""
        self._reader = reader
        self._writer = writer
        self._coordinator = coordinator
        self._holder = holder
        self._group = group
        self._pid: int | None = None
        self._batch: Sequence[DueSubscriber] = ()

    @property
    def holder(self) -> str:
        return self._holder

    def send(self, message: object) -> None:
        """Sends a message, unless the worker has ended: then the next `round` says so."""
        with suppress(OSError, RuntimeError):  # uvloop raises RuntimeError for a connection that is closed
            self._writer.write(framed(message))

    async def round(self, *, sends: bool) -> RoundResult:
        """Takes messages until the round ends. Raises `WorkerGone`: then the process has ended."""
        self.send(Round(sends))
        try:
            while True:
                async with asyncio.timeout(PATIENCE):
                    message = await read_message(self._reader)
                if isinstance(message, RoundEnded):
                    lost = message.state_error
                    return _with_error(message.result, lost) if lost else message.result
                await self._take(message)
        except TimeoutError as error:
            self._kill_silent()
            await self._lose("it does not answer", error)
        except (asyncio.IncompleteReadError, OSError, RuntimeError) as error:
            await self._lose("it has ended", error)
        except (pickle.UnpicklingError, TypeError) as error:
            await self._lose("its message is invalid", error)
        raise AssertionError("unreachable")

    async def _lose(self, cause: str, error: Exception) -> None:
        self.kill()
        await self._until_dead()
        if self._batch:
            self._coordinator.give_back(self._batch)
            self._batch = ()
        raise WorkerGone(cause) from error

    async def _take(self, message: object) -> None:
        coordinator = self._coordinator
        match message:
            case Hello(pid):
                self._pid = pid
            case NotStarted(cause):
                raise WorkerGone(f"it cannot be started: {cause}")
            case NextBatch():
                self._batch = await coordinator.next_batch()
                self.send(Batch(self._batch))
            case Composed(report):
                self._batch = ()
                coordinator.composed(report)
            case Progress():
                self._take_progress(message)
            case Refused(one, receipt):
                await coordinator.refused(one, receipt)
                self.send(_brake_of(coordinator))
                self.send(Judged())
            case UsedUp(number):
                coordinator.used_up(number)
            case _:
                raise TypeError(message)

    def _take_progress(self, progress: Progress) -> None:
        for domain, count in progress.accepted.items():
            self._coordinator.accepted(domain, count)
        for one in progress.held_back:
            self._coordinator.held_back(one)
        for error in progress.errors:
            self._coordinator.recorded(error)
        if progress.sent:
            self._coordinator.recorded(None, progress.sent)

    def kill(self) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _kill_silent(self) -> None:
        """Kills a worker that does not answer; all of them if it has not even said who it is."""
        self.kill()
        if self._pid is None:
            with suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGKILL)

    async def end(self) -> None:
        """Lets the worker end, and kills it if it does not."""
        with suppress(OSError, RuntimeError):
            self._writer.write_eof()
        try:
            await asyncio.wait_for(self._until_dead(), _GOODBYE_SECONDS)
        except TimeoutError:
            self._kill_silent()
            await self._until_dead()

    async def _until_dead(self) -> None:
        """Returns when the other end of the connection is closed."""
        with suppress(OSError, RuntimeError):
            while await self._reader.read(1 << 16):
                pass
        self._writer.close()


def _with_error(result: RoundResult, facts: tuple[str, str, bool]) -> RoundResult:
    path, reason, is_passing = facts
    return RoundResult(
        failures=result.failures,
        tried=result.tried,
        limited_until=result.limited_until,
        state_error=StateError(path, reason, is_passing=is_passing),
    )

"""A worker process: does one share of a delivery for the coordinator in another process.

`digest.service.worker_pool` starts the first worker of a delivery. That one imports everything and then makes
the others by fork, before it opens a state, begins a thread or an event loop: so all share the memory of what
is imported. When the coordinator dies, its workers finish their current mails and end.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

from digest.config.memory import keep_what_is_there, share_heap, trim_heap
from digest.errors import StateError
from digest.mail.links import Links, links_for
from digest.mail.transport import Receipt
from digest.pipeline.compose_job import Composer
from digest.pipeline.plan import ComposeReport, DueSubscriber
from digest.pipeline.policy import domain_of
from digest.pipeline.rendering import RenderedMessage, Write
from digest.pipeline.share import RoundResult, Share
from digest.service.event_loop import run
from digest.service.log import begin_log, end_log
from digest.service.mail_setup import build_mail_writer
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
    read_first,
    read_message,
)
from digest.storage.base import Store
from digest.storage.factory import open_store
from digest.storage.values import Mailing

_log = logging.getLogger(__name__)

ALIVE_SECONDS = 5.0
"""How often a worker says that it is alive, at least."""

_ORPHANED_SECONDS = 2.0
"""How long the current mails may take after the coordinator died. The next run waits longer for the state."""

_GATHERING = 0.05
"""How many seconds a worker waits for more results of its mails, to send them in one message."""


def main() -> None:
    """Takes the descriptors of the sockets, one for each worker, as arguments."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the coordinator handles them, and then stops its workers
    share_heap()
    connections = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
    try:
        setup = read_first(connections[0])
    except EOFError:
        return
    if not isinstance(setup, WorkerSetup):
        raise TypeError(setup)
    begin_log(logging.WARNING, os.environ, setup.log_style)
    for name, level in setup.log_levels.items():
        logging.getLogger(name).setLevel(level)
    opened: list[Store] = []
    write = _writer(setup, opened)
    keep_what_is_there()
    place, others = _forked(connections)
    for number, connection in enumerate(connections):
        if number != place:
            connection.close()
    connections[place].sendall(framed(Hello(os.getpid())))
    with open_store(setup.state) as store:
        opened.append(store)
        run(_work(setup, place, connections[place], store, write))
    for pid in others:
        os.waitpid(pid, 0)
    end_log()
    os._exit(0)  # skips freeing the large caches object by object


def _writer(setup: WorkerSetup, opened: Sequence[Store]) -> Write:
    """Builds the writer before a state is `opened`: all workers share its memory."""

    @cache
    def links() -> Callable[[Mailing], Links]:
        return links_for(setup.writer_setup.base_url, opened[0])

    return build_mail_writer(setup.writer_setup, lambda mailing: links()(mailing)).write


def _forked(connections: Sequence[socket.socket]) -> tuple[int, Sequence[int]]:
    """Makes the other workers. Returns the place of this one, and the processes that it made."""
    others: list[int] = []
    for place in range(1, len(connections)):
        try:
            pid = os.fork()
        except OSError as error:  # the system allows no other process
            for connection in connections[place:]:
                connection.sendall(framed(NotStarted(str(error))))
            break
        if pid == 0:
            return place, ()
        others.append(pid)
    return 0, others


async def _work(
    setup: WorkerSetup, place: int, connection: socket.socket, store: Store, write: Write
) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    coordinator = RemoteCoordinator(writer)
    began = setup.now, setup.monotonic

    def clock() -> datetime:
        return began[0] + timedelta(seconds=time.monotonic() - began[1])

    share = Share(
        store,
        setup.transport,
        write,
        coordinator,
        clock,
        coordinator.stop,
        sessions=setup.sessions[place],
        composer=Composer(store, backlog_since=setup.backlog_since) if setup.backlog_since else None,
        limits=setup.limits,
        holder=setup.holders[place],
    )
    alive = asyncio.create_task(coordinator.stay_alive())
    rounds = asyncio.create_task(coordinator.rounds(share))
    try:
        await coordinator.listen(reader)
    finally:
        alive.cancel()
        coordinator.end()
        await asyncio.wait((rounds,), timeout=_ORPHANED_SECONDS)
        if not rounds.done():
            os._exit(1)


class RemoteCoordinator:
    """The coordinator in the other process, as `digest.pipeline.share.Coordinator`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.stop = asyncio.Event()
        self._writer = writer
        self._brake = Brake(False, frozenset())
        self._rounds: asyncio.Queue[Round | None] = asyncio.Queue()
        self._batches: asyncio.Queue[Sequence[DueSubscriber]] = asyncio.Queue()
        self._judged: asyncio.Queue[Judged] = asyncio.Queue()
        self._progress = Progress()
        self._telling: asyncio.TimerHandle | None = None

    # Listening.

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Takes messages until the coordinator ends."""
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                self._take(await read_message(reader))

    def _take(self, message: object) -> None:
        match message:
            case Round():
                self._rounds.put_nowait(message)
            case Batch(due):
                self._batches.put_nowait(due)
            case Brake():
                self._brake = message
            case Judged():
                self._judged.put_nowait(message)
            case Stop():
                self.stop.set()
            case _:
                raise TypeError(message)

    def end(self) -> None:
        """Lets the current round end early, and begins no other."""
        self.stop.set()
        self._rounds.put_nowait(None)
        self._batches.put_nowait(())
        self._judged.put_nowait(Judged())

    async def rounds(self, share: Share) -> None:
        """Does the rounds that the coordinator begins. An unexpected error ends the process."""
        while begin := await self._rounds.get():
            try:
                result = await share.round(sends=begin.sends)
            except StateError as error:
                result = RoundResult(state_error=error)
            except Exception:
                _log.exception("unexpected error in a worker process")
                os._exit(1)
            lost = result.state_error
            facts = (lost.path, lost.reason, lost.is_passing) if lost else None
            self._tell(RoundEnded(replace(result, state_error=None), facts))

    async def stay_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            trim_heap()  # papers in the caches change all the time, which fragments it
            self._tell_progress()

    # What the share asks and says.

    @property
    def is_ended(self) -> bool:
        return self._brake.is_ended

    def is_stopped(self, domain: str) -> bool:
        return domain in self._brake.stopped

    async def next_batch(self) -> Sequence[DueSubscriber]:
        self._tell(NextBatch())
        return await self._batches.get()

    def composed(self, report: ComposeReport) -> None:
        self._tell(Composed(report))

    def accepted(self, address: str) -> None:
        self._progress.accepted[domain_of(address)] += 1
        self._tell_soon()

    async def refused(self, one: RenderedMessage, receipt: Receipt) -> None:
        self._tell(Refused(one, receipt))
        await self._judged.get()

    def held_back(self, one: RenderedMessage) -> None:
        self._progress.held_back.append(one)
        self._tell_soon()

    def recorded(self, error: str | None) -> None:
        if error is None:
            self._progress.sent += 1
        else:
            self._progress.errors.append(error)
        self._tell_soon()

    def used_up(self, number: int) -> None:
        self._tell(UsedUp(number))

    # Telling.

    def _tell(self, message: object) -> None:
        """Sends a message after what happened before it."""
        if self._telling:
            self._tell_progress()
        self._send(message)

    def _tell_soon(self) -> None:
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(_GATHERING, self._tell_progress)

    def _tell_progress(self) -> None:
        if self._telling:
            self._telling.cancel()
        self._telling = None
        progress, self._progress = self._progress, Progress()
        self._send(progress)

    def _send(self, message: object) -> None:
        if not self._writer.is_closing():  # the coordinator may have ended
            self._writer.write(framed(message))


if __name__ == "__main__":
    main()

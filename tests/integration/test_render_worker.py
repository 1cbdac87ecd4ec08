"""A second process writes the same messages as the first one would, and is not waited for when it is dead."""

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from digest.config.loader import load_settings
from digest.errors import StateError, WorkerGone
from digest.mail.links import links_for
from digest.mail.maildir import MaildirTransport
from digest.pipeline import deliver as deliver_module
from digest.pipeline.deliver import deliver
from digest.pipeline.render_queue import RenderQueue, draft
from digest.service import render_worker, worker_pool
from digest.service.mail_setup import WriterSetup, build_writer, writer_setup_for
from digest.service.worker_pool import started_worker
from digest.storage.sqlite import connection
from digest.storage.sqlite.store import SqliteStore
from tests.stores import NOW, outbox_of

UNTIL = NOW + timedelta(minutes=10)
SUBSCRIBERS = tuple(f"reader{number}@example.org" for number in range(7))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "digest.toml"
    path.write_text('[smtp]\nsender = "digest@example.org"\n[arxiv]\ncontact = "library@example.org"\n')
    return path


@pytest.fixture
def store(store: SqliteStore) -> SqliteStore:
    outbox_of(store, *SUBSCRIBERS)
    return store


def writer_setup(config: Path) -> WriterSetup:
    return writer_setup_for(load_settings(config, {}))


async def test_its_drafts_are_those_that_the_first_process_makes(store: SqliteStore, config: Path) -> None:
    async with started_worker(writer_setup(config), config.parent / "digest.db") as drafting:
        theirs = [*await drafting(NOW, UNTIL, 4), *await drafting(NOW, UNTIL, 4)]
        assert await drafting(NOW, UNTIL, 4) == []
    store.reclaim(now=NOW, latest=UNTIL)
    write = build_writer(writer_setup(config))
    assert theirs == list(draft(store, write, now=NOW, until=UNTIL, limit=7))


@pytest.fixture
def web_config(config: Path) -> Path:
    config.write_text(config.read_text() + '[web]\nbase_url = "https://d.example.org"\n')
    return config


async def test_its_mails_lead_to_the_same_pages(store: SqliteStore, web_config: Path) -> None:
    async with started_worker(writer_setup(web_config), web_config.parent / "digest.db") as drafting:
        theirs = await drafting(NOW, UNTIL, 7)
    store.reclaim(now=NOW, latest=UNTIL)
    write = build_writer(writer_setup(web_config), links_for("https://d.example.org", store))
    assert list(theirs) == list(draft(store, write, now=NOW, until=UNTIL, limit=7))
    assert all(one.outgoing and b"<https://d.example.org/u/" in one.outgoing.message for one in theirs)


async def test_what_goes_wrong_there_is_told_here(store: SqliteStore, config: Path) -> None:
    async with started_worker(writer_setup(config), config.parent / "digest.db") as drafting:
        store._connection._db.execute("DROP TABLE mailing")
        with pytest.raises(StateError, match="no such table"):
            await drafting(NOW, UNTIL, 4)


def test_it_tells_whether_that_may_pass(
    store: SqliteStore, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_BUSY_SECONDS", 0.05)
    write = build_writer(writer_setup(config))
    line = json.dumps([NOW.isoformat(), UNTIL.isoformat(), 4]).encode()
    store._connection._db.execute("BEGIN IMMEDIATE")
    with SqliteStore(config.parent / "digest.db") as other:
        answer = render_worker._answer(other, write, line, io.BytesIO())
    assert answer == {"error": "is locked by another program; close that and run again", "is_passing": True}


async def test_one_that_died_is_told_and_its_mailings_come_back(store: SqliteStore, config: Path) -> None:
    async with started_worker(writer_setup(config), config.parent / "digest.db") as drafting:
        await drafting(NOW, UNTIL, 4)
        for child in children():
            os.kill(child, signal.SIGKILL)
        with pytest.raises(WorkerGone, match="it has ended"):
            await drafting(NOW, UNTIL, 4)
    assert store.reclaim(now=NOW, latest=UNTIL) == 4


async def test_one_that_hangs_is_not_waited_for(
    store: SqliteStore, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "PATIENCE", 0.2)
    before = set(children())
    async with started_worker(writer_setup(config), config.parent / "digest.db") as drafting:
        for child in set(children()) - before:
            os.kill(child, signal.SIGSTOP)
        with pytest.raises(WorkerGone, match="it does not answer"):
            await drafting(NOW, UNTIL, 4)
    assert set(children()) <= before


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
async def test_the_first_process_writes_where_no_second_one_can_be_had(
    store: SqliteStore, config: Path, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(deliver_module, "MANY", 1)
    monkeypatch.setattr(sys, "executable", python)
    transport = MaildirTransport(config.parent / "Maildir")
    write = build_writer(writer_setup(config))
    state = config.parent / "digest.db"
    report = await deliver(
        store, transport, write, lambda: NOW, start_worker=lambda: started_worker(writer_setup(config), state)
    )
    assert (report.sent, report.errors) == (7, [])
    assert ["instead of two" in note for note in report.notes] == [True]


@pytest.fixture
def strange_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jinja2.py").write_text("raise SystemExit('not the one that is installed')\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("strange_folder")
async def test_it_looks_for_no_modules_in_the_current_folder(store: SqliteStore, config: Path) -> None:
    async with started_worker(writer_setup(config), config.parent / "digest.db") as drafting:
        assert len(await drafting(NOW, UNTIL, 4)) == 4


def children() -> list[int]:
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return [int(child) for child in path.read_text().split()]


@pytest.mark.parametrize(("waiting", "is_hired"), [(7, True), (8, False)])
async def test_it_is_hired_where_very_many_wait(
    store: SqliteStore,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    waiting: int,
    is_hired: bool,
) -> None:
    monkeypatch.setattr(deliver_module, "MANY", waiting)
    hirings = 0

    @asynccontextmanager
    async def start_worker() -> AsyncIterator[RenderQueue]:
        nonlocal hirings
        hirings += 1
        async with started_worker(writer_setup(config), config.parent / "digest.db") as drafting:
            yield drafting

    transport = MaildirTransport(config.parent / "Maildir")
    write = build_writer(writer_setup(config))
    report = await deliver(store, transport, write, lambda: NOW, start_worker=start_worker)
    assert (report.sent, hirings, report.notes) == (7, is_hired, [])
    assert bool(store._editions._papers) is not is_hired, "who does not write keeps no papers"
    assert len(await asyncio.to_thread(lambda: list((config.parent / "Maildir/new").iterdir()))) == 7

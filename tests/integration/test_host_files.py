"""Two hosts with one database and different files: one enrols, the other one says so and only sends."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.config.database_url import DatabaseUrl
from digest.pipeline.cycle_report import Enrolled
from digest.service import bootstrap, daemon
from digest.service.bootstrap import Setup, build_cycle, load_setup
from digest.service.daemon import Daemon
from digest.service.sd_notify import Notifier
from digest.storage.base import Store
from digest.storage.factory import open_store
from tests.acceptance.installation import Installation
from tests.postgresql import database_of, take_back_databases
from tests.stores import NOW

ONE = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n'
TWO = ONE + '[[subscriber]]\nemail = "bo@example.org"\nkeywords = ["milk"]\n'


@pytest.fixture
def url(tmp_path: Path) -> Iterator[DatabaseUrl]:
    yield database_of(tmp_path)
    take_back_databases()


class Host:
    """A host with a file of its own."""

    def __init__(self, folder: Path, name: str, url: DatabaseUrl, patch: pytest.MonkeyPatch) -> None:
        self._name, self._url, self._patch = name, url, patch
        self.file = folder / f"{name}.toml"

    def setup(self) -> Setup:
        for module in (bootstrap, daemon):
            self._patch.setattr(module, "node", lambda: self._name)
        return load_setup(
            None, {"DIGEST_SUBSCRIBERS": str(self.file), "DIGEST_STATE": self._url.url, "TZ": "UTC"}
        )

    async def enrol(self, store: Store) -> Enrolled:
        return await build_cycle(self.setup(), store, clock=lambda: NOW).enrol()


def enrolled(store: Store) -> set[str]:
    return set(store.subscriber_statuses(["ada@example.org", "bo@example.org"]))


async def test_an_older_file_takes_nobody_away(
    tmp_path: Path, url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mars, venus = (Host(tmp_path, name, url, monkeypatch) for name in ("mars", "venus"))
    mars.file.write_text(ONE)
    venus.file.write_text(ONE)
    with open_store(url) as store, caplog.at_level(logging.WARNING):
        for host in (mars, venus):
            assert (await host.enrol(store)).notes == ()
        mars.file.write_text(TWO)
        assert len((await mars.enrol(store)).subscribers) == 2
        for _ in range(2):
            late = await venus.enrol(store)
            assert (late.subscribers, late.is_other_file) == ((), True)
            assert (
                "of this host differs from that of mars, which is in force since 2026-06-16" in late.notes[0]
            )
            assert late.notes[0] in caplog.text
            assert enrolled(store) == {"ada@example.org", "bo@example.org"}
            assert (await mars.enrol(store)).notes == ()
        venus.file.write_text(TWO)
        assert len((await venus.enrol(store)).subscribers) == 2


async def test_a_daemon_stops_composing_and_begins_again_as_the_files_say(
    tmp_path: Path, url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    mars, venus = (Host(tmp_path, name, url, monkeypatch) for name in ("mars", "venus"))
    mars.file.write_text(ONE)
    venus.file.write_text(ONE)
    with open_store(url) as store:
        setup = mars.setup()
        service = Daemon(setup, lambda: setup, store, Notifier({}), clock=lambda: NOW)
        await service._enrol()
        assert len(service._current.subscribers) == 1
        await venus.enrol(store)
        for text, count in ((TWO, 0), (ONE, 1)):
            venus.file.write_text(text)
            await venus.enrol(store)
            mars.setup()
            await service._check_file()
            assert len(service._current.subscribers) == count
            await service._check_preferences()
            assert len(service._current.subscribers) == count


def test_status_and_run_tell_it(tmp_path: Path, url: DatabaseUrl) -> None:
    with open_store(url) as store:
        assert store.take_up_file("mars", "another", now=NOW) is None
    lab = Installation(tmp_path, ONE, arxiv__request_interval=3, state=url.url)
    lab.environ["DIGEST_STATE"] = url.url
    done = lab("status")
    assert done.returncode == 1
    assert "needs you: subscribers.toml of this host differs from that of mars" in done.stdout
    done = lab("run", "--now", "2026-06-16T12:00:00Z")
    assert "note: subscribers.toml of this host differs from that of mars" in done.stderr
    assert done.returncode == 0
    with open_store(url) as store:
        assert enrolled(store) == set()

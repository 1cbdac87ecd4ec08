"""`digest status --health`: whether the service works, for the health check of a container."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest import cli
from digest.service.health import examine
from digest.storage.lock import hold_state
from digest.storage.sqlite.store import SqliteStore
from tests.factories import make_subscriber
from tests.stores import LONG_AGO, key

ADA = make_subscriber("ada@example.org", "tea")
ENTRY = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n'


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    Path("subscribers.toml").write_text(ENTRY)
    return tmp_path / "digest.db"


def health(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["digest", "status", "--health"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_fresh_installation_is_healthy_as_soon_as_its_daemon_runs(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert health(monkeypatch) == 1
    assert capsys.readouterr().out == "no daemon uses the state\n"
    with hold_state(state):
        with SqliteStore(state):
            pass
        assert health(monkeypatch) == 0
    assert capsys.readouterr().out == "the service works\n"


def test_a_suppressed_address_needs_a_person_but_the_service_is_healthy(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    with hold_state(state):
        with SqliteStore(state) as store:
            store.enrol([ADA], now=now, current_since=now)
            store.suppress(ADA.email, cause="550 5.1.1 no such user", now=now)
            assert examine(store, [ADA], now=now).problems()
        assert health(monkeypatch) == 0
    assert capsys.readouterr().out == "the service works\n"


def test_a_service_that_fetches_nothing_for_days_is_not_healthy(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = datetime.now(UTC) - timedelta(days=9)
    with hold_state(state):
        with SqliteStore(state) as store:
            store.enrol([ADA], now=before, current_since=before)
            store.record((), covered={key("tea"): LONG_AGO}, now=before)
        assert health(monkeypatch) == 1
    assert "no fetch has succeeded for over a day for tea" in capsys.readouterr().out

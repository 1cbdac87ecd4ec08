"""`digest audit`: what administrators did, as a table and as JSON."""

import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from digest import cli
from digest.storage.admin_stores import AuditEntry
from digest.storage.sqlite.store import SqliteStore
from tests.stores import NOW

ENTRIES = (
    AuditEntry(at=NOW, who="grace", action="pause", address="ada@example.org", details="until 2026-07-01"),
    AuditEntry(at=NOW + timedelta(days=1), who="linus", action="invite", details="3 uses"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str, code: int = 0) -> str:
        self.monkeypatch.setattr(sys, "argv", ["digest", "audit", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert (ended.value.code or 0) == code
        return self.capsys.readouterr().out


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    return Command(monkeypatch=monkeypatch, capsys=capsys)


def test_actions_are_listed(tmp_path: Path, audit: Command) -> None:
    assert audit() == "No administrator did anything in the last year.\n"
    about = audit("ada@example.org", "--since", "2026-06-01")
    assert about == "No administrator did anything about ada@example.org since 2026-06-01.\n"
    with SqliteStore(tmp_path / "digest.db") as store:
        for entry in ENTRIES:
            store.note_action(entry)
    table = audit()
    for words in ("2026-06-16 07:00 UTC", "grace", "pause", "ada@example.org", "until 2026-07-01", "linus"):
        assert words in table
    assert "linus" not in audit("Ada@example.org")
    assert json.loads(audit("--since", "2026-06-17", "--json")) == [
        {
            "version": 1,
            "at": "2026-06-17T07:00:00+00:00",
            "who": "linus",
            "action": "invite",
            "email": None,
            "details": "3 uses",
        }
    ]


def test_what_is_no_address_is_told(audit: Command) -> None:
    audit("ada", code=2)

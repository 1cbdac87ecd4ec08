"""`digest invite`: links that can be shared, listed and revoked."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest import cli
from digest.storage.sqlite.store import SqliteStore

BASE = "https://digest.example.org"
Digest = Callable[..., tuple[int, str, str]]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Digest:
    """Runs the command, as its entry point does; gives its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    monkeypatch.setenv("DIGEST_WEB__BASE_URL", BASE)
    monkeypatch.setenv("DIGEST_WEB__SIGNUP", "invite")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["digest", "invite", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        return code if isinstance(code, int) else 0, *capsys.readouterr()

    return run


def test_a_link_is_printed_alone_and_opens_what_it_says(digest: Digest, tmp_path: Path) -> None:
    code, out, err = digest("--uses", "30", "--until", "2100-12-31")
    assert code == 0
    link = out.strip()
    assert link.startswith(f"{BASE}/join/")
    assert "For 30 people, until 2100-12-31. `digest invite --revoke 1` ends it." in err
    with SqliteStore(tmp_path / "digest.db") as store:
        invite = store.invite_for(link.rpartition("/")[2])
    assert invite
    assert (invite.uses, invite.until_at) == (30, datetime(2101, 1, 1, tzinfo=UTC))


def test_a_link_ends_after_30_days_unless_a_day_is_given(digest: Digest) -> None:
    made = json.loads(digest("--json")[1])
    lasts = datetime.fromisoformat(made["until"]) - datetime.fromisoformat(made["made_at"])
    assert timedelta(days=30) <= lasts <= timedelta(days=31)
    assert made["uses"] is None


def test_links_are_listed_and_revoked(digest: Digest) -> None:
    assert "No invite links yet" in digest("--list")[1]
    links = [digest("--uses", str(uses))[1].strip() for uses in (1, 2)]
    assert digest("--revoke", "1") == (0, "Invite 1 is no longer valid.\n", "")
    first, second = json.loads(digest("--list", "--json")[1])
    assert [first["state"], second["state"]] == ["revoked", "valid"]
    assert [first["link"], second["link"]] == links
    listed = digest("--list")[1]
    assert "revoked" in listed
    assert links[0] not in listed
    assert links[1] in listed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--revoke", "7"), "there is no invite 7"),
        (("--until", "2020-01-01"), "2020-01-01 is over: must be "),
        (("--until", "tomorrow"), "must be a day"),
        (("--uses", "0"), "must be a number of people from 1 to 10,000"),
        (("--list", "--uses", "2"), "give only one of"),
        (("--list", "--revoke", "1"), "give only one of"),
    ],
)
def test_what_cannot_be_is_explained(digest: Digest, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = digest(*arguments)
    assert code == 2
    assert said in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize("signup", ["", "open"])
def test_where_nobody_needs_a_link_none_is_made(
    digest: Digest, monkeypatch: pytest.MonkeyPatch, signup: str
) -> None:
    monkeypatch.setenv("DIGEST_WEB__SIGNUP", signup)
    code, out, err = digest()
    assert (code, out) == (2, "")
    assert 'signup = "invite"' in err

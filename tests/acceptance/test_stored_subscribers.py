"""Subscribers in the database: the commands work as with the file, and a daemon notices what they do."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from digest.config.database_url import DatabaseUrl, is_database
from digest.config.loader import Defaults
from digest.errors import ConfigurationError, StateError
from digest.service.bootstrap import load_setup
from digest.storage.factory import open_store
from digest.storage.postgresql import migrations
from digest.subscribers import editor
from digest.subscribers.entries import Entries
from digest.subscribers.file import SubscribersFile
from digest.subscribers.stored import EntryChange, StoredEntry, StoredSubscribers
from tests.acceptance.installation import Installation
from tests.entries import add_entries
from tests.factories import make_subscriber
from tests.postgresql import database_of, take_back_databases
from tests.stores import NOW

FILE = """\
[[subscriber]]
email = "Ann@example.org"
name = "Ann A."
keywords = ["neural operator", { query = "reinforcement learning", name = "RL" }]
at = "08:00"
timezone = "Europe/Berlin"
weekly = "fri"
length = "full"
discover = 2
exclude = ["survey"]
categories = ["cs.LG", "stat.*"]
crosslists = false
replacements = "section"

[[subscriber]]
email = "ben@example.org"
keywords = ["tea"]
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoredSubscribers]:
    state = tmp_path / "digest.db" if request.param == "sqlite" else database_of(tmp_path)
    opened = partial(open_store, state)
    yield StoredSubscribers(Defaults(), reading=opened, changing=opened)
    take_back_databases()


on_both = pytest.mark.parametrize("lab", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """An installation whose entries are in the database."""
    lab = Installation(tmp_path, "", arxiv__request_interval=3)
    lab.environ["DIGEST_SUBSCRIBERS"] = "database"
    if getattr(request, "param", "sqlite") == "postgresql":
        lab.environ["DIGEST_STATE"] = database_of(tmp_path).url
    yield lab
    take_back_databases()


def put(lab: Installation, *arguments: str) -> str:
    done = lab(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listed(lab: Installation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(put(lab, "subscribers", "--json"))
    return found


@on_both
def test_the_commands_do_what_they_do_with_a_file(lab: Installation) -> None:
    assert "No subscribers yet in the database" in put(lab, "subscribers")
    said = put(lab, "subscribe", "ann@example.org", "-k", "neural operator", "-k", "x ray", "--at", "08:00")
    assert said.startswith('Added ann@example.org with "neural operator", "x ray" to the database.\n')
    said = put(lab, "subscribe", "Ann@Example.org", "-k", "RL theory", "--as", "RL", "--weekly", "fri")
    assert 'ann@example.org now also follows "RL (RL theory)", in the database.' in said
    assert "Changed weekly of ann@example.org in the database." in said
    assert 'no longer follows "x ray", in the database' in put(
        lab, "unsubscribe", "ann@example.org", "-k", "x ray"
    )
    put(lab, "rename", "ann@example.org", "anna@example.org")
    (one,) = listed(lab)
    assert (one["email"], one["keywords"], one["names"], one["at"], one["weekly"]) == (
        "anna@example.org",
        ["neural operator", "RL theory"],
        {"RL theory": "RL"},
        "08:00",
        "fri",
    )
    assert "has judged no paper" in put(lab, "interests", "anna@example.org")
    assert put(lab, "unsubscribe", "anna@example.org").startswith(
        "Removed anna@example.org from the database"
    )
    assert listed(lab) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("subscribe", "cy@example.org"), "is a new subscriber and needs a keyword"),
        (("subscribe", "ann@example.org", "-k", "a, b"), "a list is searched as one phrase"),
        (("subscribe", "ann@example.org", "--at", "25:00"), 'at = "25:00": must be HH:MM'),
        (("subscribe", "ann@example.org", "--no-crosslists"), "crosslists = false: needs categories"),
        (
            ("unsubscribe", "anne@example.org"),
            "anne@example.org is not a subscriber; did you mean",
        ),
        (("unsubscribe", "ann@example.org", "-k", "milk"), 'does not follow "milk"'),
        (("rename", "ann@example.org", "ben@example.org"), "ben@example.org is a subscriber already"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_changed(
    lab: Installation, arguments: tuple[str, ...], problem: str
) -> None:
    put(lab, "subscribe", "ann@example.org", "-k", "tea")
    put(lab, "subscribe", "ben@example.org", "-k", "tea")
    before = listed(lab)
    done = lab(*arguments)
    assert (done.returncode, problem in done.stderr) == (2, True), done.stderr
    assert listed(lab) == before


def test_an_entry_means_the_same_in_both_places(directory: StoredSubscribers, tmp_path: Path) -> None:
    file = tmp_path / "subscribers.toml"
    file.write_text(FILE.replace('"08:00"', "08:00:00"))
    written = list(SubscribersFile(file, Defaults()).entries())

    def take_over(entries: Entries) -> None:
        entries.put(written)

    directory.edit(take_over)
    assert directory.load() == SubscribersFile(file, Defaults()).load()
    assert list(directory.entries()) == written


def test_concurrent_edits_all_take_effect(directory: StoredSubscribers) -> None:
    editor.subscribe(directory, email="ann@example.org", keywords=["tea"])
    topics = [f"topic {number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(lambda one: editor.subscribe(directory, email="ann@example.org", keywords=[one]), topics)
        )
    (ann,) = directory.load()
    assert {keyword.text for keyword in ann.keywords} == {"tea", *topics}


def test_an_entry_that_became_invalid_is_named(directory: StoredSubscribers) -> None:
    with directory._changing() as store:
        bad = StoredEntry(
            address="a@example.org", content='{"email": "a@example.org", "keywords": [5], "at": "x"}'
        )
        assert store.change_entries([EntryChange(before=None, after=bad)])
    with pytest.raises(ConfigurationError) as caught:
        directory.load()
    assert [problem[:30] for problem in caught.value.problems] == [
        "the database, a@example.org: k",
        "the database, a@example.org: a",
    ]


@pytest.fixture(params=["file", "database"])
def either(request: pytest.FixtureRequest, lab: Installation) -> Installation:
    """Subscribers in a file, with comments, or in the database."""
    if request.param == "file":
        lab.environ["DIGEST_SUBSCRIBERS"] = str(lab.folder / "subscribers.toml")
        (lab.folder / "subscribers.toml").write_text(f"# Our lab.\n\n{FILE}# The end.\n")
    else:
        (lab.folder / "first.toml").write_text(FILE)
        put(lab, "subscribers", "--import", "first.toml")
    return lab


SHEET = (
    "\ufeffemail;name;keywords;at\r\nben@example.org;Ben;tea;07:30\r\n"
    'cy@example.org;;"x ray; T = ""green tea""";9:05\r\n'
)


def test_a_sheet_adds_and_changes_and_removes_nobody(either: Installation) -> None:
    (either.folder / "sheet.csv").write_text(SHEET, encoding="utf-8")
    before = listed(either)
    said = put(either, "subscribers", "--import", "sheet.csv", "--dry-run")
    assert said.startswith("Would add 1 subscriber to ")
    assert ", change 1; 0 unchanged.\n" in said
    assert said.endswith("New: cy@example.org.\nChanged: ben@example.org.\nNothing was written.\n")
    assert listed(either) == before
    said = put(either, "subscribers", "--import", "sheet.csv")
    assert said.startswith("Added 1 subscriber to ")
    assert ", changed 1; 0 unchanged.\n" in said
    ann, ben, cy = listed(either)
    assert ann == before[0]
    assert (ben["name"], ben["at"], ben["keywords"]) == ("Ben", "07:30", ["tea"])
    assert (cy["at"], cy["names"]) == ("09:05", {'"green tea"': "T"})
    assert ", changed 0; 2 unchanged.\n" in put(either, "subscribers", "--import", "sheet.csv")
    file = either.folder / "subscribers.toml"
    assert "# Our lab.\n\n" in file.read_text() or file.read_text() == ""


def test_a_sheet_with_a_bad_line_changes_nothing(either: Installation) -> None:
    (either.folder / "sheet.csv").write_text(f"{SHEET}dee@example.org;;tea;25:00\r\nben@example.org;;tea\r\n")
    before = listed(either)
    done = either("subscribers", "--import", "sheet.csv")
    assert done.returncode == 2
    assert 'error: sheet.csv, line 4, dee@example.org: at = "25:00"' in done.stderr
    assert (
        "error: sheet.csv, line 5, ben@example.org: email: the same address as in sheet.csv, line 2"
        in done.stderr
    )
    assert listed(either) == before


@pytest.mark.parametrize("name", ["all.toml", "all.csv"])
def test_what_is_exported_can_be_imported_elsewhere(either: Installation, name: str) -> None:
    assert put(either, "subscribers", "--export", name).startswith("Wrote 2 subscribers to ")
    before = listed(either)
    either.environ |= {"DIGEST_SUBSCRIBERS": "other.toml", "DIGEST_STATE": str(either.folder / "other.db")}
    put(either, "subscribers", "--import", name)
    assert listed(either) == [{**one, "owner": "file"} for one in before]


@on_both
def test_who_unsubscribed_stays_so_after_an_import(lab: Installation) -> None:
    put(lab, "subscribe", "ben@example.org", "-k", "tea")
    state = lab.environ["DIGEST_STATE"]
    with open_store(DatabaseUrl(state) if is_database(state) else Path(state)) as store:
        store.enrol([make_subscriber("ben@example.org")], now=NOW, current_since=NOW)
        store.leave("ben@example.org", now=NOW)
    (lab.folder / "sheet.csv").write_text(SHEET, encoding="utf-8")
    said = put(lab, "subscribers", "--import", "sheet.csv")
    assert "Note: ben@example.org had unsubscribed, and gets no mail" in said


def test_a_run_converts_a_database_of_an_older_version_to_read_its_subscribers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_of(tmp_path)
    environ = {"DIGEST_STATE": url.url, "DIGEST_SUBSCRIBERS": "database", "TZ": "UTC"}
    with open_store(url) as store:
        add_entries(store, FILE)
    newer = (*migrations.MIGRATIONS, ("m999_newer", ("CREATE TABLE newer (number integer)",)))
    monkeypatch.setattr(migrations, "MIGRATIONS", newer)
    with pytest.raises(StateError, match="older version"):
        load_setup(None, environ)
    assert len(load_setup(None, environ, converts=True).subscribers) == 2
    assert len(load_setup(None, environ).subscribers) == 2
    with psycopg.connect(url.url) as db:  # other tests get this database again
        db.execute("DROP TABLE newer")
        db.execute("DELETE FROM digest_migration WHERE name = 'm999_newer'")
    take_back_databases()

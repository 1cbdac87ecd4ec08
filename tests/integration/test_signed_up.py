"""Subscribers who signed up are beside those of the file: in runs, lists and commands; each can be moved."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import time
from functools import partial
from pathlib import Path

import pytest

from digest import cli
from digest.config.loader import Defaults, load_settings
from digest.errors import ConfigurationError, StateError
from digest.service.bootstrap import load_setup
from digest.service.directory import directory_of
from digest.storage.base import Store
from digest.storage.factory import open_store
from digest.subscribers import editor
from digest.subscribers.combined import CombinedDirectory
from digest.subscribers.file import SubscribersFile
from digest.subscribers.preferences import Preferences
from digest.subscribers.stored import EntryChange, StoredEntries, StoredSubscribers
from tests.entries import add_entries
from tests.postgresql import database_of, take_back_databases
from tests.stores import NOW, claim, enqueue, found, news_of, record

FILE = """\
# Our lab.

[[subscriber]]
email = "Ann@example.org"
keywords = ["neural operator"]
at = 08:00:00

# Ben reads little.
[[subscriber]]
email = "ben@example.org"
keywords = ["tea"]
"""
SIGNED_UP = """\
[[subscriber]]
email = "cy@example.org"
keywords = ["tea", { query = "x ray", name = "X" }]
timezone = "Europe/Berlin"
"""
DOUBLE = '[[subscriber]]\nemail = "BEN@example.org"\nkeywords = ["milk"]\n'


@pytest.fixture(params=["sqlite", "postgresql"])
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    (tmp_path / "subscribers.toml").write_text(FILE)
    state = tmp_path / "digest.db" if request.param == "sqlite" else database_of(tmp_path).url
    yield {"DIGEST_SUBSCRIBERS": str(tmp_path / "subscribers.toml"), "DIGEST_STATE": str(state), "TZ": "UTC"}
    take_back_databases()


@pytest.fixture
def state(environ: dict[str, str]) -> Iterator[Store]:
    with open_store(load_settings(None, environ).state) as store:
        add_entries(store, SIGNED_UP)
        yield store


@pytest.fixture
def directory(environ: dict[str, str], state: Store) -> CombinedDirectory:
    found = directory_of(load_settings(None, environ))
    assert isinstance(found, CombinedDirectory)
    return found


def owners(directory: CombinedDirectory) -> dict[str, bool]:
    return {one.email: one.is_signed_up for one in directory.load()}


def text(environ: dict[str, str]) -> str:
    return Path(environ["DIGEST_SUBSCRIBERS"]).read_text()


def test_who_signed_up_comes_after_those_of_the_file(directory: CombinedDirectory) -> None:
    assert owners(directory) == {"Ann@example.org": False, "ben@example.org": False, "cy@example.org": True}
    cy = directory.find("CY@example.org")
    assert cy
    assert (cy.is_signed_up, cy.keywords[1].name, cy.send_schedule.timezone.key) == (
        True,
        "X",
        "Europe/Berlin",
    )
    assert [entry["email"] for entry in directory.entries()] == list(owners(directory))


def test_without_a_state_there_are_those_of_the_file_and_no_state_is_made(tmp_path: Path) -> None:
    (tmp_path / "subscribers.toml").write_text(FILE)
    state = tmp_path / "folder" / "digest.db"
    environ = {"DIGEST_SUBSCRIBERS": str(tmp_path / "subscribers.toml"), "DIGEST_STATE": str(state)}
    setup = load_setup(None, environ, converts=True)
    assert len(setup.subscribers) == 2
    directory = directory_of(setup.settings)
    editor.subscribe(directory, email="dee@example.org", keywords=["tea"])
    editor.unsubscribe(directory, email="ann@example.org")
    assert not state.parent.exists()
    with open_store(state):
        assert setup.fingerprint_now()[1] != setup.fingerprint[1]
        assert load_setup(None, environ).fingerprint == setup.fingerprint_now()


def test_a_change_of_either_is_another_version(directory: CombinedDirectory, state: Store) -> None:
    versions = [directory.version()]
    content = directory.content()
    editor.subscribe(directory, email="cy@example.org", keywords=["milk"])
    versions.append(directory.version())
    assert directory.content() == content
    editor.subscribe(directory, email="ben@example.org", keywords=["milk"])
    versions.append(directory.version())
    assert len(set(versions)) == 3
    assert directory.version() == versions[-1]


def test_an_edit_is_made_where_the_entry_is(directory: CombinedDirectory, environ: dict[str, str]) -> None:
    done = editor.subscribe(directory, email="Cy@example.org", keywords=["milk"], at="09:00")
    assert (done.is_new, done.subscriber.is_signed_up, done.added) == (False, True, ("milk",))
    assert text(environ) == FILE
    editor.rename(directory, email="cy@example.org", new="cyd@example.org")
    assert not editor.unsubscribe(directory, email="cyd@example.org", keywords=["tea"]).is_gone
    cyd = directory.find("cyd@example.org")
    assert cyd
    assert [one.text for one in cyd.keywords] == ["x ray", "milk"]
    editor.unsubscribe(directory, email="cyd@example.org")
    assert list(owners(directory)) == ["Ann@example.org", "ben@example.org"]
    assert text(environ) == FILE


def test_new_entries_go_to_the_file(directory: CombinedDirectory, environ: dict[str, str]) -> None:
    assert editor.subscribe(directory, email="dee@example.org", keywords=["tea"]).is_new
    assert 'email = "dee@example.org"' in text(environ)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (partial(editor.rename, email="ben@example.org", new="cy@example.org"), "already has an entry"),
        (partial(editor.rename, email="cy@example.org", new="ben@example.org"), "already has an entry"),
        (partial(editor.unsubscribe, email="cyy@example.org"), "did you mean cy@example.org"),
        (partial(editor.subscribe, email="cy@example.org", crosslists=False), "needs categories"),
    ],
)
def test_what_is_wrong_changes_nothing(
    directory: CombinedDirectory,
    environ: dict[str, str],
    edit: Callable[[CombinedDirectory], object],
    problem: str,
) -> None:
    before = directory.load()
    with pytest.raises(ConfigurationError, match=problem):
        edit(directory)
    assert (directory.load(), text(environ)) == (before, FILE)


def test_of_two_entries_that_of_the_file_counts_and_both_go(
    directory: CombinedDirectory, state: Store, environ: dict[str, str]
) -> None:
    add_entries(state, DOUBLE)
    assert directory.doubles() == ("ben@example.org",)
    assert len(directory.load()) == len(list(directory.entries())) == 3
    ben = directory.find("ben@example.org")
    assert ben
    assert [one.text for one in ben.keywords] == ["tea"]
    editor.unsubscribe(directory, email="ben@example.org")
    assert list(owners(directory)) == ["Ann@example.org", "cy@example.org"]
    assert directory.doubles() == ()


@pytest.mark.parametrize("email", ["ben@example.org", "cy@example.org"])
def test_who_is_renamed_keeps_what_they_got_and_chose(
    directory: CombinedDirectory,
    state: Store,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    email: str,
) -> None:
    state.take_up_entries(directory.load(), file=None, now=NOW)
    state.enrol(directory.load(), now=NOW, current_since=NOW)
    record(state, found("2606.00001", "tea"), covered=("tea", "x ray", "neural operator"))
    subscriber = directory.find(email)
    assert subscriber
    enqueue(state, subscriber)
    state.save_preferences(email, Preferences(send_at=time(9)))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["digest", "rename", email, "new@example.org"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code, capsys.readouterr().err
    assert state.take_up_entries(directory.load(), file=None, now=NOW) is None
    state.enrol(directory.load(), now=NOW, current_since=NOW)
    assert state.preferences() == {"new@example.org": Preferences(send_at=time(9))}
    assert news_of(state, "new@example.org").hits == ()
    assert [one.digest.email for one in claim(state)] == ["new@example.org"]
    assert directory.find(email) is None


def test_who_gets_another_address_leaves_no_second_entry(directory: CombinedDirectory, state: Store) -> None:
    add_entries(state, DOUBLE)
    editor.rename(directory, email="ben@example.org", new="benedict@example.org")
    assert list(owners(directory)) == ["Ann@example.org", "benedict@example.org", "cy@example.org"]


def test_an_import_keeps_the_owners_and_adds_to_the_file(
    directory: CombinedDirectory, environ: dict[str, str]
) -> None:
    entries = [
        {"email": "cy@example.org", "keywords": ["milk"]},
        {"email": "ben@example.org", "keywords": ["tea"]},
        {"email": "dee@example.org", "keywords": ["tea"]},
    ]
    done = directory.edit(lambda there: there.put(entries))
    assert (done.added, done.changed, done.same) == (("dee@example.org",), ("cy@example.org",), 1)
    assert owners(directory) == {
        "Ann@example.org": False,
        "ben@example.org": False,
        "dee@example.org": False,
        "cy@example.org": True,
    }
    assert text(environ).startswith(FILE)


def test_an_import_whose_file_cannot_be_written_changes_nothing(
    directory: CombinedDirectory, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    before = directory.load()
    monkeypatch.setattr("digest.subscribers.file_edit.replace_text", fail)
    entries = [
        {"email": "cy@example.org", "keywords": ["milk"]},
        {"email": "dee@example.org", "keywords": ["a"]},
    ]
    with pytest.raises(ConfigurationError, match="the disk is full"):
        directory.edit(lambda there: there.put(entries))
    assert directory.load() == before


def test_an_edit_is_made_again_after_another_one(
    directory: CombinedDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = StoredEntries.save
    others = iter([partial(editor.subscribe, email="cy@example.org", keywords=["milk"])])

    def save_late(entries: StoredEntries) -> bool:
        for edit in others:
            edit(directory.signed_up)
        return save(entries)

    monkeypatch.setattr(StoredEntries, "save", save_late)
    editor.subscribe(directory, email="cy@example.org", keywords=["coffee"])
    cy = directory.find("cy@example.org")
    assert cy
    assert [one.text for one in cy.keywords] == ["tea", "x ray", "milk", "coffee"]


def test_an_entry_is_moved_to_the_state_and_back_as_it_is(
    directory: CombinedDirectory, environ: dict[str, str]
) -> None:
    before = list(directory.entries())
    ann = directory.move("ann@example.org", to_state=True)
    assert ann
    assert ann.is_signed_up
    assert "Ann@" not in text(environ)
    assert "# Ben reads little." in text(environ)
    assert directory.move("ann@example.org", to_state=True) is None
    back = directory.move("ann@example.org", to_state=False)
    assert back
    assert not back.is_signed_up
    assert directory.move("ann@example.org", to_state=False) is None
    by_address = {entry["email"]: entry for entry in directory.entries()}
    assert by_address == {entry["email"]: entry for entry in before}
    cy = directory.move("cy@example.org", to_state=False)
    assert cy
    assert '{ query = "x ray", name = "X" }' in text(environ)
    assert directory.signed_up.load() == ()
    with pytest.raises(ConfigurationError, match="did you mean ben@"):
        directory.move("bem@example.org", to_state=True)


@pytest.mark.parametrize("to_state", [True, False])
def test_a_move_that_was_cut_off_is_finished_by_the_next(
    directory: CombinedDirectory, monkeypatch: pytest.MonkeyPatch, *, to_state: bool
) -> None:
    email = "ben@example.org" if to_state else "cy@example.org"
    expected = directory.find(email)
    with monkeypatch.context() as patch:
        edited = SubscribersFile if to_state else StoredSubscribers
        whole = edited.edit

        def cut_off(self: object, change: Callable[[object], object], **more: bool) -> object:
            def dying(entries: object) -> object:
                change(entries)
                raise KeyboardInterrupt

            return whole(self, dying, **more)  # type: ignore[arg-type]

        patch.setattr(edited, "edit", cut_off)
        patch.setattr(CombinedDirectory, "edit", lambda self, change: None)
        with pytest.raises(KeyboardInterrupt):
            directory.move(email, to_state=to_state)
    assert directory.doubles() == (email,)
    assert len(directory.load()) == 3
    moved = directory.move(email, to_state=to_state)
    assert moved
    assert expected
    assert (moved.keywords, moved.send_schedule) == (expected.keywords, expected.send_schedule)
    assert directory.doubles() == ()


def test_who_is_moved_while_the_subscribers_are_read_is_not_missed(
    directory: CombinedDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = SubscribersFile.load
    moves = iter([partial(directory.move, "cy@example.org", to_state=False)])

    def load_early(file: SubscribersFile) -> object:
        found = load(file)
        for move in moves:
            move()
        return found

    monkeypatch.setattr(SubscribersFile, "load", load_early)
    assert owners(directory)["cy@example.org"] is False


def test_problems_of_both_are_told_at_once(
    directory: CombinedDirectory, state: Store, environ: dict[str, str]
) -> None:
    add_entries(state, '[[subscriber]]\nemail = "dee@example.org"\nkeywords = []\n')
    Path(environ["DIGEST_SUBSCRIBERS"]).write_text('[[subscriber]]\nemail = "eve@example.org"\n')
    with pytest.raises(ConfigurationError) as caught:
        directory.load()
    file, stored = caught.value.problems
    assert "eve@example.org: keywords: missing" in file
    assert stored.startswith("the state, dee@example.org: keywords: empty")


def test_a_state_of_an_older_version_is_read_without_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subscribers.toml").write_text(FILE)
    environ = {
        "DIGEST_SUBSCRIBERS": str(tmp_path / "subscribers.toml"),
        "DIGEST_STATE": str(tmp_path / "digest.db"),
    }
    with open_store(tmp_path / "digest.db") as store:
        add_entries(store, SIGNED_UP)
        store._connection._db.execute(  # type: ignore[attr-defined]
            "DELETE FROM _sqlite_migrations WHERE name = (SELECT max(name) FROM _sqlite_migrations)"
        )
    before = (tmp_path / "digest.db").read_bytes()
    monkeypatch.setattr("digest.storage.factory.open_copy", None)
    assert len(load_setup(None, environ).subscribers) == 3
    assert (tmp_path / "digest.db").read_bytes() == before


def test_a_state_that_is_no_state_stops_a_run_and_not_an_edit_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "subscribers.toml").write_text(FILE)
    (tmp_path / "digest.db").write_text("no database")
    environ = {
        "DIGEST_SUBSCRIBERS": str(tmp_path / "subscribers.toml"),
        "DIGEST_STATE": str(tmp_path / "digest.db"),
    }
    with pytest.raises(StateError):
        load_setup(None, environ)
    directory = directory_of(load_settings(None, environ))
    editor.subscribe(directory, email="dee@example.org", keywords=["tea"])
    editor.unsubscribe(directory, email="ben@example.org")
    assert [one.email for one in SubscribersFile(tmp_path / "subscribers.toml", Defaults()).load()] == [
        "Ann@example.org",
        "dee@example.org",
    ]


def test_the_commands_tell_the_owner_and_move(
    environ: dict[str, str], state: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["digest", *arguments])
        with pytest.raises(SystemExit):
            cli.main()
        out, err = capsys.readouterr()
        return str(out + err)

    def told() -> dict[str, str]:
        return {one["email"]: one["owner"] for one in json.loads(run("subscribers", "--json"))}

    assert told() == {"Ann@example.org": "file", "ben@example.org": "file", "cy@example.org": "sign-up"}
    header, _, ben, cy = run("subscribers").splitlines()
    assert [line.split()[1] for line in (header, ben, cy)] == ["Owner", "file", "sign-up"]
    before = state.entry_of("cy@example.org")
    assert before
    state.change_entries([EntryChange(before=before, after=replace(before, joined_at=NOW))])
    joined = {one["email"]: one["joined_at"] for one in json.loads(run("subscribers", "--json"))}
    assert joined == dict.fromkeys(joined) | {"cy@example.org": "2026-06-16T07:00:00+00:00"}
    header, ann, _, cy = (" ".join(line.split()) for line in run("subscribers").splitlines())
    assert header.startswith("Address Owner Signed up Name ")
    assert ann.startswith("Ann@example.org file neural")
    assert cy.startswith("cy@example.org sign-up 2026-06-16 tea")
    assert run("subscribe", "cy@example.org", "-k", "milk").startswith(
        'cy@example.org now also follows "milk", in the state.\n'
    )
    assert run("rename", "cy@example.org", "cyd@example.org").startswith(
        "Renamed cy@example.org to cyd@example.org in the state;"
    )
    moved = run("move", "cyd@example.org", "--to", "file")
    assert (
        moved == f"Moved cyd@example.org to {environ['DIGEST_SUBSCRIBERS']}; the digests go on as before.\n"
    )
    assert run("move", "cyd@example.org", "--to", "file").endswith("already.\n")
    assert "Owner" not in run("subscribers")
    assert run("move", "ben@example.org", "--to", "state").startswith("Moved ben@example.org to the state;")
    assert run("unsubscribe", "ben@example.org").startswith("Removed ben@example.org from the state, with")
    assert "did you mean" in run("move", "an@example.org", "--to", "state")
    assert told() == {"Ann@example.org": "file", "cyd@example.org": "file"}

"""A state is copied whole from any kind of database to any other, or not at all."""

import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import psycopg
import pytest

from digest import cli
from digest.config.database_url import DatabaseUrl
from digest.errors import AlreadyRunning, StateError
from digest.model.digest import Digest
from digest.storage import copying
from digest.storage.admin_stores import AuditEntry
from digest.storage.base import Store
from digest.storage.channel_stores import Rest
from digest.storage.confirmations import PageChange
from digest.storage.copying import copy_state
from digest.storage.factory import State, open_alone, open_store
from digest.storage.neutral import TABLES, Checksum, Row, Tables
from digest.storage.rate_limit import Limits
from digest.storage.signups import NewSignup, SignupLimits
from digest.storage.values import Mailing, MailingState, Pages, UnreadMail
from digest.subscribers.interest.judgements import Origin, example_of
from digest.subscribers.preferences import Preferences
from tests.acceptance.installation import Installation
from tests.entries import add_entries
from tests.factories import invented_paper, make_subscriber
from tests.postgresql import database_of, take_back_databases
from tests.stores import (
    LEASE,
    NOW,
    claim,
    enqueue,
    found,
    ids,
    key,
    new_for,
    record,
    record_results,
)

ADA = make_subscriber("ada@example.org", "tea", "math", replacements="section", exclude=("milk",))
BO = make_subscriber("bo@example.org", "tea", discover=1)
KINDS = ("file", "database")
PREVIEWS = ("preview_wish", "preview_answer", "preview_request")
Place = Callable[[str, str], State]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The place of a state, by its kind and name."""

    def at(kind: str, name: str) -> State:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return folder / "digest.db" if kind == "file" else database_of(folder)

    yield at
    take_back_databases()


def fill(store: Store) -> None:
    """Something in every table."""
    store.enrol([ADA, BO], now=NOW, current_since=NOW)
    store.take_up_entries([ADA, BO], file="1", now=NOW)
    add_entries(store, '[[subscriber]]\nemail = "Ada@example.org"\nkeywords = ["tea"]\n')
    for day in range(3):
        papers = [found(f"2606.0000{day}", "tea"), found(f"2401.000{day}1", "tea", "math")]
        record(store, *papers, found("math/0309136", "math"), covered=("tea", "math"))
        store.note_fetch("search", now=NOW + timedelta(days=day))
        enqueue(store, ADA, now=NOW + timedelta(days=day))
    enqueue(store, BO)
    record(store, found("2606.00001", "tea", version=2), covered=("tea", "math"))
    changed = replace(found("2606.00001", "tea", version=2).paper, abstract="Another one.")
    record(store, replace(found("2606.00001", "tea"), paper=changed), covered=("tea",))
    store.keep_listed([invented_paper("2606.00009"), invented_paper("math/0309137")], now=NOW)
    store.note_examined([key("tea")], {b"x" * 16: True, b"y" * 16: False})
    store.count_as_seen("cy@example.org", [invented_paper("2606.00002").id])
    first, second, *_ = claim(store)
    record_results(store, first, MailingState.SENT, "250 taken")
    record_results(store, second, MailingState.DEFERRED, "451 later", due_at=NOW + timedelta(hours=1))
    store.suppress("dee@example.org", cause="it said no", now=NOW)
    bounced = {
        "recipient": first.digest.email,
        "concern": "full",
        "reply": "452",
        "now": NOW,
        "retry_at": NOW,
    }
    assert store.note_bounce(first.token, **bounced)  # type: ignore[arg-type]
    for subject in ("one", "two"):
        mail = UnreadMail(number=0, received_at=NOW, sender="x@example.org", subject=subject)
        store.keep_unread(mail, b"\x00\xff")
    store.clear_unread()
    store.keep_unread(mail, b"\x00\xff")
    chosen = Preferences(muted=("b", "a"), send_at=time(18, 5), weekly="fri", paused_until=date(2026, 7, 1))
    store.save_preferences_and_confirm(BO.email, chosen, now=NOW)
    store.confirm(ADA.email, PageChange.RETURN, now=NOW)
    store.keyword_tokens({"tea": key("tea")})
    store.note_action(AuditEntry(at=NOW, who="grace", action="pause", address=BO.email, details="a week"))
    for part in (0, 250_000):  # of a second
        store.reserve_sending(Limits(per_day=9), now=NOW.replace(microsecond=part))
    store.conclude_sending(now=NOW.replace(microsecond=125_000))
    store.end_session("session", until=NOW + timedelta(hours=1), now=NOW)
    invite = store.add_invite(uses=3, until_at=NOW + timedelta(days=1), now=NOW)
    new = NewSignup(email="new@example.org", content="{}", invite=invite.number)
    for most in (9, 0):  # the second one is refused
        store.sign_up(new, network="::1", limits=SignupLimits(per_hour=most, per_network=9), now=NOW)
    store.erase("gone@example.org", keeps_mark=True, now=NOW)
    store.record_notice("failing", ends=None, now=NOW)
    store.rest_channel("channel:lab", Rest(since_at=NOW, cause="410 Gone", target="ab"))
    store.judge(
        ADA.email,
        [example_of(invented_paper("2606.00001")), example_of(invented_paper("2606.00003"))],
        is_liked=True,
        origin=Origin.COMMAND,
        now=NOW,
    )


def pages_of(mailings: Iterable[Mailing]) -> dict[str, tuple[Digest, Pages | None]]:
    return {one.token: (one.digest, one.pages) for one in mailings}


def content(state: State) -> dict[str, Checksum]:
    with copying._tables(state, may_write=False) as tables:
        return {table: copying._sum_of(tables, table) for table in TABLES}


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_everything_is_copied_and_goes_on_where_it_was(
    place: Place, source_kind: str, target_kind: str
) -> None:
    source, target = place(source_kind, "one"), place(target_kind, "two")
    with open_store(source) as store:
        fill(store)
        pages = pages_of(store.claim(now=NOW, until=NOW + LEASE, limit=9))
        leave = next(page.leave for _, page in pages.values() if page)
        signups = store.signup_mails(now=NOW)
        assert signups
        feed = store.unsubscribed_for(leave)
        assert feed
    copied = copy_state(source, target)
    assert {name for name, count in copied.rows.items() if not count} <= {"doubt", "last_fetch"}
    assert content(source) == content(target)
    later = NOW + timedelta(days=2)
    with open_store(target) as store:
        assert pages.items() <= pages_of(claim(store, now=later, limit=99)).items()
        assert new_for(store, ADA.email) == set()
        assert store.unsubscribed_for(leave) == feed
        assert store.signup_mails(now=NOW) == signups
        assert store.preferences_of(BO.email).muted == ("a", "b")
        (kept,) = store.unread_mails()
        assert kept.number == 3
        record(store, found("2606.00011", "tea"), covered=("tea", "math"))
        digest = enqueue(store, ADA, now=later)
        assert digest
        assert "2606.00011" in ids(digest)


def test_what_is_in_the_archive_is_copied_too(place: Place) -> None:
    source, there, back = place("file", "one"), place("database", "two"), place("file", "three")
    with open_store(source) as store:
        store.enrol([ADA, BO], now=NOW, current_since=NOW)
        many = [found(f"2101.{number:05}", "tea", submitted="2021-01-01 10:00") for number in range(1, 1100)]
        record(store, *many, covered=("tea", "math"))
        enqueue(store, ADA, since=NOW)
        enqueue(store, BO, since=NOW)
        record(store, found("2606.00001", "tea"), covered=("tea", "math"))
        assert store.archive(now=NOW + timedelta(days=900), lookback=timedelta(days=16)) > 0
    assert copy_state(source, there).rows["edition"] == 1100
    copy_state(there, back)
    assert content(source) == content(there) == content(back)
    with open_store(back) as store:
        assert store.paper_history(many[0].paper.id)
        assert new_for(store, ADA.email) == {("2606.00001", key("tea"))}


def test_a_letter_that_a_database_cannot_have_is_replaced(place: Place) -> None:
    source, target = place("file", "one"), place("database", "two")
    with open_store(source) as store:
        mail = UnreadMail(number=0, received_at=NOW, sender="x@example.org", subject="A\x00B")
        store.keep_unread(mail, b"\x00")
    copy_state(source, target)
    with open_store(target) as store:
        assert [one.subject for one in store.unread_mails()] == ["A\ufffdB"]
        assert store.unread_content(1) == b"\x00"


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_is_not_empty_is_left_as_it_is(place: Place, kind: str) -> None:
    source, target = place("file", "one"), place(kind, "two")
    for state in (source, target):
        with open_store(state) as store:
            store.enrol([ADA], now=NOW, current_since=NOW)
    before = content(target)
    with pytest.raises(StateError, match="is not empty"):
        copy_state(source, target)
    assert content(target) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_fails_leaves_nothing(place: Place, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = place("file", "one"), place(kind, "two")
    with open_store(source) as store:
        fill(store)
    real = copying._sum_of

    def other(tables: Tables, table: str) -> Checksum:
        return real(tables, "entry" if table == "mailing" else table)

    monkeypatch.setattr(copying, "_sum_of", other)
    with pytest.raises(StateError, match="the copy differs from the state in mailing; nothing was kept"):
        copy_state(source, target)
    monkeypatch.undo()
    with copying._tables(target, may_write=False) as tables:
        assert tables.is_empty()
    copy_state(source, target)


def test_what_is_not_there_or_the_same_is_refused(place: Place, tmp_path: Path) -> None:
    source = place("file", "one")
    with pytest.raises(StateError, match="does not exist; name the state to copy first"):
        copy_state(source, place("file", "two"))
    with open_store(source):
        pass
    (tmp_path / "link.db").symlink_to(Path(str(source)))
    for same in (source, tmp_path / "link.db"):
        with pytest.raises(StateError, match="is the state itself"):
            copy_state(source, same)


@pytest.mark.parametrize("used", ["one", "two"])
def test_a_file_in_use_is_refused(place: Place, used: str) -> None:
    source, target = place("file", "one"), place("file", "two")
    with open_store(source):
        pass
    with open_alone(place("file", used)), pytest.raises(AlreadyRunning):
        copy_state(source, target)


def test_a_database_with_a_daemon_is_refused(place: Place) -> None:
    source, target = place("database", "one"), place("file", "two")
    with open_store(source) as store:
        store.note_alive("mars")
        with pytest.raises(AlreadyRunning, match="the daemon of mars"):
            copy_state(source, target)
        store.note_stopped()
    copy_state(source, target)


def test_an_older_copy_is_noticed_by_a_run_first(place: Place) -> None:
    source = place("file", "one")
    with open_store(source):
        pass
    with closing(sqlite3.connect(str(source))) as db, db:
        db.execute("UPDATE installation SET copied_at = '2026-06-01T00:00:00+00:00'")
    with pytest.raises(StateError, match="is an older copy of the state"):
        copy_state(source, place("file", "two"))


NOT_COPIED = {
    "installation": {"copied_at"},
    "query": {"newest_past_hit"},
}


def test_no_column_is_forgotten(place: Place) -> None:
    state = place("file", "one")
    with open_store(state):
        pass
    with closing(sqlite3.connect(str(state))) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        apart = {"_sqlite_migrations", "sqlite_sequence", "shelf", "past_hit", "lease", "host", *PREVIEWS}
        known = {"fetch" if name == "source_fetch" else name for name in TABLES}
        assert names - apart == known
        for name in known:
            columns = {row[1] for row in db.execute(f'PRAGMA table_info("{name}")')}
            neutral = set(TABLES["source_fetch" if name == "fetch" else name])
            assert columns - NOT_COPIED.get(name, set()) == neutral, name


def test_no_column_of_a_database_is_forgotten(place: Place) -> None:
    url = place("database", "one")
    assert isinstance(url, DatabaseUrl)
    with psycopg.connect(url.url) as db:
        rows = db.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
    found_columns: dict[str, set[str]] = {}
    for table, column in rows:
        found_columns.setdefault(table, set()).add(column)
    apart = {"digest_migration", "lease", "host", "host_file", *PREVIEWS}
    assert {table: columns for table, columns in found_columns.items() if table not in apart} == {
        table: set(columns) for table, columns in TABLES.items()
    }


def test_the_same_rows_have_the_same_sum_in_any_order() -> None:
    rows: list[Row] = [(1, "a"), (2, "b"), (2, "b")]
    one, other, less = Checksum(), Checksum(), Checksum()
    for row in rows:
        one.add(row)
    for row in reversed(rows):
        other.add(row)
    for row in rows[:2]:
        less.add(row)
    assert one == other
    assert one != less


def test_the_command_tells_what_it_copied_and_what_is_next(place: Place, tmp_path: Path) -> None:
    source, target = place("file", "one"), place("database", "two")
    with open_store(source) as store:
        fill(store)
    lab = Installation(tmp_path, "", arxiv__request_interval=3)
    assert isinstance(target, DatabaseUrl)
    done = lab("state", "copy", str(source), target.url)
    assert (done.returncode, done.stderr) == (0, "")
    compared = f"all {len(TABLES)} tables were compared and are the same."
    assert done.stdout.splitlines() == [
        f"Copied 7 papers, 2 subscribers, 4 mailings; {compared}",
        f"Next: set state in digest.toml to {target}, and start the daemon.",
    ]
    again = lab("state", "copy", str(source), target.url)
    assert (again.returncode, "is not empty" in again.stderr) == (2, True)
    back = lab("state", "copy", target.url, "back.db")
    assert f"set state in digest.toml to {lab.folder / 'back.db'}," in back.stdout, "from any folder"
    lab.environ |= {"DIGEST_STATE": target.url, "DIGEST_SUBSCRIBERS": "database"}
    assert "Ada@example.org" in lab("subscribers").stdout
    assert lab("status").returncode in (0, 1)


def test_an_address_without_a_password_gets_that_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[State] = []

    def refuse(*places: State) -> None:
        asked.extend(places)
        raise StateError("x", "is not copied")

    monkeypatch.setattr(copying, "copy_state", refuse)
    config = tmp_path / "digest.toml"
    config.write_text('state_password_file = "password"\n')
    (tmp_path / "password").write_text("hush\n")
    places = ("postgresql://ada@db/one", "postgresql://bo:other@db/two")
    monkeypatch.setattr(sys, "argv", ["digest", "--config", str(config), "state", "copy", *places])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    urls = [place.url for place in asked if isinstance(place, DatabaseUrl)]
    assert sorted(urls) == ["postgresql://ada@db/one?password=hush", "postgresql://bo:other@db/two"]

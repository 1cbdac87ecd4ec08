"""Mails to the operator: an outage once, its end once, and a sign of life every week."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from digest.bulletins import Bulletin, due_bulletin, write_bulletin
from digest.health import examine
from digest.mail.message import Letterhead
from digest.store.sqlite import SqliteStore
from tests.contract.test_stores import LONG_AGO, key
from tests.factories import moment, reader

ADA = reader("ada@example.org", "tea")
TUESDAY = moment("2026-06-16 07:00")
LETTERHEAD = Letterhead(sender="digest@example.org", contact="library@example.org", sender_name="Papers, new")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol([ADA], now=TUESDAY, current_since=TUESDAY)
        fetch(store, TUESDAY)
        yield store


def fetch(store: SqliteStore, now: datetime) -> None:
    store.record((), covered={key("tea"): LONG_AGO}, now=now)


def due(
    store: SqliteStore, now: datetime, told: dict[Bulletin, datetime], heartbeat: int | None = None
) -> object:
    return due_bulletin(examine(store, [ADA], now=now), told, heartbeat=heartbeat)


def test_an_outage_is_told_once_and_so_is_its_end(store: SqliteStore) -> None:
    later = TUESDAY + timedelta(days=3)
    assert due(store, TUESDAY, {}) is None
    assert due(store, later, {}) is Bulletin.OUTAGE
    assert due(store, later + timedelta(days=5), {Bulletin.OUTAGE: later}) is None
    fetch(store, later)
    assert due(store, later, {Bulletin.OUTAGE: later}) is Bulletin.RECOVERY
    assert due(store, later, {}) is None


def test_a_heartbeat_comes_once_on_its_weekday_or_as_soon_as_there_is_a_run(store: SqliteStore) -> None:
    monday = 0
    told = {Bulletin.HEARTBEAT: moment("2026-06-15 08:00")}
    assert due(store, TUESDAY, {}, monday) is Bulletin.HEARTBEAT
    assert due(store, TUESDAY, told, monday) is None
    assert due(store, moment("2026-06-16 08:00"), told, heartbeat=None) is None
    fetch(store, moment("2026-06-22 01:00"))
    assert due(store, moment("2026-06-21 23:59"), told, monday) is None
    assert due(store, moment("2026-06-22 08:00"), told, monday) is Bulletin.HEARTBEAT


def test_the_mail_says_what_needs_a_person_first(store: SqliteStore) -> None:
    health = examine(store, [ADA], now=TUESDAY + timedelta(days=3))
    outgoing = write_bulletin(Bulletin.OUTAGE, health, LETTERHEAD, "op@example.org")
    message = message_from_bytes(outgoing.message, policy=policy.default)
    assert message["To"] == "op@example.org"
    assert message["Subject"] == "arXiv digest: no fetch has succeeded for over a day"
    assert [one.display_name for one in message["From"].addresses] == ["Papers, new"]
    assert not message.defects
    first, *rest = message.get_content().splitlines()
    assert first == "needs you: no fetch has succeeded for over a day for tea: run digest doctor"
    assert any(line.startswith("seen        up to Tue 2026-06-16") for line in rest)
    assert outgoing == write_bulletin(Bulletin.OUTAGE, health, LETTERHEAD, "op@example.org")

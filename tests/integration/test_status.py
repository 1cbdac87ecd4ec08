"""`digest status`: what is well, and what needs a person."""

import json
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from digest import cli
from digest.bulletins import told
from digest.health import Quiet, examine
from digest.jobs import compose_due
from digest.papers import Paper
from digest.preferences import Preferences
from digest.store import Conclusion, MailingState, Matched
from digest.store.lock import sole_worker
from digest.store.sqlite import SqliteStore, back_up
from tests.contract.test_stores import LONG_AGO, key
from tests.factories import at_other_times, invented_paper, moment, reader

ADA = reader("ada@example.org", "tea", "milk")
TUESDAY = moment("2026-06-16 07:00")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "digest.db") as store:
        yield store


def enrol(store: SqliteStore, now: datetime = TUESDAY) -> None:
    store.enrol([ADA], now=now, current_since=now)


def fetch(store: SqliteStore, *papers: Paper, keywords: tuple[str, ...] = ("tea",), now: datetime) -> None:
    keys = tuple(map(key, keywords))
    found = [Matched(paper=paper, query_keys=keys) for paper in papers]
    store.record(found, covered=dict.fromkeys(map(key, ("tea", "milk")), LONG_AGO), now=now)
    store.note_fetch("search API", now=now)


def of_days(*days: int) -> list[Paper]:
    return [
        invented_paper(f"2606.{number:05}", submitted=f"2026-06-{day:02} 10:00")
        for number, day in enumerate(days, 1)
    ]


def problems(store: SqliteStore, now: datetime) -> tuple[str, ...]:
    return examine(store, [ADA], now=now).problems()


def test_an_installation_that_works_needs_nobody(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(15), now=TUESDAY)
    health = examine(store, [ADA], now=TUESDAY)
    assert health.problems() == ()
    assert health.sources == {"search API": TUESDAY}
    assert health.mail_at == (("ada@example.org", moment("2026-06-17 07:00")),)


def test_a_new_installation_needs_nobody_for_a_day_and_then_does(store: SqliteStore) -> None:
    enrol(store)
    assert problems(store, TUESDAY + timedelta(hours=12)) == ()
    assert "no fetch has succeeded" in problems(store, TUESDAY + timedelta(days=2))[0]


def test_a_keyword_that_was_just_added_is_no_problem(store: SqliteStore) -> None:
    enrol(store)
    found = {key("tea"): LONG_AGO}
    store.record((), covered=found, now=TUESDAY + timedelta(days=1))
    assert problems(store, TUESDAY + timedelta(days=1, hours=1)) == ()


@pytest.mark.parametrize(
    ("later", "is_problem"),
    [
        ("2026-06-17 20:00", False),  # one announcement was missed, less than a day ago
        ("2026-06-18 20:00", True),
    ],
)
def test_fetches_that_fail_for_over_a_day_need_somebody(
    store: SqliteStore, later: str, is_problem: bool
) -> None:
    enrol(store)
    fetch(store, now=TUESDAY)
    assert bool(problems(store, moment(later))) == is_problem


def test_a_weekend_is_told_and_is_no_problem(store: SqliteStore) -> None:
    friday = moment("2026-06-12 12:00")
    enrol(store, friday)
    fetch(store, now=friday)
    health = examine(store, [ADA], now=moment("2026-06-14 12:00"))
    assert health.quiet is not None
    assert health.quiet.endswith("the weekend")
    assert health.problems() == ()


def test_what_sources_answered_to_have_nothing_of_is_told_and_is_no_problem(store: SqliteStore) -> None:
    """Thursday's announcement, seen from Saturday."""
    enrol(store)
    fetch(store, *of_days(15), now=moment("2026-06-11 12:00"))
    saturday = moment("2026-06-13 12:00")
    assert problems(store, saturday) != ()
    store.note_fetch("OAI-PMH", now=moment("2026-06-12 02:00"))
    assert problems(store, saturday) != ()
    store.note_fetch("OAI-PMH", now=moment("2026-06-12 12:00"))
    assert problems(store, saturday) == ()
    health = examine(store, [ADA], now=moment("2026-06-12 13:00"))
    assert health.quiet is not None
    assert "nothing on the evening of Thursday, 2026-06-11 (New York), though it was to" in health.quiet
    assert health.fetch_at == moment("2026-06-12 18:00")
    assert problems(store, moment("2026-06-16 03:00")) != ()


def test_a_mail_that_is_refused_again_and_again_needs_somebody(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(15), now=TUESDAY)
    compose_due(store, [ADA], lambda *_: TUESDAY, backlog_since=LONG_AGO)
    told = []
    for attempt in range(3):
        now = TUESDAY + timedelta(minutes=attempt)
        (mailing,) = store.claim(now=now, until=now + timedelta(minutes=10), limit=1)
        refused = Conclusion(
            number=mailing.number, state=MailingState.DEFERRED, reply="451 later", due_at=now
        )
        store.conclude([refused], now=now)
        told.append(problems(store, now))
    assert told[:2] == [(), ()]
    assert told[2] == ("1 digest was refused 3 times or more, last: 451 later",)


def test_digests_that_no_server_takes_need_somebody_after_a_day(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(15), now=TUESDAY)
    told = []
    for hours in (0, 12, 25):
        now = TUESDAY + timedelta(hours=hours)
        fetch(store, invented_paper(f"2606.1{hours:04}", submitted="2026-06-15 10:00"), now=now)
        compose_due(store, [ADA], lambda *_, now=now: now, backlog_since=LONG_AGO)
        if hours < 24:  # the server is left alone after the day's first failure
            (mailing,) = store.claim(now=now, until=now + timedelta(minutes=10), limit=1)
            store.release([mailing.number], now=now, reply="mx.example.org: login refused")
        told.append(problems(store, now))
    assert told[:2] == [(), ()]
    assert told[2] == ("digests have waited for over a day for ada@example.org: run digest doctor",)
    (waiting,) = examine(store, [ADA], now=now).troubled
    assert (waiting.attempts, waiting.reply) == (0, "mx.example.org: login refused")
    (mailing,) = store.claim(now=now, until=now + timedelta(minutes=10), limit=1)
    store.conclude([Conclusion(number=mailing.number, state=MailingState.SENT, reply="250")], now=now)
    assert problems(store, now + timedelta(hours=1)) == ()


def test_what_waits_for_the_end_of_a_pause_or_came_back_needs_nobody(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(15), now=TUESDAY)
    compose_due(store, [ADA], lambda *_: TUESDAY, backlog_since=LONG_AGO)
    later = TUESDAY + timedelta(days=2)
    assert store.unserved(since=later - timedelta(days=1)) == (ADA.email,)
    store.prefer(ADA.email, Preferences(paused_until=date(2026, 6, 25)))
    assert store.claim(now=later, until=later + timedelta(minutes=10), limit=1) == ()
    assert store.unserved(since=later - timedelta(days=1)) == ()
    store.prefer(ADA.email, Preferences())
    store.hasten(now=later)
    (mailing,) = store.claim(now=moment("2026-06-26 07:00"), until=moment("2026-06-26 07:10"), limit=1)
    store.conclude([Conclusion(number=mailing.number, state=MailingState.SENT, reply="250")], now=later)
    store.note_bounce(mailing.token, recipient=ADA.email, concern="full", reply="5.2.2 full", now=later)
    assert store.waiting() == 1
    assert store.unserved(since=later - timedelta(days=1)) == ()


def test_digests_that_nobody_sends_are_overdue_after_a_day(store: SqliteStore) -> None:
    enrol(store, moment("2026-06-16 06:00"))
    fetch(store, *of_days(15), now=TUESDAY)
    for later, is_overdue in (("2026-06-17 06:30", False), ("2026-06-17 07:30", True)):
        health = examine(store, [ADA], now=moment(later))
        assert bool(health.overdue) == is_overdue
    assert "is the service running?" in health.problems()[0]
    compose_due(store, [ADA], lambda *_: moment("2026-06-17 07:31"), backlog_since=LONG_AGO)
    assert examine(store, [ADA], now=moment("2026-06-17 12:00")).overdue == ()


def test_nobody_waits_for_a_digest_in_a_pause_of_their_own(store: SqliteStore) -> None:
    enrol(store, moment("2026-06-16 06:00"))
    fetch(store, *of_days(15), now=TUESDAY)
    pausing = at_other_times(ADA, paused_until=date(2026, 6, 17))
    assert examine(store, [pausing], now=moment("2026-06-17 12:00")).overdue == ()
    assert examine(store, [pausing], now=moment("2026-06-18 12:00")).overdue == (ADA.email,)
    longer = at_other_times(ADA, paused_until=date(2026, 6, 19))
    assert examine(store, [longer], now=TUESDAY).mail_at == ((ADA.email, moment("2026-06-19 07:00")),)


def test_keywords_that_went_quiet_or_never_brought_anything_are_named(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(1, 2, 3, 4), now=moment("2026-06-05 07:00"))
    fetch(store, now=TUESDAY)
    assert examine(store, [ADA], now=TUESDAY).silent == (
        Quiet(keyword="tea", usual=4),
        Quiet(keyword="milk", usual=0),
    )


def test_keywords_that_find_just_the_same_papers_are_named(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(11, 12, 13, 14), keywords=("tea", "milk"), now=TUESDAY)
    assert examine(store, [ADA], now=TUESDAY).alike == ()
    fetch(store, *of_days(11, 12, 13, 14, 15), keywords=("tea", "milk"), now=TUESDAY)
    assert examine(store, [ADA], now=TUESDAY).alike == (("tea", "milk"),)


def test_a_restored_state_is_told_of_before_a_run_took_it_up_and_for_a_week_after(
    store: SqliteStore, tmp_path: Path
) -> None:
    enrol(store)
    fetch(store, now=TUESDAY)
    back_up(tmp_path / "digest.db", tmp_path / "copy.db", now=TUESDAY - timedelta(hours=2))
    with SqliteStore(tmp_path / "copy.db") as copy:
        before = examine(copy, [ADA], now=TUESDAY)
        copy.take_up_restored(now=TUESDAY)
        after = examine(copy, [ADA], now=TUESDAY + timedelta(hours=1))
        assert examine(copy, [ADA], now=TUESDAY + timedelta(days=8)).restored is None
    assert examine(store, [ADA], now=TUESDAY).restored is None
    assert before.problems() == after.problems() == ()
    said = [line for health in (before, after) for line in dict(told(health))["restored"]]
    assert [line.partition("; ")[2] for line in said] == [
        "the next run goes on from it",
        "a run went on from it Tue 2026-06-16 07:00 UTC (1 h ago)",
    ]
    assert "of Tue 2026-06-16 05:00 UTC (2 h ago)" in said[0]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["digest", "status", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_ends_with_one_when_something_needs_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    entry = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea", "milk"]\n'
    Path("subscribers.toml").write_text(entry)
    with SqliteStore(tmp_path / "digest.db") as store:
        enrol(store)
        fetch(store, now=TUESDAY)
    assert run(monkeypatch, "--now", "2026-06-16T08:00:00Z") == 0
    assert "all is well" in capsys.readouterr().out
    with sole_worker(tmp_path / "digest.db"):
        assert run(monkeypatch, "--now", "2026-06-20T08:00:00Z", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["is_running"]
    assert (
        found["quiet"]
        == "arXiv announced nothing on the evening of Friday, 2026-06-19 (New York): Juneteenth"
    )
    assert found["unseen_keywords"] == ["tea", "milk"]


def test_an_installation_without_state_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    Path("subscribers.toml").write_text("")
    assert run(monkeypatch) == 0
    assert "nobody is subscribed" in capsys.readouterr().out
    assert not (tmp_path / "digest.db").exists()

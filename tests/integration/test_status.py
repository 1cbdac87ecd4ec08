"""`digest status`: what is well, and what needs a person."""

import json
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from digest import cli
from digest.cli.doctor_checks.run_all import SUBSCRIBERS, examine_here, exit_code
from digest.config import loader
from digest.model.paper import Paper
from digest.pipeline.compose_job import compose_due
from digest.pipeline.policy import RETRY_BOUNCED_AFTER
from digest.pipeline.progress import queries_hash
from digest.service.health import QuietKeyword, examine
from digest.service.operator_mail import all_clear, report_lines
from digest.storage.lock import hold_state
from digest.storage.sqlite.backup import back_up
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import DeliveryResult, Host, LastFetch, MailingState, Matched
from digest.subscribers.preferences import Preferences
from digest.subscribers.stored import EntryChange, StoredEntry
from digest.subscribers.subscriber import Subscriber
from tests.factories import at_other_times, invented_paper, make_subscriber, moment
from tests.stores import LONG_AGO, key, older_state, sign_up_three
from tests.webhooks import make_channel

ADA = make_subscriber("ada@example.org", "tea", "milk")
TUESDAY = moment("2026-06-16 07:00")


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


def test_who_came_and_went_in_a_week_and_the_sign_ups_of_a_day_are_told(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enrol(store)
    nobody = dict(report_lines(examine(store, [ADA], now=TUESDAY)))
    assert [nobody[name] for name in ("joined", "left", "sign-ups")] == [[], [], []]
    sign_up_three(store, TUESDAY)
    for email, days in (("cy@example.org", 1), ("old@example.org", 8)):
        content = json.dumps({"email": email, "keywords": ["tea"]})
        joined_at = TUESDAY - timedelta(days=days)
        entry = StoredEntry(address=email, content=content, joined_at=joined_at)
        store.change_entries([EntryChange(before=None, after=entry)])
    store.leave(ADA.email, now=TUESDAY)
    lines = dict(report_lines(examine(store, [ADA], now=TUESDAY)))
    assert lines["joined"] == ["Mon 2026-06-15 07:00 UTC  cy@example.org"]
    assert lines["left"] == ["Tue 2026-06-16 07:00 UTC  ada@example.org"]
    assert lines["sign-ups"] == [
        "2 without confirmation; 1 mail sent in 24 hours",
        "1 sign-up refused in 24 hours, over the limits",
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    Path("subscribers.toml").write_text('[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n')
    run(monkeypatch, "--now", "2026-06-16T07:00:00Z", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["signups"] == {"waiting": 2, "mailed": 1, "refused": {"sign-up": 1, "link": 0, "address": 0}}
    assert found["joined"] == [{"email": "cy@example.org", "at": "2026-06-15T07:00:00+00:00"}]
    assert found["left"] == [{"email": "ada@example.org", "at": "2026-06-16T07:00:00+00:00"}]


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


def test_a_fetch_that_failed_is_told_at_once_and_is_no_problem_yet(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(15), now=TUESDAY)
    for failed_at, said in (
        (TUESDAY, ["the last fetch failed, Tue 2026-06-16 07:00 UTC (1 h ago): digest doctor says why"]),
        (TUESDAY + timedelta(days=1), []),  # by a clock that was ahead
        (None, []),
    ):
        store.note_last_fetch(LastFetch(began_at=TUESDAY, queries=b"", failed_at=failed_at))
        health = examine(store, [ADA], now=TUESDAY + timedelta(hours=1))
        assert dict(report_lines(health))["seen"][1:] == said
        assert (all_clear(health) == "all is well") == (not said)
        assert health.problems() == ()
        assert (health.fetch_at == TUESDAY + timedelta(minutes=30)) == bool(said)


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
    store.note_last_fetch(
        LastFetch(began_at=moment("2026-06-12 12:00"), queries=queries_hash([ADA]), is_missing=True)
    )
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
        refused = DeliveryResult(
            number=mailing.number, state=MailingState.DEFERRED, reply="451 later", due_at=now
        )
        store.record_results([refused], now=now)
        told.append(problems(store, now))
    assert told[:2] == [(), ()]
    assert told[2] == ("1 digest was refused 3 times or more, last: 451 later",)


def test_digests_that_no_server_takes_need_somebody_at_once_and_all_the_more_after_a_day(
    store: SqliteStore,
) -> None:
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
    refused = "1 digest waits: mx.example.org: login refused"
    assert told[:2] == [(refused,), (refused,)]
    assert told[2] == (
        refused,
        "digests have waited for over a day for ada@example.org: run digest doctor",
    )
    (waiting,) = examine(store, [ADA], now=now).troubled
    assert (waiting.attempts, waiting.reply) == (0, "mx.example.org: login refused")
    (mailing,) = store.claim(now=now, until=now + timedelta(minutes=10), limit=1)
    store.record_results(
        [DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250")], now=now
    )
    assert problems(store, now + timedelta(hours=1)) == ()


def test_what_waits_for_the_end_of_a_pause_or_came_back_needs_nobody(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(15), now=TUESDAY)
    compose_due(store, [ADA], lambda *_: TUESDAY, backlog_since=LONG_AGO)
    later = TUESDAY + timedelta(days=2)
    assert store.unserved(since=later - timedelta(days=1)) == (ADA.email,)
    store.save_preferences(ADA.email, Preferences(paused_until=date(2026, 6, 25)))
    assert store.claim(now=later, until=later + timedelta(minutes=10), limit=1) == ()
    assert store.unserved(since=later - timedelta(days=1)) == ()
    store.save_preferences(ADA.email, Preferences())
    store.retry_now(now=later)
    (mailing,) = store.claim(now=moment("2026-06-26 07:00"), until=moment("2026-06-26 07:10"), limit=1)
    store.record_results(
        [DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250")], now=later
    )
    store.note_bounce(
        mailing.token,
        recipient=ADA.email,
        concern="full",
        reply="5.2.2 full",
        now=later,
        retry_at=later + RETRY_BOUNCED_AFTER,
    )
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


def test_the_next_fetch_is_that_of_the_daemon_also_after_an_answer_without_news(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, *of_days(15), now=moment("2026-06-15 23:59"))
    for began, is_new, next_at in (
        ("2026-06-16 00:30", False, "2026-06-16 03:00"),
        ("2026-06-16 03:00", False, "2026-06-16 06:00"),
        ("2026-06-16 03:00", True, "2026-06-17 00:30"),
    ):
        last = LastFetch(began_at=moment(began), queries=queries_hash([ADA]), brought_papers=is_new)
        store.note_last_fetch(last)
        assert examine(store, [ADA], now=moment(began)).fetch_at == moment(next_at)


def test_no_digest_is_overdue_on_a_day_on_which_a_run_sent_one_before_its_time(store: SqliteStore) -> None:
    weekly = at_other_times(ADA, weekly=4)  # Fridays at 07:00
    store.enrol([weekly], now=moment("2026-06-08 06:00"), current_since=TUESDAY)
    fetch(store, *of_days(9), now=moment("2026-06-12 03:00"))
    compose_due(store, [weekly], lambda *_: moment("2026-06-12 03:00"), backlog_since=LONG_AGO)
    assert examine(store, [weekly], now=moment("2026-06-12 04:00")).mail_at == (
        (ADA.email, moment("2026-06-19 07:00")),
    )
    fetch(store, invented_paper("2606.00009", submitted="2026-06-12 10:00"), now=moment("2026-06-15 03:00"))
    assert examine(store, [weekly], now=moment("2026-06-18 12:00")).overdue == ()
    assert examine(store, [weekly], now=moment("2026-06-20 12:00")).overdue == (ADA.email,)


def test_a_channel_that_a_run_served_before_its_time_is_next_on_another_day(store: SqliteStore) -> None:
    channel = make_channel()
    store.enrol([channel.follower], now=moment("2026-06-08 06:00"), current_since=TUESDAY)
    early = moment("2026-06-16 04:45")
    fetch(store, *of_days(15), now=early)
    assert examine(store, [], now=early, channels=[channel]).channels[0].next_at == TUESDAY
    compose_due(store, [channel.follower], lambda *_: early, backlog_since=LONG_AGO)
    (health,) = examine(store, [], now=early, channels=[channel]).channels
    assert health.next_at == TUESDAY + timedelta(days=1)


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
        QuietKeyword(keyword="tea", usual=4),
        QuietKeyword(keyword="milk", usual=0),
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
    said = [line for health in (before, after) for line in dict(report_lines(health))["restored"]]
    assert [line.partition("; ")[2] for line in said] == [
        "the next run goes on from it",
        "a run went on from it Tue 2026-06-16 07:00 UTC (1 h ago)",
    ]
    assert "of Tue 2026-06-16 05:00 UTC (2 h ago)" in said[0]


def test_a_host_that_is_not_seen_any_more_is_a_problem(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, now=TUESDAY)
    hosts = tuple(
        Host(name=name, since_at=TUESDAY - timedelta(days=3), seen_at=TUESDAY - ago, is_alive=not ago)
        for name, ago in (("ada", timedelta(0)), ("bo", timedelta(hours=2)))
    )
    health = replace(examine(store, [ADA], now=TUESDAY), hosts=hosts)
    assert health.problems() == ("the daemon on bo was last seen at 2026-06-16 05:00 UTC: is it running?",)
    assert dict(report_lines(health))["hosts"] == [
        "ada: seen Tue 2026-06-16 07:00 UTC (0 h ago)",
        "bo: seen Tue 2026-06-16 05:00 UTC (2 h ago)",
    ]


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
    with hold_state(tmp_path / "digest.db"):
        assert run(monkeypatch, "--now", "2026-06-20T08:00:00Z", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["is_running"]
    assert (
        found["quiet"]
        == "arXiv announced nothing on the evening of Friday, 2026-06-19 (New York): Juneteenth"
    )
    assert found["unseen_keywords"] == ["tea", "milk"]


def waiting_for_all(store: SqliteStore, count: int, *, reply: str) -> list[Subscriber]:
    subscribers = [make_subscriber(f"reader{number}@example.org", "tea") for number in range(count)]
    store.enrol(subscribers, now=TUESDAY, current_since=TUESDAY)
    fetch(store, *of_days(15), now=TUESDAY)
    compose_due(store, subscribers, lambda *_: TUESDAY, backlog_since=LONG_AGO)
    claimed = store.claim(now=TUESDAY, until=TUESDAY + timedelta(minutes=10), limit=count)
    store.release([one.number for one in claimed], now=TUESDAY, reply=reply)
    return subscribers


def test_what_waits_is_counted_whole_and_not_by_the_rows_shown(store: SqliteStore) -> None:
    subscribers = waiting_for_all(store, 25, reply="mx.example.org: certificate expired")
    health = examine(store, subscribers, now=TUESDAY)
    assert health.problems() == ("25 digests wait: mx.example.org: certificate expired",)
    assert dict(report_lines(health))["waiting"][-1] == "and 17 more mailings: see --json"
    assert len(examine(store, subscribers, now=TUESDAY, shown=1000).troubled) == 25


def test_one_more_is_told_in_the_singular(store: SqliteStore) -> None:
    subscribers = waiting_for_all(store, 9, reply="mx.example.org: certificate expired")
    health = examine(store, subscribers, now=TUESDAY)
    assert dict(report_lines(health))["waiting"][-1] == "and 1 more mailing: see --json"
    later = examine(store, subscribers[:4], now=TUESDAY + timedelta(days=9))
    assert any(problem.endswith("and 6 more subscribers: run digest doctor") for problem in later.problems())
    store.record_results(
        [DeliveryResult(number=number, state=MailingState.SENT, reply="250") for number in range(1, 6)],
        now=TUESDAY,
    )
    later = examine(store, subscribers[:4], now=TUESDAY + timedelta(days=9))
    assert any(problem.endswith("and 1 more subscriber: run digest doctor") for problem in later.problems())


def test_what_was_refused_for_itself_first_is_counted_where_the_server_then_refuses_all(
    store: SqliteStore,
) -> None:
    subscribers = waiting_for_all(store, 3, reply="mx.example.org: greylisting")
    later = TUESDAY + timedelta(hours=1)
    claimed = store.claim(now=TUESDAY, until=later, limit=3)
    for one in claimed:
        deferred = DeliveryResult(
            number=one.number, state=MailingState.DEFERRED, reply="451 greylisted", due_at=later
        )
        store.record_results([deferred], now=TUESDAY)
    assert examine(store, subscribers, now=TUESDAY).problems() == ()
    (first,) = store.claim(now=later, until=later + timedelta(minutes=10), limit=1)
    store.release([first.number], now=later, reply="mx.example.org: login refused")
    health = examine(store, subscribers, now=later)
    assert health.problems() == ("3 digests wait: mx.example.org: login refused",)  # two were not even tried
    assert (health.waiting, health.delayed) == (3, 3)
    store.claim(now=later, until=later, limit=3)
    sent = [DeliveryResult(number=one.number, state=MailingState.SENT, reply="250") for one in claimed]
    store.record_results(sent, now=later)
    assert examine(store, subscribers, now=later).problems() == ()


def test_many_refusals_of_a_mail_are_not_told_where_the_server_refuses_all(store: SqliteStore) -> None:
    subscribers = waiting_for_all(store, 1, reply="mx.example.org: greylisting")
    for _ in range(3):
        (one,) = store.claim(now=TUESDAY, until=TUESDAY, limit=1)
        refused = DeliveryResult(
            number=one.number, state=MailingState.DEFERRED, reply="451 no", due_at=TUESDAY
        )
        store.record_results([refused], now=TUESDAY)
    assert examine(store, subscribers, now=TUESDAY).problems() == (
        "1 digest was refused 3 times or more, last: 451 no",
    )
    (one,) = store.claim(now=TUESDAY, until=TUESDAY, limit=1)
    store.release([one.number], now=TUESDAY, reply="mx.example.org: certificate expired")
    assert examine(store, subscribers, now=TUESDAY).problems() == (
        "1 digest waits: mx.example.org: certificate expired",
    )


def test_what_waits_for_the_end_of_a_pause_is_no_problem(store: SqliteStore) -> None:
    (paused,) = waiting_for_all(store, 1, reply="mx.example.org: login refused")
    store.save_preferences(paused.email, Preferences(paused_until=date(2026, 6, 25)))
    store.claim(now=TUESDAY, until=TUESDAY + timedelta(minutes=10), limit=1)
    assert examine(store, [paused], now=TUESDAY).problems() == ()


def test_a_suppressed_subscriber_needs_somebody_for_a_day_and_one_who_went_nobody(store: SqliteStore) -> None:
    enrol(store)
    fetch(store, now=TUESDAY)
    assert problems(store, TUESDAY) == ()
    store.suppress("gone@example.org", cause="550 5.1.1 no such user", now=TUESDAY)
    assert problems(store, TUESDAY) == ()
    store.suppress(ADA.email, cause="550 5.1.1 no such user", now=TUESDAY)
    (problem,) = problems(store, TUESDAY + timedelta(hours=12))
    assert problem == (
        "ada@example.org gets no more mail (new in the last 24 hours): 550 5.1.1 no such user."
        " To mail an address again: digest resume EMAIL; to remove it: digest unsubscribe EMAIL"
    )
    assert problems(store, TUESDAY + timedelta(days=1)) == ()
    store.resume(ADA.email, now=TUESDAY)
    assert problems(store, TUESDAY) == ()


def test_a_keyword_with_a_mistake_is_told_in_the_words_of_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    Path("subscribers.toml").write_text('[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["(tea"]\n')
    assert run(monkeypatch) == 2
    said = " ".join(capsys.readouterr().err.removeprefix("error: ").split())
    findings = list(examine_here(None, {"DIGEST_STATE": str(tmp_path / "digest.db"), "HOME": str(tmp_path)}))
    assert said in [" ".join(one.said.split()) for one in findings if one.name == SUBSCRIBERS]
    assert exit_code(findings) == 2


def test_an_older_state_is_read_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    state = tmp_path / "digest.db"
    monkeypatch.setenv("DIGEST_STATE", str(state))
    Path("subscribers.toml").write_text('[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n')
    older_state(state)
    before = state.read_bytes()
    assert run(monkeypatch) == 0
    assert "ada@example.org" in capsys.readouterr().out
    assert state.read_bytes() == before
    for command in ("subscribers", "suppressions"):
        monkeypatch.setattr(sys, "argv", ["digest", command])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    assert state.read_bytes() == before
    assert not list(tmp_path.glob("digest.db-*"))


def a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its files, and a user who has nothing of their own; returns its state."""
    etc, var, home = (tmp_path / name for name in ("etc", "var", "home"))
    for folder in (etc, var, home):
        folder.mkdir()
    monkeypatch.setattr(loader, "SYSTEM_CONFIG", etc / "digest.toml")
    monkeypatch.setattr(loader, "SERVICE_STATE", var / "digest.db")
    monkeypatch.chdir(home)
    for name in ("DIGEST_STATE", "DIGEST_CONFIG", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    (etc / "digest.toml").write_text(
        '[smtp]\nhost = "mx.example.org"\nusername = "digest"\nsender = "digest@example.org"\n'
    )
    (etc / "smtp-password").write_text("secret\n")
    (etc / "subscribers.toml").write_text(
        '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea", "milk"]\n'
    )
    return var / "digest.db"


def test_who_has_no_state_of_their_own_is_shown_that_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = a_service(tmp_path, monkeypatch)
    with SqliteStore(state) as store:
        enrol(store)
        fetch(store, now=TUESDAY)
    assert run(monkeypatch, "--now", "2026-06-16T08:00:00Z") == 0
    said = capsys.readouterr().out
    assert f"{state}, " in said
    assert "all is well" in said
    assert not (tmp_path / "home" / "state").exists()


def test_who_has_a_state_or_settings_of_their_own_is_shown_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = a_service(tmp_path, monkeypatch)
    with SqliteStore(state) as store:
        enrol(store)
    Path("digest.toml").write_text("")
    Path("subscribers.toml").write_text("")
    assert run(monkeypatch) == 1
    said = capsys.readouterr().out
    own = tmp_path / "home" / "state" / "arxiv-digest" / "digest.db"
    assert f"{own} does not exist yet" in said
    assert f"the state of the service is {state}" in said
    Path("digest.toml").unlink()
    with SqliteStore(own):
        pass
    run(monkeypatch)
    assert f"{own}, " in capsys.readouterr().out


def test_whoever_may_not_read_what_the_service_reads_is_told_who_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_service(tmp_path, monkeypatch)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert run(monkeypatch) == 2
    said = capsys.readouterr().err
    assert "smtp.username: the password is missing" in said
    assert "only root can read" in said


def test_an_installation_without_state_needs_somebody_and_is_told_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    Path("subscribers.toml").write_text("")
    assert run(monkeypatch) == 1
    said = capsys.readouterr().out
    assert "nobody is subscribed" in said
    assert f"needs you: {tmp_path}/digest.db does not exist yet; the first run creates it." in said
    assert "DIGEST_STATE" in said
    assert run(monkeypatch, "--json") == 1
    assert "does not exist yet" in json.loads(capsys.readouterr().out)["problems"][0]
    assert not (tmp_path / "digest.db").exists()


def test_entries_in_the_state_of_the_service_are_edited_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = a_service(tmp_path, monkeypatch)
    config = tmp_path / "etc" / "digest.toml"
    config.write_text(f'subscribers = "database"\n{config.read_text()}')
    with SqliteStore(state):
        pass
    monkeypatch.setattr(sys, "argv", ["digest", "subscribe", "bo@example.org", "-k", "tea"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    with SqliteStore(state) as store:
        assert [entry.address for entry in store.entries(after=0, limit=9)] == ["bo@example.org"]
    assert not (tmp_path / "home" / "state").exists()

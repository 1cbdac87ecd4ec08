"""`digest why`: what became of a paper for a subscriber."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from digest import cli
from digest.cli.why_answers import answer_for
from digest.cli.why_place import ordinal
from digest.model.paper import Paper
from digest.pipeline.compose_job import compose_due
from digest.sources.arxiv.calendar import earliest_announcement
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import DeliveryResult, MailingState, Matched
from digest.subscribers.interest.judgements import Origin, example_of
from digest.subscribers.preferences import Preferences
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber, moment
from tests.stores import LONG_AGO, NOW, key

ADA = make_subscriber("ada@example.org", "tea", exclude=("salt",), categories=("cs.*",))
TEA = invented_paper("2606.00001", "Green tea")
LOOKBACK = timedelta(days=16)

Tell = Callable[..., tuple[str, ...]]


def enrol(store: SqliteStore, *subscribers: Subscriber) -> None:
    store.enrol(subscribers, now=NOW, current_since=NOW)


def bring(store: SqliteStore, *papers: Paper, keyword: str = "tea") -> None:
    found = [Matched(paper=paper, query_keys=(key(keyword),)) for paper in papers]
    store.record(found, covered={key(keyword): LONG_AGO}, now=NOW)
    store.note_fetch("search API", now=NOW)


def mail(store: SqliteStore, subscriber: Subscriber = ADA) -> None:
    compose_due(store, [subscriber], lambda *_: NOW, backlog_since=LONG_AGO)


def told(store: SqliteStore, paper: Paper = TEA, subscriber: Subscriber = ADA) -> tuple[str, ...]:
    answer = answer_for(subscriber, paper, store.paper_history(paper.id), store, lookback=LOOKBACK, now=NOW)
    return answer.outcome


def record_results(store: SqliteStore, state: MailingState, reply: str, *, again: bool = False) -> None:
    (mailing,) = store.claim(now=NOW, until=NOW + timedelta(minutes=10), limit=5)
    due_at = NOW + timedelta(minutes=30) if again else None
    store.record_results(
        [DeliveryResult(number=mailing.number, state=state, reply=reply, due_at=due_at)], now=NOW
    )


@pytest.mark.parametrize(
    ("state", "reply", "begins"),
    [
        (MailingState.SENT, "250 taken", "Sent in the digest of"),
        (MailingState.DEFERRED, "451 greylisted", "Waiting in the digest of"),
        (MailingState.UNKNOWN, "lost", "Waiting in the digest of"),
        (MailingState.SUPPRESSED, "550 5.1.1 nobody", "Suppressed: the digest of"),
    ],
)
def test_a_paper_that_went_out_is_told_with_the_last_answer(
    store: SqliteStore, state: MailingState, reply: str, begins: str
) -> None:
    enrol(store, ADA)
    bring(store, TEA)
    mail(store)
    record_results(store, state, reply, again=state in {MailingState.DEFERRED, MailingState.UNKNOWN})
    line, place = told(store)
    assert line.startswith(begins)
    assert reply in line
    assert place == "1st of 1 in tea: by the keywords that match, and by date"


def test_a_mailing_that_was_not_tried_is_told_as_waiting(store: SqliteStore) -> None:
    enrol(store, ADA)
    bring(store, TEA)
    mail(store)
    assert told(store)[0].endswith("not tried yet")


@pytest.mark.parametrize(
    ("paper", "line"),
    [
        (invented_paper("2606.00002", "Coffee"), "Not mailed: no keyword matches it"),
        (invented_paper("2606.00002", "Tea with salt"), "Not mailed: excluded by salt; it contains salt"),
        (
            invented_paper("2606.00002", "Tea", categories=("math.AG",)),
            "Not mailed: it is in none of the subscriber's categories",
        ),
        (
            invented_paper("2606.00002", "Tea", submitted="2025-01-01 10:00"),
            "Not mailed: it is older than the look-back of 16 days",
        ),
    ],
)
def test_what_stood_against_a_paper_is_told(store: SqliteStore, paper: Paper, line: str) -> None:
    enrol(store, ADA)
    assert told(store, paper) == (line,)


def fetched(store: SqliteStore, covered_at: datetime, newest: str = "", keyword: str = "tea") -> None:
    store.record([], covered={key(keyword): LONG_AGO}, now=covered_at, newest=newest)
    store.note_fetch("OAI-PMH", now=covered_at)


def test_a_paper_of_the_next_digest_is_told_so(store: SqliteStore) -> None:
    enrol(store, ADA)
    bring(store, TEA)
    assert told(store)[0].startswith("Coming in the next digest")


@pytest.mark.parametrize("newest", ["", "2605.99999"])
def test_a_paper_announced_after_the_last_fetch_is_coming(store: SqliteStore, newest: str) -> None:
    enrol(store, ADA)
    fetched(store, moment("2026-06-15 23:00"), newest)
    line, sources = told(store)
    assert line.startswith("Coming: the last fetch for tea, Mon 2026-06-15 23:00 UTC, was before")
    assert sources == "The sources last answered: OAI-PMH Mon 2026-06-15 23:00 UTC"


@pytest.mark.parametrize("newest", ["", "2606.00001"])
def test_a_paper_that_the_last_answer_should_have_had_is_not_called_coming(
    store: SqliteStore, newest: str
) -> None:
    enrol(store, ADA)
    fetched(store, NOW, newest)
    line, sources = told(store)
    assert line.startswith("Not mailed so far: the last fetch for tea, Tue 2026-06-16 07:00 UTC, was after")
    assert "OAI-PMH" in sources


def test_a_paper_that_is_not_announced_yet_is_coming(store: SqliteStore) -> None:
    enrol(store, ADA)
    fetched(store, NOW)
    late = invented_paper("2606.00002", "Tea", submitted="2026-06-15 19:00")
    assert told(store, late)[0] == "Coming: arXiv announces it Wed 2026-06-17 00:00 UTC at the earliest"


def test_a_paper_submitted_before_its_keyword_was_searched_is_not_coming(store: SqliteStore) -> None:
    enrol(store, ADA)
    store.record([], covered={key("tea"): moment("2026-06-15 12:00")}, now=NOW)
    assert told(store)[0].startswith("Not mailed: it was submitted earlier; papers for tea are fetched from")


def test_a_keyword_that_was_never_fetched_brings_the_newest_of_what_was_there(store: SqliteStore) -> None:
    enrol(store, ADA)
    assert told(store)[0].startswith("Not fetched yet: the first fetch for tea looks for it")


def test_a_paper_that_only_another_keyword_found_is_told_by_the_subscribers_own(store: SqliteStore) -> None:
    enrol(store, ADA, make_subscriber("bo@example.org", "green"))
    bring(store, TEA, keyword="green")
    fetched(store, NOW)
    assert told(store)[0].startswith("Not mailed so far: the last fetch for tea")


def test_a_paper_that_was_counted_as_seen_will_not_come(store: SqliteStore) -> None:
    store.count_as_seen(ADA.email, [TEA.id])
    enrol(store, ADA)
    expected = "Not mailed: `digest import` marked it as seen; it will not be sent"
    assert told(store) == (expected,)
    bring(store, TEA)
    assert told(store) == (expected,)


def test_a_hit_whose_keyword_is_muted_is_not_coming(store: SqliteStore) -> None:
    both = make_subscriber("ada@example.org", "tea", "green")
    enrol(store, both)
    bring(store, TEA)
    store.save_preferences(both.email, Preferences(muted=(key("tea"),)))
    assert told(store, subscriber=both)[0].startswith(
        "Not fetched yet: the first fetch for green looks for it"
    )
    store.save_preferences(both.email, Preferences(muted=(key("tea"), key("green"))))
    assert told(store, subscriber=both) == ("Not mailed: this subscriber muted tea, green",)
    tea, green = both.keywords
    both = replace(both, keywords=(replace(tea, name="T"), green))
    assert told(store, subscriber=both) == ("Not mailed: this subscriber muted T (tea), green",)


def test_backlog_that_the_first_digest_leaves_out_is_told_so(store: SqliteStore) -> None:
    enrol(store, ADA)
    older = [
        invented_paper(f"2606.{number:05}", "Tea", submitted=f"2026-06-{number:02} 10:00")
        for number in range(2, 14)
    ]
    bring(store, *older)
    mail(store)
    assert told(store, older[-1])[0].startswith("Waiting")
    assert told(store, older[0])[0].startswith("Not mailed: it is older than this subscription")


def test_a_suppressed_subscriber_is_told_so(store: SqliteStore) -> None:
    enrol(store, ADA)
    bring(store, TEA)
    store.suppress(ADA.email, cause="550", now=NOW)
    assert "digest resume ada@example.org" in told(store)[0]


def test_a_subscriber_who_was_just_added_is_told_so(store: SqliteStore) -> None:
    assert told(store)[0].startswith("Not mailed: this subscriber was added after the last run")


def test_the_first_fetch_that_brought_a_paper_is_remembered(store: SqliteStore) -> None:
    enrol(store, ADA)
    bring(store, TEA)
    store.note_fetch("OAI-PMH", now=NOW + timedelta(hours=3))
    bring(store, invented_paper("2606.00009", "More tea"))
    paper_history = store.paper_history(TEA.id)
    assert paper_history is not None
    assert (paper_history.seen_at, paper_history.query_keys) == (NOW, (key("tea"),))
    assert store.fetched_at() == {"search API": NOW, "OAI-PMH": NOW + timedelta(hours=3)}


@pytest.mark.parametrize(
    ("submitted", "announced"),
    [
        ("2026-06-15 17:59", "2026-06-16 00:00"),  # Monday, before the deadline at 14:00 Eastern
        ("2026-06-15 18:01", "2026-06-17 00:00"),
        ("2026-06-12 17:59", "2026-06-15 00:00"),  # Friday, announced on Sunday evening
        ("2026-06-12 18:01", "2026-06-16 00:00"),
        ("2026-06-13 12:00", "2026-06-16 00:00"),
    ],
)
def test_the_calendar_tells_when_a_paper_is_announced(submitted: str, announced: str) -> None:
    assert earliest_announcement(moment(submitted)) == moment(announced)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Sequence[str] | str) -> int:
    monkeypatch.setattr(sys, "argv", ["digest", "why", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_answers_for_all_subscribers_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    entry = '[[subscriber]]\nemail = "{}"\nkeywords = ["tea"]\n'
    Path("subscribers.toml").write_text("".join(map(entry.format, ("ada@example.org", "bo@example.org"))))
    with SqliteStore(tmp_path / "digest.db") as store:
        enrol(store, ADA)
        bring(store, TEA)
        mail(store)
    assert run(monkeypatch, "2606.00001v2") == 0
    shown = capsys.readouterr().out
    assert "2606.00001v1  Green tea" in shown
    assert shown.count("title: tea") == 2
    assert run(monkeypatch, "arXiv:2606.00001", "bo@example.org", "--json") == 0
    (answer,) = json.loads(capsys.readouterr().out)["subscribers"]
    assert answer["keywords"][0]["words"] == ["tea"]


def test_what_is_no_identifier_or_no_subscriber_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    Path("subscribers.toml").write_text("")
    assert run(monkeypatch, "nonsense") == 2
    assert run(monkeypatch, "2606.00001", "nobody@example.org") == 2
    assert "nobody@example.org is not a subscriber" in capsys.readouterr().err


LIKED = invented_paper("2606.00009", "Kettles of green tea")
ABSTRACT = "Kettles whistle when they walk, offline."


def like(store: SqliteStore, *papers: Paper, now: datetime = NOW, is_liked: bool = True) -> None:
    examples = [example_of(replace(paper, abstract=ABSTRACT)) for paper in papers]
    store.judge(ADA.email, examples, is_liked=is_liked, origin=Origin.COMMAND, now=now)


def some_tea() -> tuple[Paper, ...]:
    """Four papers, the third of which is like the liked one."""
    return tuple(
        replace(
            invented_paper(f"2606.{number:05}", f"Tea {number}"),
            abstract=ABSTRACT if number == 3 else "We say nothing.",
        )
        for number in range(1, 5)
    )


@pytest.mark.parametrize("is_mailed", [True, False])
def test_the_place_of_a_paper_is_told_with_the_liked_paper_that_is_like_it(
    store: SqliteStore, is_mailed: bool
) -> None:
    enrol(store, ADA)
    papers = some_tea()
    bring(store, *papers)
    like(store, LIKED)
    if is_mailed:
        mail(store)
    _, place = told(store, papers[2])
    begins, _, terms = place.partition('like "Kettles of green tea", which you liked; ')
    assert begins == "1st of 4 in tea: "
    assert set(terms.split(", ")) <= {"kettles", "whistle", "walk", "offline"}
    assert len(terms.split(", ")) == 3


def test_judgements_after_the_digest_are_no_reason_in_it(store: SqliteStore) -> None:
    enrol(store, ADA)
    papers = some_tea()
    bring(store, *papers)
    mail(store)
    like(store, LIKED, now=NOW + timedelta(minutes=1))
    _, place = told(store, papers[2])
    assert place == "2nd of 4 in tea: by the keywords that match, and by date"


def test_a_paper_like_no_liked_one_is_told_as_such(store: SqliteStore) -> None:
    enrol(store, ADA)
    bring(store, TEA)
    like(store, invented_paper("2606.00009", "Goats"))
    mail(store)
    _, place = told(store)
    assert place == "1st of 1 in tea: like no paper that you liked"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (13, "13th"),
        (22, "22nd"),
        (111, "111th"),
    ],
)
def test_places_are_counted_in_english(number: int, text: str) -> None:
    assert ordinal(number) == text

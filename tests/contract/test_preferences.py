"""What every store promises of subscribers' own choices, of leaving, and of the tokens of web pages."""

from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from digest.pipeline.compose_job import compose_due
from digest.storage.base import Store
from digest.storage.values import DeliveryResult, Mailing, MailingState
from digest.subscribers.preferences import OwnKeyword, Preferences, adapted
from tests.contract.back_ends import BackEnd
from tests.factories import make_subscriber, moment
from tests.stores import LEASE, NOW, enqueue, found, new_for, news_of, record

ADA, BO = "ada@example.org", "bo@example.org"
CHOSEN = Preferences(
    muted=("k1", "k2"),
    send_at=time(18, 5),
    weekly="never",
    paused_until=date(2026, 7, 1),
    length="full",
    added=(OwnKeyword("Tee “grün”", "T"), OwnKeyword("ti:milk")),
    removed=("k3", "k4"),
    timezone="Europe/Berlin",
)


@pytest.fixture
def store(store: Store) -> Store:
    store.enrol([make_subscriber(ADA, "tea"), make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    return store


def mail(store: Store, email: str = ADA, number: str = "2606.00001") -> Mailing:
    """A claimed mailing to that subscriber."""
    record(store, found(number, "tea"), covered=("tea",))
    enqueue(store, make_subscriber(email, "tea"))
    (mailing,) = store.claim(now=NOW, until=NOW + LEASE, limit=5)
    return mailing


def token_of(mailing: Mailing) -> str:
    assert mailing.pages
    return mailing.pages.subscriber


def test_choices_are_kept_as_they_were_made(store: Store) -> None:
    assert store.preferences() == {}
    store.save_preferences("Ada@Example.org", CHOSEN)
    assert store.preferences() == {ADA: CHOSEN}
    for one in (
        Preferences(weekly="fri"),
        Preferences(length="short"),
        Preferences(added=(OwnKeyword("milk"),)),
        Preferences(removed=("k3",)),
        Preferences(timezone="UTC"),
    ):
        store.save_preferences(ADA, one)
        assert store.preferences() == {ADA: one}
        assert store.preferences_of(ADA) == one
    store.save_preferences("nobody@example.org", CHOSEN)
    assert set(store.preferences()) == {ADA}


def test_who_chooses_nothing_any_more_costs_nothing_any_more(store: Store) -> None:
    store.save_preferences(ADA, CHOSEN)
    store.save_preferences(ADA, Preferences())
    assert store.preferences() == {}


def test_choices_survive_another_reading_of_the_subscribers(store: Store) -> None:
    store.save_preferences(ADA, CHOSEN)
    store.enrol([make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    store.enrol([make_subscriber(BO, "tea"), make_subscriber(ADA, "tea")], now=NOW, current_since=NOW)
    assert store.preferences() == {ADA: CHOSEN}


def test_who_left_is_enrolled_no_more_whatever_the_file_says(store: Store) -> None:
    store.leave(ADA, now=NOW)
    assert set(store.subscriber_statuses([ADA, BO])) == {BO}
    store.enrol([make_subscriber(ADA, "tea", "milk"), make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    assert set(store.subscriber_statuses([ADA, BO])) == {BO}
    assert store.preferences() == {ADA: Preferences(left_at=NOW)}


def test_leaving_twice_is_leaving_once_and_changes_no_choice(store: Store) -> None:
    store.save_preferences(ADA, CHOSEN)
    store.leave(ADA, now=NOW)
    store.leave(ADA, now=NOW + timedelta(days=1))
    assert store.preferences() == {ADA: replace(CHOSEN, left_at=NOW)}
    store.save_preferences(ADA, Preferences())
    assert store.preferences() == {ADA: Preferences(left_at=NOW)}


def test_what_waits_for_someone_who_leaves_is_given_up(store: Store) -> None:
    mailing = mail(store)
    store.release([mailing.number], now=NOW)
    store.leave(ADA, now=NOW)
    assert store.waiting() == 0
    assert store.claim(now=NOW, until=NOW + LEASE, limit=5) == ()


def test_a_mail_in_hand_when_its_subscriber_leaves_is_not_tried_again(store: Store) -> None:
    mailing = mail(store)
    store.leave(ADA, now=NOW)
    again = DeliveryResult(number=mailing.number, state=MailingState.DEFERRED, reply="451", due_at=NOW)
    store.record_results([again], now=NOW)
    assert store.claim(now=NOW, until=NOW + LEASE, limit=5) == ()


def test_who_comes_back_goes_on_and_gets_nothing_twice(store: Store) -> None:
    subscribers = [make_subscriber(ADA, "tea"), make_subscriber(BO, "tea")]
    store.record_results(
        [DeliveryResult(number=mail(store).number, state=MailingState.SENT, reply="250 taken")], now=NOW
    )
    store.leave(ADA, now=NOW)
    store.enrol(subscribers, now=NOW, current_since=NOW)
    assert store.rejoin(ADA)
    assert not store.rejoin(ADA)
    store.enrol(subscribers, now=NOW, current_since=NOW)
    assert set(store.subscriber_statuses([ADA, BO])) == {ADA, BO}
    record(store, found("2606.00001", "tea"), found("2606.00002", "tea"), covered=("tea",))
    assert {paper for paper, _ in new_for(store)} == {"2606.00002"}


def test_changes_of_papers_while_somebody_was_away_are_no_news_for_them(store: Store) -> None:
    subscribers = [make_subscriber(ADA, "tea", exclude=("survey",)), make_subscriber(BO, "tea")]
    store.enrol(subscribers, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    store.leave(ADA, now=NOW)
    store.enrol(subscribers, now=NOW, current_since=NOW)
    first = found("2606.00001", "tea")
    changed = replace(first, paper=replace(first.paper, version=2, title="Tea, no survey"))
    record(store, changed, covered=("tea",))
    assert store.rejoin(ADA)
    store.enrol(subscribers, now=NOW, current_since=NOW)
    assert not news_of(store).changes


def test_a_mailing_waits_while_its_subscriber_pauses_and_is_not_forgotten(store: Store) -> None:
    mailing = mail(store)
    store.release([mailing.number], now=NOW)
    store.save_preferences(ADA, Preferences(paused_until=date(2026, 6, 20)))
    for days in (0, 3):
        store.retry_now(now=NOW)
        assert store.claim(now=NOW + timedelta(days=days), until=NOW + LEASE, limit=5) == ()
        assert store.waiting() == store.figures().waiting == 0
    (due,) = store.claim(now=NOW + timedelta(days=5), until=NOW + timedelta(days=6), limit=5)
    assert due.token == mailing.token


def test_a_pause_of_one_subscriber_holds_up_nobody_else(store: Store) -> None:
    record(store, found("2606.00001", "tea"), covered=("tea",))
    for email in (ADA, BO):
        enqueue(store, make_subscriber(email, "tea"))
    store.save_preferences(ADA, Preferences(paused_until=date(2026, 6, 20)))
    (mailing,) = store.claim(now=NOW, until=NOW + LEASE, limit=1)
    assert mailing.digest.email == BO


@pytest.mark.parametrize(("today", "composed"), [("2026-06-19 23:59", 0), ("2026-06-20 00:00", 1)])
def test_nothing_is_written_down_for_a_subscriber_before_the_day_that_ends_their_pause(
    store: Store, today: str, composed: int
) -> None:
    record(store, found("2606.00001", "tea"), covered=("tea",))
    ada = adapted(make_subscriber(ADA, "tea"), Preferences(paused_until=date(2026, 6, 20)))
    assert ada
    report = compose_due(
        store,
        [ada],
        lambda subscriber, subscriber_status: moment(today),
        backlog_since=moment("2026-01-01 00:00"),
    )
    assert (report.composed, report.not_due) == (composed, 1 - composed)
    assert store.waiting() == composed


def test_a_token_opens_the_pages_of_its_subscriber_alone_and_never_changes(store: Store) -> None:
    first = mail(store)
    store.release([first.number], now=NOW)
    (again,) = store.claim(now=NOW, until=NOW + LEASE, limit=5)
    assert again.pages == first.pages
    known = store.subscriber_for(token_of(first))
    assert known
    assert known.email == ADA
    store.enrol([make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    assert store.subscriber_for(token_of(first)) == known


@pytest.mark.parametrize("change", ["", "x", "flip", "digest", "feed"])
def test_any_other_token_opens_nothing(store: Store, change: str) -> None:
    mailing = mail(store)
    token = token_of(mailing)
    known = store.subscriber_for(token)
    assert mailing.pages
    assert known
    wrong = {
        "": "",
        "x": token + "x",
        "flip": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "digest": mailing.pages.digest,
        "feed": known.feed,
    }[change]
    assert store.subscriber_for(wrong) is None


def test_tokens_of_two_installations_differ(store: Store, back_end: BackEnd, tmp_path: Path) -> None:
    with back_end.open(tmp_path / "other") as other:
        other.enrol([make_subscriber(ADA, "tea"), make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
        assert other.subscriber_for(token_of(mail(store))) is None
        assert token_of(mail(other)) != token_of(mail(store, BO, "2606.00002"))

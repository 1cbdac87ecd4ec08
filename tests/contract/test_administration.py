"""What every store promises to the page of the administrators."""

from datetime import date, timedelta

from digest.storage.admin_stores import AuditEntry, Deliveries
from digest.storage.base import Store
from digest.storage.values import MailingState, Suppression
from digest.subscribers.preferences import Preferences
from tests.factories import make_subscriber
from tests.stores import LONG_AGO, NOW, claim, found, outbox_of, record, record_results

DAY = timedelta(days=1)
ADA, BO, CY, DI = (f"{name}@example.org" for name in ("ada", "bo", "cy", "di"))


def entry(action: str = "pause", *, address: str = ADA, days: int = 0) -> AuditEntry:
    return AuditEntry(
        at=NOW + days * DAY, who="grace", action=action, address=address, details="until 2026-07-01"
    )


def test_actions_are_kept_the_latest_first(store: Store) -> None:
    one, other, third = entry(), entry("resume", address=BO), entry("invite", address="", days=1)
    for each in (one, other, third):
        store.note_action(each)
    assert store.actions(limit=10) == (third, other, one)
    assert store.actions(limit=1, skip=1) == (other,)
    assert store.actions(email="ADA@Example.org", limit=10) == (one,)
    assert store.actions(since=NOW + DAY, limit=10) == (third,)


def test_an_action_is_forgotten_after_a_year(store: Store) -> None:
    store.note_action(entry(days=-366))
    store.note_action(entry(days=-365))
    store.note_action(entry("resume", days=-1))
    store.note_action(entry("invite"))
    assert len(store.actions(limit=10)) == 4
    store.prune(now=NOW)
    assert [one.action for one in store.actions(limit=10)] == ["invite", "resume", "pause"]
    store.prune(now=NOW + 2 * DAY)
    assert [one.action for one in store.actions(limit=10)] == ["invite", "resume"]


def test_a_clock_that_is_far_ahead_forgets_no_action_and_no_ended_session(store: Store) -> None:
    record(store, found("2606.00001", "tea"), covered=("tea",))
    store.note_action(entry())
    store.note_action(entry("resume", days=5000))
    store.end_session("one", until=NOW + DAY, now=NOW)
    store.prune(now=NOW + 5000 * DAY)
    assert [one.action for one in store.actions(limit=10)] == ["resume", "pause"]
    assert store.is_session_ended("one")


def test_a_session_that_was_ended_is_forgotten_once_it_would_have_ended_by_itself(store: Store) -> None:
    hour = timedelta(hours=1)
    store.end_session("one", until=NOW + hour, now=NOW)
    store.end_session("one", until=NOW + hour, now=NOW)
    assert (store.is_session_ended("one"), store.is_session_ended("other")) == (True, False)
    store.end_session("other", until=NOW + 3 * hour, now=NOW + 2 * hour)
    assert (store.is_session_ended("one"), store.is_session_ended("other")) == (False, True)
    store.prune(now=NOW + 4 * hour)
    assert not store.is_session_ended("other")


def test_mailings_of_a_period_are_counted_by_what_became_of_them(store: Store) -> None:
    outbox_of(store, ADA, BO, CY, DI)
    first, second, third, last = claim(store)
    record_results(store, first, MailingState.SENT, "250 taken")
    record_results(store, second, MailingState.SUPPRESSED, "550 nobody here")
    record_results(store, third, MailingState.DEFERRED, "451 later", due_at=NOW)
    assert store.deliveries(NOW, NOW + DAY) == Deliveries(
        sent=1, deferred=1, failed=1, half_at=NOW, most_at=NOW
    )
    record_results(store, last, MailingState.SENT, "250 taken")
    (again,) = claim(store)
    record_results(store, again, MailingState.SENT, "250 taken")
    assert store.deliveries(NOW, NOW + DAY) == Deliveries(
        sent=3, deferred=1, failed=1, half_at=NOW, most_at=NOW
    )
    assert store.deliveries(NOW - DAY, NOW) == Deliveries()
    assert store.deliveries(NOW + DAY, NOW + 2 * DAY) == Deliveries()


def test_a_mail_that_comes_back_is_counted_when_it_does(store: Store) -> None:
    outbox_of(store, ADA)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250 taken")
    store.note_bounce(
        mailing.token,
        recipient=ADA,
        concern="full",
        reply="552 full",
        now=NOW + DAY,
        retry_at=NOW + 2 * DAY,
    )
    assert store.deliveries(NOW + DAY, NOW + 2 * DAY).returned == 1
    assert store.deliveries(NOW, NOW + DAY).returned == 0


def test_papers_are_counted_once_in_the_period_in_which_they_were_found(store: Store) -> None:
    store.enrol([make_subscriber(ADA, "tea", "milk")], now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea", "milk"), found("2606.00002", "tea"), covered=("tea", "milk"))
    store.note_fetch("search", now=NOW)
    record(store, found("2606.00003", "milk"), found("2606.00001", "milk", version=2), covered=("milk",))
    store.note_fetch("search", now=NOW + DAY)
    assert store.papers_found(NOW - DAY, NOW) == 0
    assert store.papers_found(NOW, NOW + DAY) == 2
    assert store.papers_found(NOW + DAY, NOW + 2 * DAY) == 1
    assert store.papers_found(NOW + 2 * DAY, NOW + 3 * DAY) == 0


def test_what_is_known_of_a_subscriber_has_their_last_mailing_and_why_they_get_none(store: Store) -> None:
    outbox_of(store, ADA, BO, CY)
    mailings = {one.digest.email: one for one in claim(store)}
    record_results(store, mailings[ADA], MailingState.SENT, "250 taken")
    store.suppress(BO, cause="550 nobody here", now=NOW)
    store.save_preferences(CY, Preferences(paused_until=date(2026, 7, 1)))
    store.leave(CY, now=NOW)
    records = store.subscriber_records(["ADA@example.org", BO, CY, DI])
    assert set(records) == {ADA, BO, CY}
    ada, bo, cy = (records[email] for email in (ADA, BO, CY))
    assert ada.mail
    assert (ada.email, ada.since_at, ada.left_at, ada.paused_until, ada.suppressed) == (
        ADA,
        NOW,
        None,
        None,
        None,
    )
    assert (ada.mail.state, ada.mail.planned_at, ada.mail.concluded_at) == (MailingState.SENT, NOW, NOW)
    assert (ada.mail.attempts, ada.mail.reply) == (1, "250 taken")
    assert bo.suppressed == Suppression(email=BO, since_at=NOW, cause="550 nobody here")
    assert (cy.left_at, cy.paused_until) == (NOW, date(2026, 7, 1))


def test_a_subscriber_without_a_mailing_has_none(store: Store) -> None:
    store.enrol([make_subscriber(ADA, "tea")], now=LONG_AGO, current_since=NOW)
    record = store.subscriber_records([ADA])[ADA]
    assert (record.since_at, record.mail) == (LONG_AGO, None)


def test_suppressions_are_listed_by_pages(store: Store) -> None:
    for day, email in enumerate((ADA, BO, CY)):
        store.suppress(email, cause="550 nobody here", now=NOW + day * DAY)
    assert [one.email for one in store.latest_suppressions(limit=2)] == [CY, BO]
    assert [one.email for one in store.latest_suppressions(limit=2, skip=2)] == [ADA]

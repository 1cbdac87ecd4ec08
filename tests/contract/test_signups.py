"""What every store promises of sign-ups that wait for their confirmation, and of invites."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest.storage.base import Store
from digest.storage.signups import (
    Confirming,
    NewSignup,
    Signup,
    SignupAnswer,
    SignupFigures,
    SignupLimits,
    TypedMail,
)
from digest.subscribers.preferences import Preferences
from digest.subscribers.stored import EntryChange, StoredEntry
from tests.factories import make_subscriber
from tests.stores import NOW

ADA, BO = "ada@example.org", "bo@example.org"
WIDE = SignupLimits(per_hour=1_000, per_network=1_000)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def entry(email: str, keyword: str) -> str:
    return json.dumps({"email": email, "keywords": [keyword]})


def sign_up(
    store: Store,
    email: str = ADA,
    keyword: str = "tea",
    *,
    invite: int | None = None,
    network: str = "192.0.2.1",
    limits: SignupLimits = WIDE,
    after: timedelta = timedelta(0),
) -> SignupAnswer:
    new = NewSignup(email=email, content=entry(email, keyword), invite=invite)
    return store.sign_up(new, network=network, limits=limits, now=NOW + after)


def mails(store: Store, after: timedelta = timedelta(0)) -> list[str]:
    return [one.email for one in store.signup_mails(now=NOW + after)]


def only(store: Store, after: timedelta = timedelta(0)) -> Signup:
    (found,) = store.signup_mails(now=NOW + after)
    return found


def new_entry(signup: Signup) -> EntryChange:
    return EntryChange(before=None, after=StoredEntry(address=signup.email.lower(), content=signup.content))


def test_a_sign_up_is_kept_and_found_by_its_token_alone(store: Store, other: Store) -> None:
    assert sign_up(store, "Ada@Example.org") is SignupAnswer.TAKEN
    found = only(store)
    assert (found.email, found.content) == ("Ada@Example.org", entry("Ada@Example.org", "tea"))
    assert (found.written_at, found.mailed_at) == (NOW, NOW)
    assert other.signup_for(found.token, now=NOW) == found
    for token in ("", found.token[:-1], found.token[::-1], "x" * 24):
        assert store.signup_for(token, now=NOW) is None


def test_a_later_sign_up_of_an_address_replaces_it_under_the_same_token(store: Store) -> None:
    sign_up(store)
    first = only(store)
    store.note_signup_mail(first.number, due_at=None)
    assert sign_up(store, "ADA@example.org", "milk", after=HOUR) is SignupAnswer.TAKEN
    assert mails(store, HOUR) == []
    found = store.signup_for(first.token, now=NOW + HOUR)
    assert found
    assert json.loads(found.content)["keywords"] == ["milk"]
    assert found.written_at == NOW + HOUR


def test_the_address_is_as_the_mail_has_it_until_the_next_mail(store: Store) -> None:
    sign_up(store, "Sue@example.org")
    sign_up(store, "\u017fue@example.org", "milk", after=HOUR)
    found = only(store, HOUR)
    assert (found.email, json.loads(found.content)["keywords"]) == ("Sue@example.org", ["milk"])
    sign_up(store, "\u017fue@example.org", after=DAY)
    assert only(store, DAY).email == "\u017fue@example.org"


def test_an_address_gets_one_mail_a_day_and_the_next_one_has_another_token(store: Store) -> None:
    sign_up(store)
    first = only(store)
    store.note_signup_mail(first.number, due_at=None)
    sign_up(store, after=DAY - HOUR)
    assert mails(store, DAY - HOUR) == []
    sign_up(store, after=DAY)
    second = only(store, DAY)
    assert second.token != first.token
    assert second.mailed_at == NOW + DAY
    assert store.signup_for(first.token, now=NOW + DAY) is None


def test_a_mail_that_failed_is_due_again_and_keeps_its_token(store: Store) -> None:
    sign_up(store)
    first = only(store)
    store.note_signup_mail(first.number, due_at=NOW + HOUR)
    assert mails(store) == []
    again = only(store, HOUR)
    assert (again.token, again.mailed_at, again.attempts) == (first.token, first.mailed_at, 1)


def test_what_nobody_confirms_is_gone_after_48_hours(store: Store) -> None:
    sign_up(store)
    sign_up(store, BO, after=HOUR)
    first, second = store.signup_mails(now=NOW + HOUR)
    late = timedelta(hours=48)
    assert mails(store, late) == [BO]
    assert store.signup_for(first.token, now=NOW + late) is None
    assert store.signup_for(second.token, now=NOW + late) == second
    assert store.confirm_signup(first.number, [new_entry(first)], now=NOW + late) is Confirming.GONE
    store.forget_signups(now=NOW + late)
    # As of an earlier moment, too: the row itself is gone.
    assert mails(store, HOUR) == [BO]


def test_a_suppressed_address_gets_no_mail(store: Store) -> None:
    store.enrol([make_subscriber(ADA, "tea")], now=NOW, current_since=NOW)
    store.suppress(ADA, cause="550", now=NOW)
    assert sign_up(store) is SignupAnswer.TAKEN
    assert mails(store) == []


@pytest.mark.parametrize("is_other", [False, True])
def test_the_limits_count_over_all_processes_and_for_an_hour(
    store: Store, other: Store, is_other: bool
) -> None:
    limits = SignupLimits(per_hour=5, per_network=2)
    answers = [
        sign_up(
            other if is_other and number % 2 else store,
            f"{number}@example.org",
            network=f"192.0.2.{number // 3}",
            limits=limits,
        )
        for number in range(12)
    ]
    assert answers.count(SignupAnswer.TAKEN) == 5
    assert answers[:3] == [SignupAnswer.TAKEN, SignupAnswer.TAKEN, SignupAnswer.TOO_MANY_OF_NETWORK]
    assert answers[-1] is SignupAnswer.TOO_MANY
    assert len(mails(store)) == 5
    late, end = HOUR - timedelta(seconds=1), HOUR
    assert sign_up(store, BO, network="::1", limits=limits, after=late) is SignupAnswer.TOO_MANY
    assert sign_up(store, BO, network="::1", limits=limits, after=end) is SignupAnswer.TAKEN


def test_a_day_has_the_sign_ups_of_four_hours(store: Store) -> None:
    limits = SignupLimits(per_hour=2, per_network=2)
    hours = [hour for hour in range(26) for _ in range(2)]
    taken = [
        hour
        for hour in hours
        if sign_up(store, BO, network=f"192.0.2.{hour}", limits=limits, after=HOUR * hour)
        is SignupAnswer.TAKEN
    ]
    assert taken == [0, 0, 1, 1, 2, 2, 3, 3, 24, 24, 25, 25]


def test_the_limits_do_not_depend_on_the_address(store: Store) -> None:
    """Else the answer would tell whether somebody has signed up."""
    limits = SignupLimits(per_hour=2, per_network=2)
    assert [sign_up(store, limits=limits) for _ in range(3)] == [
        SignupAnswer.TAKEN,
        SignupAnswer.TAKEN,
        SignupAnswer.TOO_MANY_OF_NETWORK,
    ]


def test_clients_whose_network_is_not_known_do_not_count_as_one(store: Store) -> None:
    limits = SignupLimits(per_hour=3, per_network=1)
    answers = [sign_up(store, f"{n}@example.org", network="", limits=limits) for n in range(4)]
    assert answers == [*[SignupAnswer.TAKEN] * 3, SignupAnswer.TOO_MANY]


def test_a_confirmation_writes_the_entry_once(store: Store) -> None:
    sign_up(store)
    signup = only(store)
    version = store.entries_version()
    for _ in range(2):
        assert store.confirm_signup(signup.number, [new_entry(signup)], now=NOW) is Confirming.DONE
    assert [one.content for one in store.entries(after=0, limit=9)] == [signup.content]
    assert store.entries_version() == version + 1
    assert mails(store) == []
    found = store.signup_for(signup.token, now=NOW)
    assert found
    assert found.is_confirmed


def test_a_confirmation_beside_another_change_of_the_entry_does_nothing(store: Store, other: Store) -> None:
    invite = store.add_invite(uses=1, until_at=None, now=NOW)
    sign_up(store, invite=invite.number)
    signup = only(store)
    assert other.change_entries([new_entry(signup)])
    assert store.confirm_signup(signup.number, [new_entry(signup)], now=NOW) is Confirming.CONFLICT
    found = store.signup_for(signup.token, now=NOW)
    assert found
    assert not found.is_confirmed
    assert store.invites()[0].used == 0


def test_who_signs_up_again_after_leaving_is_back_without_their_former_choices(store: Store) -> None:
    subscribers = [make_subscriber(ADA, "tea")]
    store.enrol(subscribers, now=NOW, current_since=NOW)
    store.save_preferences(ADA, Preferences(weekly="fri"))
    store.leave(ADA, now=NOW)
    sign_up(store)
    assert store.confirm_signup(only(store).number, [], now=NOW) is Confirming.DONE
    assert store.preferences() == {}
    store.enrol(subscribers, now=NOW, current_since=NOW)
    assert set(store.subscriber_statuses([ADA])) == {ADA}


def test_an_invite_counts_those_who_confirm(store: Store, other: Store) -> None:
    invite = store.add_invite(uses=1, until_at=None, now=NOW)
    assert other.invite_for(invite.token) == invite
    for email in (ADA, BO):
        sign_up(store, email, invite=invite.number)
    first, second = store.signup_mails(now=NOW)
    assert store.invites()[0].used == 0
    assert store.confirm_signup(first.number, [new_entry(first)], now=NOW) is Confirming.DONE
    assert store.confirm_signup(second.number, [new_entry(second)], now=NOW) is Confirming.CLOSED_INVITE
    assert [one.address for one in store.entries(after=0, limit=9)] == [ADA]
    (used,) = store.invites()
    assert (used.used, used.is_open(NOW)) == (1, False)


def test_a_revoked_invite_is_invalid_also_for_those_who_wait(store: Store) -> None:
    invite = store.add_invite(uses=None, until_at=NOW + DAY, now=NOW)
    other_invite = store.add_invite(uses=3, until_at=None, now=NOW)
    sign_up(store, invite=invite.number)
    assert store.revoke_invite(invite.number, now=NOW)
    assert store.revoke_invite(invite.number, now=NOW + HOUR)
    assert not store.revoke_invite(99, now=NOW)
    revoked, valid = store.invites()
    assert (revoked.revoked_at, revoked.is_open(NOW)) == (NOW, False)
    assert valid == other_invite
    assert valid.is_open(NOW)
    signup = only(store)
    assert store.confirm_signup(signup.number, [new_entry(signup)], now=NOW) is Confirming.CLOSED_INVITE


def test_an_invite_ends_at_its_moment_but_not_for_who_came_before(store: Store) -> None:
    invite = store.add_invite(uses=None, until_at=NOW + HOUR, now=NOW)
    assert invite.is_open(NOW)
    assert not invite.is_open(NOW + HOUR)
    sign_up(store, invite=invite.number)
    signup = only(store)
    assert store.confirm_signup(signup.number, [new_entry(signup)], now=NOW + DAY) is Confirming.DONE


def test_the_token_for_preferences_is_that_of_the_mails(store: Store) -> None:
    assert store.subscriber_token(ADA) is None
    store.enrol([make_subscriber(ADA, "tea")], now=NOW, current_since=NOW)
    token = store.subscriber_token("Ada@example.org")
    known = token and store.subscriber_for(token)
    assert known
    assert known.email == ADA
    store.renew_links(ADA)
    assert store.subscriber_token(ADA) != token


def test_forms_are_signed_with_a_key_that_stays(store: Store, other: Store) -> None:
    assert len(store.form_key()) == 32
    assert store.form_key() == other.form_key()


def test_no_network_is_named_in_the_state(store: Store, tmp_path: Path) -> None:
    sign_up(store, network="network-77")
    assert not [path for path in tmp_path.iterdir() if b"network-77" in path.read_bytes()]


def test_each_kind_of_mail_has_limits_of_its_own(store: Store) -> None:
    limits = SignupLimits(per_hour=2, per_network=2)
    for number in range(5):
        sign_up(store, f"{number}@example.org", network=f"192.0.2.{number}", limits=limits)
    for kind in (TypedMail.LINK, TypedMail.ADDRESS):
        answers = [
            store.count_attempt(kind, network=f"192.0.2.{number}", limits=limits, now=NOW)
            for number in range(3)
        ]
        assert answers == [SignupAnswer.TAKEN, SignupAnswer.TAKEN, SignupAnswer.TOO_MANY]


def test_the_figures_tell_what_waits_what_was_mailed_and_what_was_refused(store: Store) -> None:
    nothing = dict.fromkeys(map(str, TypedMail), 0)
    assert store.signup_figures(now=NOW) == SignupFigures(waiting=0, mailed=0, refused=nothing)
    narrow = SignupLimits(per_hour=2, per_network=2)
    for email in (ADA, BO, "cy@example.org", "di@example.org"):
        sign_up(store, email, limits=narrow)
    store.count_attempt(TypedMail.LINK, network="", limits=narrow, now=NOW)
    ada, bo = store.signup_mails(now=NOW)
    store.note_signup_mail(ada.number, due_at=None, sent_at=NOW)
    store.note_signup_mail(bo.number, due_at=NOW + HOUR)
    found = store.signup_figures(now=NOW + HOUR)
    assert found == SignupFigures(waiting=2, mailed=1, refused={**nothing, "sign-up": 2})
    store.confirm_signup(ada.number, [], now=NOW + HOUR)
    found = store.signup_figures(now=NOW + HOUR)
    assert (found.waiting, found.mailed) == (1, 1)
    found = store.signup_figures(now=NOW + DAY + HOUR)
    assert found == SignupFigures(waiting=1, mailed=0, refused=nothing)
    assert store.signup_figures(now=NOW + 2 * DAY).waiting == 0


def test_who_joined_and_who_left_is_known_with_the_time(store: Store) -> None:
    joined = StoredEntry(address=ADA, content=entry(ADA, "tea"), joined_at=NOW)
    store.change_entries([EntryChange(before=None, after=joined)])
    store.change_entries([EntryChange(before=None, after=replace(joined, address=BO, joined_at=None))])
    assert store.joined_since(NOW - HOUR) == ((ADA, NOW),)
    assert store.joined_since(None) == ((ADA, NOW),)
    assert store.joined_since(NOW) == ()
    before = store.entry_of(ADA)
    assert before
    assert before.joined_at == NOW
    edited = replace(joined, content=entry(ADA, "coffee"), joined_at=None)
    store.change_entries([EntryChange(before=before, after=edited)])
    assert store.joined_since(None) == ((ADA, NOW),)
    store.change_entries(
        [EntryChange(before=store.entry_of(ADA), after=replace(edited, joined_at=NOW + DAY))]
    )
    assert store.joined_since(None) == ((ADA, NOW + DAY),)
    assert store.left_since(NOW - HOUR) == ()
    store.enrol([make_subscriber(ADA, "tea"), make_subscriber(BO, "tea")], now=NOW, current_since=NOW)
    store.leave(BO, now=NOW + HOUR)
    store.leave(ADA, now=NOW)
    assert store.left_since(NOW - HOUR) == ((ADA, NOW), (BO, NOW + HOUR))
    store.rejoin(ADA)
    assert store.left_since(NOW) == ((BO, NOW + HOUR),)

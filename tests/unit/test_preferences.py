"""What subscribers chose goes before what subscribers.toml says."""

from dataclasses import replace
from datetime import date, datetime, time

from digest.keywords.query import parse
from digest.model.digest import Digest, Hit, Revision
from digest.pipeline.compose import compose
from digest.storage.choices import choices_as_list, choices_from_list
from digest.storage.tokens import Kind, is_seal, number_in, seal
from digest.subscribers.preferences import (
    NEVER,
    OwnKeyword,
    Preferences,
    adapted,
    apply_preferences,
    differences,
)
from tests.factories import at_other_times, invented_paper, make_subscriber, moment

TEA, MILK = parse("tea").key, parse("milk").key
ADA = make_subscriber("ada@example.org", "tea", "milk", weekly=4)


def composed(muted: str, *hits: Hit, revisions: tuple[Revision, ...] = ()) -> Digest | None:
    chosen = adapted(ADA, Preferences(muted=(muted,)))
    assert chosen
    return compose(chosen, hits, planned_at=moment("2026-06-16 07:00"), is_first=False, revisions=revisions)


def hit(number: int, key: str, arxiv_id: str, *, is_backlog: bool = False) -> Hit:
    return Hit(number=number, query_key=key, paper=invented_paper(arxiv_id), is_backlog=is_backlog)


def test_what_is_not_chosen_is_as_the_file_has_it() -> None:
    assert adapted(ADA, Preferences()) == ADA
    assert adapted(ADA, Preferences(send_at=time(0))) == at_other_times(ADA, send_at=time(0))
    assert adapted(ADA, Preferences(weekly="mon")) == at_other_times(ADA, weekly=0)
    assert adapted(ADA, Preferences(weekly=NEVER)) == at_other_times(ADA, weekly=None)
    assert adapted(ADA, Preferences(paused_until=date(2026, 7, 1))) == at_other_times(
        ADA, paused_until=date(2026, 7, 1)
    )
    assert adapted(ADA, Preferences(length="short")) == replace(ADA, length="short")


def test_who_left_is_no_subscriber() -> None:
    chosen = {"ada@example.org": Preferences(left_at=datetime.fromisoformat("2026-06-16T07:00:00+00:00"))}
    bo = make_subscriber("Bo@example.org")
    assert apply_preferences([ADA, bo], chosen) == (bo,)


def test_choices_are_found_however_the_address_is_written() -> None:
    (found,) = apply_preferences(
        [replace(ADA, email="ADA@example.org")], {ADA.email: Preferences(send_at=time(9))}
    )
    assert found.send_schedule.send_at == time(9)


def test_a_muted_keyword_brings_nothing_and_is_not_named() -> None:
    digest = composed(MILK, hit(1, TEA, "2606.00001"), hit(2, MILK, "2606.00001"), hit(3, MILK, "2606.00002"))
    assert digest
    assert [(entry.paper.id, entry.keywords) for entry in digest.entries] == [("2606.00001", ("tea",))]
    assert digest.keywords == ("tea",)
    assert composed(MILK, hit(3, MILK, "2606.00002"), hit(4, MILK, "2606.00003", is_backlog=True)) is None


def test_a_muted_keyword_brings_no_new_versions() -> None:
    revisions = tuple(
        Revision(paper=invented_paper(f"2606.0000{number}", title, version=2), from_version=1)
        for number, title in ((1, "On tea"), (2, "On milk"))
    )
    digest = composed(MILK, revisions=revisions)
    assert digest
    assert [revision.paper.title for revision in digest.revisions] == ["On tea"]


def test_a_token_is_short_and_tells_nothing_but_to_its_maker() -> None:
    tokens = [seal("secret", kind, number, "ada") for kind in Kind for number in (1, 2, 2**48 - 1)]
    assert {len(token) for token in tokens} == {24}
    assert len(set(tokens)) == len(tokens)
    assert number_in("secret", Kind.SUBSCRIBER, tokens[0]) == 1
    assert is_seal(tokens[0], "secret", Kind.SUBSCRIBER, 1, "ada")
    assert not is_seal(tokens[0], "secret", Kind.SUBSCRIBER, 1, "bo")
    assert not is_seal(tokens[0], "secret", Kind.DIGEST, 1, "ada")
    assert not is_seal(tokens[0], "other", Kind.SUBSCRIBER, 1, "ada")
    assert number_in("secret", Kind.SUBSCRIBER, "…" * 24) is None


def keywords_of(chosen: Preferences, *written: str) -> list[str]:
    found = adapted(make_subscriber("ada@example.org", *written), chosen)
    assert found
    return [one.label for one in found.keywords]


def test_own_keywords_come_after_those_of_the_entry_and_removed_ones_go() -> None:
    chosen = Preferences(added=(OwnKeyword("rice", "R"), OwnKeyword("salt")), removed=(MILK,))
    assert keywords_of(chosen, "tea", "milk") == ["tea", "R (rice)", "salt"]
    assert keywords_of(chosen, "tea") == ["tea", "R (rice)", "salt"]


def test_an_own_keyword_is_followed_once_when_the_entry_gains_it_and_has_the_subscribers_name() -> None:
    chosen = Preferences(added=(OwnKeyword("Rices", "R"),))
    assert keywords_of(chosen, "tea", "rice", "milk") == ["tea", "R (Rices)", "milk"]


def test_a_keyword_may_be_added_again_after_it_was_removed() -> None:
    assert keywords_of(Preferences(added=(OwnKeyword("milk"),), removed=(MILK,)), "tea", "milk") == [
        "tea",
        "milk",
    ]


def test_nobody_is_without_keywords_whatever_the_entry_loses() -> None:
    assert keywords_of(Preferences(removed=(TEA, MILK)), "tea", "milk") == ["tea", "milk"]
    assert keywords_of(Preferences(removed=(TEA,)), "tea") == ["tea"]
    assert keywords_of(Preferences(removed=(TEA,), added=(OwnKeyword('broken"'),)), "tea") == ["tea"]


def test_a_zone_that_this_host_does_not_know_is_as_in_the_entry() -> None:
    berlin = adapted(ADA, Preferences(timezone="Europe/Berlin"))
    assert berlin
    assert berlin.send_schedule.timezone.key == "Europe/Berlin"
    assert adapted(ADA, Preferences(timezone="Mars/Base")) == ADA


def test_what_was_added_removed_and_moved_is_told() -> None:
    chosen = Preferences(
        added=(OwnKeyword("rice", "R"), OwnKeyword("tea", "T")), removed=(MILK,), timezone="Asia/Tokyo"
    )
    assert differences(ADA, Preferences(), chosen) == (
        'own keywords: "T (tea)", "R (rice)" (before: none)',
        'removed keywords: "milk" (before: none)',
        "time: 07:00 Asia/Tokyo (before: 07:00 UTC)",
    )


def test_choices_are_the_same_after_they_were_kept_and_those_of_earlier_versions_are_read() -> None:
    chosen = Preferences(
        muted=(TEA,),
        send_at=time(9),
        weekly="mon",
        paused_until=date(2026, 7, 1),
        length="full",
        added=(OwnKeyword("rice", "R"), OwnKeyword("salt")),
        removed=(MILK,),
        timezone="Asia/Tokyo",
    )
    kept = choices_as_list(chosen)
    assert choices_from_list(kept) == chosen
    earlier = replace(chosen, added=(), removed=(), timezone=None)
    assert choices_from_list(kept[:5]) == earlier
    assert choices_from_list(kept[:4]) == replace(earlier, length=None)

"""What subscribers chose goes before what subscribers.toml says."""

from dataclasses import replace
from datetime import date, datetime, time

from digest.keywords.query import parse
from digest.model.digest import Digest, Hit, Revision
from digest.pipeline.compose import compose
from digest.storage.tokens import Kind, is_seal, number_in, seal
from digest.subscribers.preferences import NEVER, Preferences, adapted, apply_preferences
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

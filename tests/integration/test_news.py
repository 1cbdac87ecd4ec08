"""What is news for whom: held papers, changed ones, edited keywords, grown look-backs and wrong clocks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from digest.errors import WrongClock
from digest.model.paper import ArxivId, Paper, announcement_order
from digest.sources.window import HELD
from digest.storage.sqlite.store import SqliteStore
from tests.factories import invented_paper, make_subscriber, moment
from tests.integration.installation import MONDAY, TEA, TUESDAY, WEDNESDAY, Installation

ADA = "ada@example.org"


def teas(first: int, count: int, submitted: str = "2026-06-14 10:00") -> list[Paper]:
    return [invented_paper(f"2606.{first + n:05}", "Tea", submitted=submitted) for n in range(count)]


def test_identifiers_are_in_the_order_of_announcements() -> None:
    ids = ["0704.0001", "1412.9999", "1501.00001", "2606.00009", "2606.00010", "2607.00001"]
    places = [announcement_order(ArxivId(one)) for one in ids]
    assert places == sorted(places)
    assert announcement_order(ArxivId("math/0309136")) == ""


@pytest.mark.parametrize(
    ("days", "lists_again"), [(17, True), (67, True), (17, False), (67, False), (400, False)]
)
async def test_a_paper_that_was_held_back_comes_when_it_is_announced(
    store: SqliteStore, days: int, lists_again: bool
) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    lab.source.lists_again = lists_again  # the search API lists papers of 75 days, OAI-PMH what changed
    await lab.run(MONDAY, TEA)
    lab.mails()
    held = invented_paper("2606.00900", "Held tea", submitted=f"{MONDAY - timedelta(days=days):%F %R}")
    await lab.run(TUESDAY, TEA, held)
    assert lab.mails() == [(ADA, held.id)]
    await lab.run(WEDNESDAY, TEA, held)
    assert lab.mails() == []


async def test_an_old_paper_whose_metadata_were_edited_is_no_news(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    lab.source.lists_again = False
    await lab.run(MONDAY, TEA)
    lab.mails()
    for old in ("2603.00900", "1803.00900", "math/0309136"):
        await lab.run(TUESDAY, TEA, invented_paper(old, "Old tea", submitted="2018-03-01 10:00"))
    assert lab.mails() == []


async def test_an_old_paper_is_no_news_for_a_keyword_that_was_first_fetched_with_known_ones(
    store: SqliteStore,
) -> None:
    ada, bo = make_subscriber(ADA, "tea"), make_subscriber("bo@example.org", "milk")
    lab = Installation(store, ada)
    lab.source.lists_again = False  # as OAI-PMH, which asks once for known and for new keywords
    await lab.run(MONDAY, TEA)
    lab.subscribers = (ada, bo)
    await lab.run(TUESDAY, TEA, invented_paper("2606.00901", "New milk"))
    lab.mails()
    edited = invented_paper("2605.00002", "Old milk", submitted=f"{MONDAY - timedelta(days=40):%F %R}")
    await lab.run(WEDNESDAY, edited)
    assert lab.mails() == []


async def test_a_held_paper_comes_though_the_keyword_was_not_fetched_for_days(store: SqliteStore) -> None:
    ada, bo = make_subscriber(ADA, "tea"), make_subscriber("bo@example.org", "milk")
    lab = Installation(store, ada, bo, group=1)
    lab.source.lists_again = False
    await lab.run(MONDAY, TEA)
    lab.mails()
    lab.source.failing = lambda queries: WrongClock("x", "no") if queries[0].text == "tea" else None
    held = invented_paper("2606.00900", "Held tea", submitted="2026-02-01 10:00")
    await lab.run(TUESDAY, held, invented_paper("2606.00990", "Milk"))
    lab.mails()
    lab.source.failing = lambda queries: None
    await lab.run(WEDNESDAY, held)
    assert lab.mails()[0] == (ADA, held.id)


async def test_a_held_paper_comes_though_each_fetch_was_soon_after_an_announcement(
    store: SqliteStore,
) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    lab.source.lists_again = False
    friday = invented_paper("2606.00100", "Tea of Friday", submitted="2026-06-11 20:00")
    await lab.run(
        moment("2026-06-16 00:30"), friday, invented_paper("2606.00050", "Old", submitted="2026-06-02 10:00")
    )
    lab.mails()
    held = invented_paper("2606.00150", "Held tea", submitted="2026-04-20 10:00")
    edited = invented_paper("2604.00001", "Edited tea", submitted="2026-04-20 10:00")
    await lab.run(moment("2026-06-17 00:30"), held, edited)
    assert lab.mails() == [(ADA, held.id)]


@pytest.mark.parametrize("lists_again", [True, False])
async def test_of_the_time_before_the_look_back_only_what_was_held_back_is_new(
    store: SqliteStore, lists_again: bool
) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    lab.source.lists_again = lists_again
    await lab.run(MONDAY, TEA)
    lab.mails()
    before = invented_paper("2605.00001", "Tea of May", submitted="2026-05-01 10:00")
    report = await lab.run(TUESDAY, TEA, before)
    assert (lab.mails(), report.papers_new) == ([], 0)
    edited = invented_paper("2605.00002", "Matches only now: tea", submitted="2026-05-02 10:00")
    held = invented_paper("2606.00900", "Late tea", submitted="2026-05-02 10:00")
    await lab.run(WEDNESDAY, TEA, before, edited, held)
    assert lab.mails() == [(ADA, held.id)]
    assert lab.source.asked[-1][1].submitted_since == TUESDAY - HELD


async def test_a_paper_comes_once_it_is_listed_where_the_subscriber_looks(store: SqliteStore) -> None:
    lab = Installation(
        store, make_subscriber(ADA, "tea", categories=("cs.CL",)), make_subscriber("bo@example.org", "tea")
    )
    await lab.run(MONDAY, TEA)
    assert lab.mails() == [("bo@example.org", TEA.id)]
    listed = replace(TEA, categories=(*TEA.categories, "cs.CL"))
    await lab.run(TUESDAY, listed)
    assert lab.mails() == [(ADA, TEA.id)]
    again = replace(listed, categories=(*listed.categories, "cs.IR"))
    await lab.run(WEDNESDAY, again)
    assert lab.mails() == []


async def test_a_new_version_that_passes_a_filter_comes_once(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea", exclude=("abs:little",)))
    await lab.run(MONDAY, TEA)
    assert lab.mails() == []
    second = replace(TEA, version=2, abstract="We say much.")
    await lab.run(TUESDAY, second)
    await lab.run(WEDNESDAY, second)
    assert lab.mails() == [(ADA, TEA.id)]


async def test_a_change_brings_nothing_that_came_before_the_filter_was_set(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea", categories=("cs.LG",)))
    await lab.run(MONDAY, TEA)
    assert lab.mails() == [(ADA, TEA.id)]
    lab.subscribers = (make_subscriber(ADA, "tea", categories=("cs.CL",)),)
    await lab.run(TUESDAY, TEA)
    await lab.run(WEDNESDAY, replace(TEA, categories=(*TEA.categories, "cs.CL")))
    assert lab.mails() == []


async def test_a_filter_sees_what_the_same_keyword_with_a_category_sees(store: SqliteStore) -> None:
    lab = Installation(
        store,
        make_subscriber(ADA, "tea", categories=("cs.CL",)),
        make_subscriber("bo@example.org", "tea AND cat:cs.CL"),
    )
    await lab.run(MONDAY, TEA)
    await lab.run(TUESDAY, replace(TEA, categories=(*TEA.categories, "cs.CL")))
    assert lab.mails() == [(ADA, TEA.id), ("bo@example.org", TEA.id)]


async def test_a_text_that_was_stored_as_tex_is_mended_and_does_not_come_again(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    await lab.run(MONDAY, replace(TEA, title=r"Tea of Schr\"odinger", submitted_at=None))
    assert lab.mails() == [(ADA, TEA.id)]
    mended = replace(TEA, title="Tea of Schrödinger")
    await lab.run(TUESDAY, mended)
    assert lab.mails() == []
    (key,) = store.covered_at()
    assert store.newest_papers(key, limit=5) == (mended,)


async def test_what_one_source_does_not_tell_is_kept_from_the_other(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    await lab.run(MONDAY, replace(TEA, comment="5 pages"))
    told = replace(TEA, title="Tea leaves again", submitted_at=None, comment=None)
    await lab.run(TUESDAY, told)
    (key,) = store.covered_at()
    assert store.newest_papers(key, limit=5) == (replace(TEA, title="Tea leaves again", comment="5 pages"),)


async def test_comments_that_changed_are_no_cause_for_disbelief(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "co:submitted"))
    await lab.run(MONDAY, *(replace(one, comment="Submitted") for one in teas(100, 40)))
    report = await lab.run(TUESDAY, *teas(200, 1))
    assert (report.errors, report.exit_code) == ((), 0)


async def evening_and_morning(lab: Installation, *between: str) -> list[tuple[str, str]]:
    """A first digest, an evening's fetch of 15 papers, edits of the keywords, and the morning's mail."""
    evening = TUESDAY.replace(hour=1)
    await lab.run(MONDAY, TEA)
    lab.mails()
    bo = make_subscriber("bo@example.org", "tea")
    papers = [TEA, *teas(100, 15)]
    # Nobody but Bo is due at that hour, so Ada's papers wait.
    lab.subscribers = (*lab.subscribers, bo)
    away = [replace(one, send_schedule=replace(one.send_schedule, weekly=5)) for one in lab.subscribers[:1]]
    lab.subscribers = (*away, bo)
    await lab.run(evening, *papers)
    lab.mails()
    for keyword in between:
        lab.subscribers = (make_subscriber(ADA, keyword), bo)
        store_of(lab).enrol(lab.subscribers, now=evening, current_since=evening)
    await lab.run(TUESDAY, *papers)
    return [mail for mail in lab.mails() if mail[0] == ADA]


def store_of(lab: Installation) -> SqliteStore:
    return lab.store


@pytest.mark.parametrize(
    "between", [("tea",), ("tea ANDNOT cat:math.CO",), ("milk", "tea"), ("milk",)], ids=" then ".join
)
async def test_what_was_found_while_a_keyword_was_followed_comes_whatever_becomes_of_it(
    store: SqliteStore, between: tuple[str, ...]
) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    ((_, ids),) = await evening_and_morning(lab, *between)
    assert sorted(ids.split()) == [paper.id for paper in teas(100, 15)]


async def test_an_edit_that_narrows_brings_nothing_old(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    papers = teas(100, 30)
    await lab.run(MONDAY, *papers)
    lab.mails()
    lab.subscribers = (make_subscriber(ADA, "tea AND cat:cs.LG"),)
    await lab.run(TUESDAY, *papers)
    assert lab.mails() == []


@pytest.mark.parametrize("is_raised_later", [False, True])
async def test_a_longer_lookback_looks_further_back_once(store: SqliteStore, is_raised_later: bool) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    lab.source.lists_again = False
    old = invented_paper("2605.00001", "Old tea", submitted="2026-05-01 10:00")
    if is_raised_later:
        await lab.run(MONDAY, TEA)
        lab.mails()
    lab.lookback = timedelta(days=60)
    await lab.run(TUESDAY, TEA, old)
    assert lab.mails() == ([] if is_raised_later else [(ADA, f"{TEA.id} {old.id}")])
    await lab.run(WEDNESDAY, TEA)
    grounds = [window for _, window in lab.source.asked]
    assert grounds[-2].announced_since == TUESDAY - timedelta(days=60)
    assert grounds[-1].announced_since == TUESDAY
    (key,) = store.covered_at()
    assert set(store.newest_papers(key, limit=5)) == {TEA, old}
    # Who follows the keyword from now on finds the old paper in their first digest.
    lab.subscribers = (*lab.subscribers, make_subscriber("cy@example.org", "tea"))
    await lab.run(WEDNESDAY, TEA)
    assert lab.mails() == [("cy@example.org", f"{TEA.id} {old.id}")]


@pytest.mark.parametrize("lists_again", [True, False])
@pytest.mark.parametrize("others", [("milk",), ("tea leaves", "milk")])
async def test_a_lookback_that_was_raised_while_nobody_followed_a_keyword_reaches_its_first_digest(
    store: SqliteStore, lists_again: bool, others: tuple[str, ...]
) -> None:
    lab = Installation(store, make_subscriber(ADA, *others, "tea"))
    lab.source.lists_again = lists_again
    old = invented_paper("2605.00001", "Old tea leaves", submitted=f"{MONDAY - timedelta(days=22):%F %R}")
    await lab.run(MONDAY, TEA)
    # The search API lists papers of 75 days again; OAI-PMH lists what changed.
    await lab.run(TUESDAY, TEA, *[old] * lists_again)
    assert lab.mails() == [(ADA, TEA.id)]
    lab.subscribers = (make_subscriber(ADA, *others),)
    milk = invented_paper("2606.00002", "Milk", submitted="2026-06-15 10:00")
    await lab.run(TUESDAY, TEA, milk, force=True)
    assert lab.mails() == [(ADA, milk.id)]
    lab.lookback = timedelta(days=30)
    lab.subscribers = (make_subscriber(ADA, *others, "tea"),)
    await lab.run(WEDNESDAY, TEA, milk, old)
    assert lab.mails() == [(ADA, old.id)]


@pytest.mark.parametrize("lists_again", [True, False])
async def test_what_a_raised_lookback_found_for_one_keyword_comes_in_the_first_digest_of_another(
    store: SqliteStore, lists_again: bool
) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea leaves"))
    lab.source.lists_again = lists_again
    old = invented_paper("2605.00001", "Old tea leaves", submitted=f"{MONDAY - timedelta(days=22):%F %R}")
    more = invented_paper("2606.00002", "More tea leaves", submitted="2026-06-15 10:00")
    await lab.run(MONDAY, TEA)
    lab.lookback = timedelta(days=30)
    await lab.run(TUESDAY, TEA, old, more)
    assert lab.mails() == [(ADA, TEA.id), (ADA, more.id)]
    papers = TEA, old, more
    for keywords, expected in ((("tea leaves", "tea"), [(ADA, old.id)]), (("milk",), []), (("tea",), [])):
        lab.subscribers = (make_subscriber(ADA, *keywords),)
        await lab.run(WEDNESDAY, *papers, force=True)
        assert lab.mails() == expected


@pytest.mark.parametrize("lists_again", [True, False])
async def test_a_raised_lookback_brings_a_first_digest_to_whoever_had_none(
    store: SqliteStore, lists_again: bool
) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    lab.source.lists_again = lists_again
    old = invented_paper("2605.00001", "Old tea", submitted=f"{MONDAY - timedelta(days=22):%F %R}")
    await lab.run(MONDAY, *[old] * lists_again)
    assert lab.mails() == []
    lab.lookback = timedelta(days=30)
    lab.subscribers = (*lab.subscribers, make_subscriber("bo@example.org", "tea"))
    await lab.run(TUESDAY, old)
    assert lab.mails() == [(ADA, old.id), ("bo@example.org", old.id)]
    await lab.run(WEDNESDAY, old)
    assert lab.mails() == []


@pytest.mark.parametrize("days", [-365, 365])
async def test_a_wrong_clock_moves_nothing_and_is_told(store: SqliteStore, days: int) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    await lab.run(MONDAY, TEA)
    lab.mails()
    covered = store.covered_at()
    lab.source.failing = lambda queries: WrongClock("http://arxiv", "set the clock")
    report = await lab.run(TUESDAY + timedelta(days=days), TEA)
    assert (report.exit_code, report.digests_composed) == (1, 0)
    assert "set the clock" in report.errors[0]
    assert store.covered_at() == covered


async def test_a_moment_before_the_last_one_moves_no_coverage_back(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    await lab.run(TUESDAY, TEA)
    report = await lab.run(TUESDAY - timedelta(hours=20), TEA, *teas(10, 1))
    assert set(store.covered_at().values()) == {TUESDAY}
    assert any("before the last fetch" in note for note in report.notes)


async def test_a_coverage_of_a_time_to_come_is_corrected(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    await lab.run(MONDAY, TEA)
    await lab.run(MONDAY + timedelta(days=365), TEA)
    await lab.run(TUESDAY, TEA, *teas(10, 2))
    assert [ids for _, ids in lab.mails()][-1].split() == ["2606.00011", "2606.00010"]
    assert set(store.covered_at().values()) == {TUESDAY}


async def test_a_held_paper_comes_that_the_first_part_of_its_announcement_lacks(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    lab.source.lists_again = False
    await lab.run(MONDAY, TEA)
    lab.mails()
    evening = TUESDAY.replace(hour=0, minute=30)  # 20:30 in New York
    await lab.run(evening, TEA, *teas(900, 1))
    held = invented_paper("2606.00800", "Held tea", submitted="2026-01-10 10:00")
    await lab.run(TUESDAY, TEA, held, force=True)
    assert (ADA, held.id) in lab.mails()


async def test_old_papers_of_a_wider_search_hide_no_silence(store: SqliteStore) -> None:
    lab = Installation(store, make_subscriber(ADA, "tea"))
    papers = teas(1, 60, submitted=f"{MONDAY - timedelta(days=2):%F %R}")
    await lab.run(MONDAY, *papers)
    older = [invented_paper(f"2605.{n:05}", "Tea", submitted="2026-05-02 10:00") for n in range(1, 30)]
    report = await lab.run(TUESDAY, *papers, *older)
    assert any("no new papers" in error for error in report.errors), report

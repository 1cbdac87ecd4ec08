"""Papers come in the order in which a subscriber is likely to want them."""

from dataclasses import replace
from datetime import UTC, datetime

from digest.keywords.query import parse
from digest.model.digest import Digest, Entry, Hit
from digest.pipeline.compose import by_relevance, compose
from digest.pipeline.merge import merge
from tests.factories import invented_paper, make_subscriber

NOW = datetime(2026, 6, 16, 7, tzinfo=UTC)


def entry(number: int, title: str, *keywords: str, submitted: str = "2026-06-15 10:00") -> Entry:
    return Entry(
        paper=invented_paper(f"2606.{number:05}", title, submitted=submitted), keywords=tuple(keywords)
    )


def order(*entries: Entry) -> list[str]:
    queries = {keyword: parse(keyword) for one in entries for keyword in one.keywords}
    return [one.paper.id[-1] for one in by_relevance(entries, queries)]


def test_more_keywords_go_before_the_title_and_the_title_before_the_date() -> None:
    assert order(
        entry(1, "On nothing", "tea"),
        entry(2, "Teas and kettles", "tea", submitted="2026-06-01 10:00"),
        entry(3, "On nothing", "tea", "milk", submitted="2026-05-01 10:00"),
        entry(4, "Tea again", "tea"),
    ) == ["3", "4", "2", "1"]


def test_two_keywords_in_the_title_go_before_one() -> None:
    assert order(entry(2, "Tea", "tea", "milk"), entry(1, "Milk in tea", "tea", "milk")) == ["1", "2"]


def test_a_word_that_a_keyword_refuses_is_no_merit_in_a_title() -> None:
    assert order(entry(1, "Coffee", "tea ANDNOT (cat:cs.PL AND coffee)"), entry(2, "On nothing", "tea")) == [
        "2",
        "1",
    ]


def test_part_of_a_keyword_in_the_title_is_enough() -> None:
    keyword = "kettle AND tea AND cat:cs.LG"
    assert order(entry(2, "On nothing", keyword), entry(1, "Kettles", keyword)) == ["1", "2"]


def test_composing_and_merging_give_one_order() -> None:
    papers = tuple(
        invented_paper(f"2606.{number:05}", title) for number, title in enumerate(("Nothing", "Tea", "Void"))
    )
    key = parse("tea").key
    hits = [Hit(number=n, query_key=key, paper=paper, is_backlog=False) for n, paper in enumerate(papers)]
    whole = compose(make_subscriber("ada@example.org", "tea"), hits, planned_at=NOW, is_first=False)
    assert isinstance(whole, Digest)
    assert [one.paper.title for one in whole.entries] == ["Tea", "Void", "Nothing"]
    first, rest = replace(whole, entries=whole.entries[1:]), replace(whole, entries=whole.entries[:1])
    assert merge(rest, [first]) == merge(first, [rest]) == whole
    assert merge(replace(rest, keywords=("tea", "(")), [first]).entries == whole.entries

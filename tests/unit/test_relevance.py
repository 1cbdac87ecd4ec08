"""Papers come in the order in which a subscriber is likely to want them."""

from dataclasses import replace
from datetime import UTC, datetime

from digest.keywords.query import parse
from digest.model.digest import Digest, Entry, Hit, Outlook
from digest.model.paper import Paper
from digest.pipeline.compose import by_relevance, compose
from digest.pipeline.merge import merge
from digest.subscribers.subscriber import Keyword
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


def test_merged_names_are_those_of_today_and_former_ones_only_of_dropped_keywords() -> None:
    paper = invented_paper("2606.00001")
    former = digest_of("a", "b", "c", names=(("a", "A"), ("b", "B"), ("c", "New")), paper=paper)
    today = digest_of("a", "b", "d", names=(("a", "Other"), ("d", "new")), paper=paper)
    merged = merge(replace(today, length="full"), [replace(former, length="short")])
    assert merged.keywords == ("a", "b", "d", "c")
    assert merged.names == (("a", "Other"), ("d", "new"))
    assert merged.length == "full"
    assert merge(today, [replace(former, names=(("c", "C"),))]).names == (*today.names, ("c", "C"))


def test_what_is_to_come_is_said_by_the_first_mail_that_arrives() -> None:
    outlook = Outlook(papers_a_day=4, busiest=None, busiest_a_day=4, narrower=())
    paper = invented_paper("2606.00001")
    today = digest_of("tea", paper=paper)
    assert merge(today, [today]).outlook is None
    assert merge(today, [replace(today, is_first=True, outlook=outlook), today]).outlook == outlook


def digest_of(*keywords: str, paper: Paper, names: tuple[tuple[str, str], ...] = ()) -> Digest:
    return Digest(
        email="ada@example.org",
        name=None,
        planned_at=NOW,
        dated_on=NOW.date(),
        keywords=keywords,
        entries=(Entry(paper, keywords),),
        names=names,
    )


def test_a_digest_has_the_length_of_its_subscriber_and_the_names_of_keywords_that_are_not_muted() -> None:
    named = (
        Keyword(text="tea", query=parse("tea"), name="T"),
        Keyword(text="ox", query=parse("ox"), name="O"),
    )
    ada = replace(make_subscriber("ada@example.org", length="short"), keywords=named)
    hits = [Hit(number=1, query_key=parse("tea").key, paper=invented_paper("2606.00001"), is_backlog=False)]
    whole = compose(ada, hits, planned_at=NOW, is_first=False)
    heard = compose(replace(ada, muted=frozenset({parse("ox").key})), hits, planned_at=NOW, is_first=False)
    assert whole
    assert heard
    assert (whole.length, whole.names, heard.names) == ("short", (("tea", "T"), ("ox", "O")), (("tea", "T"),))

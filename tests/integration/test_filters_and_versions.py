"""What a subscriber is brought, held against a simple account of what they should be, over any history."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.package_data import templates_folder
from digest.mail.message import SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest
from digest.model.paper import ArxivId, Paper
from digest.pipeline.compose import compose
from digest.pipeline.compose_job import compose_due
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import DeliveryResult, Mailing, MailingState, Matched
from digest.subscribers.subscriber import Subscriber
from tests.examples import examples
from tests.factories import invented_paper, make_subscriber, moment
from tests.integration.installation import MONDAY, TUESDAY, WEDNESDAY, Installation
from tests.stores import news_of, served

NOW = moment("2026-06-16 07:00")
LONG_AGO = moment("2026-01-01 00:00")
EMAIL = "ada@example.org"
LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")
RENDERER = Renderer(templates_folder())

DAY = timedelta(days=1)

IDS = tuple(ArxivId(f"2606.0000{number}") for number in range(1, 7))
CATEGORIES = (("cs.LG", "stat.ML"), ("math.CO", "cs.LG"), ("stat.ML",))


def edition(place: int, version: int) -> Paper:
    """A version of the paper at that place of `IDS`; some versions turn into surveys."""
    survey = "a survey" if (place + version) % 3 == 0 else "no overview"
    title = f"Tea {'with milk ' if place % 2 else ''}and {survey}"
    categories = CATEGORIES[(place + version) % len(CATEGORIES)]
    return invented_paper(IDS[place], title, version=version, categories=categories)


def lets_through(subscriber: Subscriber, paper: Paper) -> bool:
    """The filters once more, as simple as they can be for these papers."""
    if subscriber.filters.exclude and "a survey" in paper.title:
        return False
    counting = paper.categories if subscriber.filters.crosslists else paper.categories[:1]
    return not subscriber.filters.categories or bool({"cs.LG", "math.CO"} & set(counting))


def has_filters(subscriber: Subscriber) -> bool:
    return bool(subscriber.filters.exclude or subscriber.filters.categories)


def settings_of(excludes: bool, chooses: bool, crosslists: bool, replacements: bool) -> Subscriber:
    return make_subscriber(
        EMAIL,
        "tea",
        "milk",
        exclude=("survey",) if excludes else (),
        categories=("cs.LG", "math.*") if chooses else (),
        crosslists=crosslists or not chooses,
        replacements="section" if replacements else "never",
    )


@dataclass(slots=True)
class Account:
    """What was seen and told so far; `last` is the newest version seen of each paper."""

    last: dict[ArxivId, Paper] = field(default_factory=dict)
    new: dict[ArxivId, Paper] = field(default_factory=dict)
    revised: dict[ArxivId, Paper] = field(default_factory=dict)
    told: dict[ArxivId, int] = field(default_factory=dict)
    served: set[ArxivId] = field(default_factory=set)
    # Papers that changed since the last digest, as they were before.
    changed: dict[ArxivId, Paper] = field(default_factory=dict)

    def see(self, paper: Paper) -> None:
        if paper.id not in self.last:
            self.last[paper.id] = self.new[paper.id] = paper
        elif paper.version > self.last[paper.id].version:
            self.changed.setdefault(paper.id, self.last[paper.id])
            self.last[paper.id] = self.revised[paper.id] = paper

    def enqueue(self, subscriber: Subscriber) -> tuple[set[Paper], set[tuple[Paper, int]]]:
        late = {
            id_: self.last[id_]
            for id_, before in self.changed.items()
            if id_ not in self.served
            and not lets_through(subscriber, before)
            and lets_through(subscriber, self.last[id_])
        }
        timely = {id_: paper for id_, paper in self.new.items() if lets_through(subscriber, paper)}
        entries = set({**timely, **late}.values())
        lines = {
            (paper, self.told[paper.id])
            for paper in self.revised.values()
            if subscriber.filters.replacements == "section"
            and paper.id in self.told
            and lets_through(subscriber, paper)
        }
        self.new.clear()
        self.revised.clear()
        self.changed.clear()
        return entries, lines


Step: TypeAlias = tuple[str, object]

_fetches = st.lists(st.tuples(st.integers(0, len(IDS) - 1), st.integers(1, 4)), max_size=6)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("fetch"), _fetches),
        st.tuples(
            st.just("change"),
            st.builds(settings_of, *[st.booleans()] * 3, st.sampled_from([True, True, False])),
        ),
        st.tuples(st.just("enqueue"), st.booleans()),
        st.tuples(st.just("enqueue"), st.just(False)),
    ),
    max_size=14,
)


class Reports:
    """A store through any steps, and the account kept beside it. Each step opens the state file anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.account = Account()
        self.subscriber = settings_of(False, False, True, True)
        self._write([], self.subscriber)

    def _write(self, papers: list[Paper], subscriber: Subscriber) -> None:
        keys = {keyword.text: keyword.query.key for keyword in subscriber.keywords}
        matched = [
            Matched(paper=paper, query_keys=(keys["tea"], *([keys["milk"]] if "milk" in paper.title else [])))
            for paper in papers
        ]
        with SqliteStore(self.path) as store:
            store.enrol([subscriber], now=NOW, current_since=NOW)
            store.record(matched, covered=dict.fromkeys(keys.values(), NOW), now=NOW)

    def fetch(self, found: list[tuple[int, int]]) -> None:
        papers = [edition(place, version) for place, version in found]
        self._write(papers, self.subscriber)
        for paper in papers:
            self.account.see(paper)
        if not has_filters(self.subscriber):
            self.account.changed.clear()

    def change(self, subscriber: Subscriber) -> None:
        if self.subscriber.filters.replacements != subscriber.filters.replacements:
            self.account.revised.clear()
        if has_filters(self.subscriber) != has_filters(subscriber):
            self.account.changed.clear()
        self.subscriber = subscriber
        self._write([], subscriber)

    def enqueue(self, fails: bool) -> None:
        entries, lines = self.account.enqueue(self.subscriber)
        with SqliteStore(self.path) as store:
            compose_due(store, [self.subscriber], lambda *_: NOW, backlog_since=LONG_AGO)
        with SqliteStore(self.path) as store:
            mailings = store.claim(now=NOW, until=NOW, limit=5)
            digests = [mailing.digest for mailing in mailings]
            assert {entry.paper for digest in digests for entry in digest.entries} == entries
            assert {(one.paper, one.from_version) for digest in digests for one in digest.revisions} == lines
            assert len(digests) == bool(entries or lines)
            for mailing in mailings:
                state = MailingState.FAILED if fails else MailingState.SENT
                conclusion = DeliveryResult(number=mailing.number, state=state, reply="so be it")
                store.record_results([conclusion], now=NOW)
        brought = {paper.id for paper in entries}
        assert not brought & self.account.served
        self.account.served |= brought
        if not fails:
            shown = (*entries, *(paper for paper, _ in lines))
            self.account.told |= {paper.id: paper.version for paper in shown}


@examples(60)
@given(steps=_steps)
def test_over_any_history_each_paper_comes_once_and_each_new_version_in_one_line(steps: list[Step]) -> None:
    with TemporaryDirectory() as folder:
        history = Reports(Path(folder, "digest.db"))
        for name, value in [*steps, ("enqueue", False)]:
            getattr(history, name)(value)


def written(mailing: Mailing) -> bytes:
    return Writer(RENDERER, LETTERHEAD).write(mailing).message


def test_a_digest_with_new_versions_is_the_same_bytes_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    ada = make_subscriber(EMAIL, "tea", replacements="section")
    (key,) = (keyword.query.key for keyword in ada.keywords)

    def fetch(store: SqliteStore, *papers: Paper) -> None:
        store.record([Matched(paper=one, query_keys=(key,)) for one in papers], covered={key: NOW}, now=NOW)

    def composed(store: SqliteStore) -> Digest:
        news = news_of(store, EMAIL, LONG_AGO)
        digest = compose(ada, news.hits, planned_at=NOW, is_first=False, revisions=news.revisions)
        assert digest
        store.enqueue([served(news, digest, now=NOW)])
        return digest

    with SqliteStore(path) as store:
        store.enrol([ada], now=NOW, current_since=NOW)
        fetch(store, edition(0, 1))
        composed(store)
        fetch(store, edition(0, 2), edition(1, 1))
        digest = composed(store)
        first, before = store.claim(now=NOW, until=NOW, limit=5)
        store.release([first.number, before.number], now=NOW)
        fetch(store, replace(edition(0, 2), title="Edited since"), edition(0, 3))
    assert digest.revisions
    with SqliteStore(path) as store:
        _, after = store.claim(now=NOW, until=NOW, limit=5)
    assert after.digest == digest
    assert written(after) == written(before)


# Over whole cycles.

TEA = invented_paper(
    "2606.00001", "Tea leaves", categories=("math.CO", "cs.LG"), submitted="2026-06-11 10:00"
)
SURVEY = invented_paper("2606.00002", "A survey of tea", categories=("cs.LG",), submitted="2026-06-12 10:00")
OTHER = invented_paper("2606.00003", "Tea again", categories=("cs.LG",), submitted="2026-06-13 10:00")


@pytest.fixture
def lab(store: SqliteStore) -> Installation:
    return Installation(store)


async def mailed(lab: Installation, now: datetime, subscriber: Subscriber, *papers: Paper) -> list[str]:
    """The ids in the one mail, if there is one, after a cycle in which arXiv has these papers."""
    lab.subscribers = (subscriber,)
    await lab.run(now, *papers)
    return [id_ for _, ids in lab.mails() for id_ in ids.split()]


@pytest.mark.parametrize(
    ("subscriber", "expected"),
    [
        (make_subscriber(EMAIL, "tea", exclude=("survey",)), [OTHER, TEA]),
        (make_subscriber(EMAIL, "tea", exclude=("surveys AND leaves",)), [OTHER, SURVEY, TEA]),
        (make_subscriber(EMAIL, "tea", "survey", exclude=("survey of tea",)), [OTHER, TEA]),
        (make_subscriber(EMAIL, "tea", categories=("math.*",)), [TEA]),
        (make_subscriber(EMAIL, "tea", categories=("cs.LG",)), [OTHER, SURVEY, TEA]),
        (make_subscriber(EMAIL, "tea", categories=("cs.LG",), crosslists=False), [OTHER, SURVEY]),
        (make_subscriber(EMAIL, "tea", categories=("cs.*",), exclude=("again",)), [SURVEY, TEA]),
    ],
)
async def test_a_subscriber_gets_what_their_filters_let_through(
    lab: Installation, subscriber: Subscriber, expected: list[Paper]
) -> None:
    found = await mailed(lab, MONDAY, subscriber, TEA, SURVEY, OTHER)
    assert found == [paper.id for paper in expected]


@pytest.mark.parametrize(
    "narrow",
    [
        make_subscriber(EMAIL, "tea", exclude=("survey", "leaves")),
        make_subscriber(EMAIL, "tea", categories=("cs.LG",), crosslists=False, exclude=("survey",)),
    ],
)
async def test_wider_filters_bring_no_backlog(lab: Installation, narrow: Subscriber) -> None:
    assert await mailed(lab, MONDAY, narrow, TEA, SURVEY, OTHER) == [OTHER.id]
    assert await mailed(lab, TUESDAY, make_subscriber(EMAIL, "tea", "survey"), TEA, SURVEY, OTHER) == []


async def test_what_was_refused_counts_as_seen_even_if_there_was_no_digest(lab: Installation) -> None:
    assert await mailed(lab, MONDAY, make_subscriber(EMAIL, "tea", exclude=("survey",)), SURVEY) == []
    assert await mailed(lab, TUESDAY, make_subscriber(EMAIL, "tea"), SURVEY) == []
    assert await mailed(lab, WEDNESDAY, make_subscriber(EMAIL, "tea"), SURVEY, TEA) == [TEA.id]


async def test_refused_papers_take_no_places_in_the_first_digest(lab: Installation) -> None:
    old = [invented_paper(f"2606.{n:05}", "Tea", submitted="2026-06-10 10:00") for n in range(1, 16)]
    new = [
        invented_paper(f"2606.{n:05}", "A survey of tea", submitted="2026-06-12 10:00") for n in range(16, 31)
    ]
    found = await mailed(lab, MONDAY, make_subscriber(EMAIL, "tea", exclude=("survey",)), *old, *new)
    assert len(found) == 10
    assert set(found) <= {paper.id for paper in old}


async def test_filters_hold_for_new_versions_too(lab: Installation) -> None:
    asking = make_subscriber(EMAIL, "tea", exclude=("survey",), replacements="section")
    assert await mailed(lab, MONDAY, asking, TEA) == [TEA.id]
    lab.source.papers = (replace(TEA, version=2, title="Tea leaves, a survey"),)
    assert (await lab.run(TUESDAY)).digests_sent == 0
    lab.source.papers = (replace(TEA, version=3),)
    assert (await lab.run(WEDNESDAY)).digests_sent == 1


async def test_a_refused_paper_of_the_past_does_not_come_when_its_text_passes(lab: Installation) -> None:
    choosy = make_subscriber(EMAIL, "tea", exclude=("survey",))
    past = replace(SURVEY, id=ArxivId("2605.00001"), submitted_at=MONDAY - 40 * DAY)
    assert await mailed(lab, MONDAY, choosy, OTHER) == [OTHER.id]
    assert await mailed(lab, TUESDAY, choosy, past, OTHER) == []
    assert await mailed(lab, WEDNESDAY, choosy, replace(past, title="On tea"), OTHER) == []


async def test_a_paper_that_was_seen_elsewhere_does_not_come_when_its_text_passes(lab: Installation) -> None:
    choosy = make_subscriber(EMAIL, "tea", exclude=("survey",))
    assert await mailed(lab, MONDAY, choosy, OTHER) == [OTHER.id]
    lab.store.count_as_seen(EMAIL, [SURVEY.id])
    assert await mailed(lab, TUESDAY, choosy, SURVEY, OTHER) == []
    assert await mailed(lab, WEDNESDAY, choosy, replace(SURVEY, title="On tea"), OTHER) == []


async def test_new_versions_alone_make_a_digest_for_those_who_ask_for_them(lab: Installation) -> None:
    asking, other = (
        make_subscriber(EMAIL, "tea", replacements="section"),
        make_subscriber("bo@example.org", "tea"),
    )
    lab.subscribers = (asking, other)
    await lab.run(MONDAY, TEA, OTHER)
    lab.mails()
    revised = replace(TEA, version=2)
    report = await lab.run(TUESDAY, revised, OTHER)
    assert (report.papers_new, report.digests_sent, report.subscribers_nothing_new) == (0, 1, 1)
    assert lab.mails() == [(EMAIL, "")]
    report = await lab.run(WEDNESDAY, revised, OTHER)
    assert (report.digests_sent, report.subscribers_nothing_new) == (0, 2)

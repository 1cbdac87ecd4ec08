"""The same history twice: with papers put away after each step, and without."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.paper import Paper
from digest.pipeline.compose import compose
from digest.storage.sqlite import editions
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import MailingState, Matched, SubscriberStatus
from tests.examples import examples
from tests.factories import invented_paper, make_subscriber, moment
from tests.stores import LONG_AGO, claim, key, news_of, record_results, served

if TYPE_CHECKING:
    from digest.subscribers.subscriber import Subscriber

DAY = timedelta(days=1)
LOOKBACK = 16 * DAY
SPRING = moment("2026-03-02 07:00")
EMAILS = ("ada@example.org", "bo@example.org", "cy@example.org")
WORDS = ("tea", "milk", "salt")
Step: TypeAlias = tuple[str, object]

_papers = st.tuples(st.integers(0, 4), st.integers(1, 3), st.sets(st.sampled_from(WORDS), min_size=1))
_words = st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS), st.booleans())
_followed = st.lists(_words | st.none(), min_size=3, max_size=3)
_who = st.sampled_from(EMAILS)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("fetch"), st.lists(_papers, min_size=2, max_size=6)),
        st.tuples(st.just("fetch"), st.lists(_papers, min_size=2, max_size=6)),
        st.tuples(st.just("follow"), _followed),
        st.tuples(st.just("enqueue"), _who),
        st.tuples(st.just("enqueue"), st.just(EMAILS[0])),
        st.tuples(st.just("wait"), st.sampled_from([1, 10, 50])),
        st.tuples(st.just("suppress"), _who),
        st.tuples(st.just("resume"), _who),
        st.tuples(st.just("deliver"), st.sampled_from([MailingState.SENT, MailingState.FAILED])),
    ),
    min_size=25,
    max_size=40,
)


def edition(place: int, version: int) -> Paper:
    """Submitted ten days after the last one; every third is without a time."""
    submitted_at = SPRING + place * 10 * DAY
    paper = dated(place, submitted_at, version)
    return paper if place % 3 else replace(paper, submitted_at=None)


def dated(place: int, submitted_at: datetime, version: int = 1) -> Paper:
    arxiv_id = f"{submitted_at:%y%m}.{place:05}"
    return invented_paper(arxiv_id, version=version, submitted=f"{submitted_at:%F %H:%M}")


class Twins:
    """Two stores through the same steps; after each the second puts away all that it can."""

    def __init__(self, folder: Path) -> None:
        self.plain = SqliteStore(folder / "plain.db")
        self.shelved = SqliteStore(folder / "shelved.db")
        self.stores = (self.plain, self.shelved)
        self.now = SPRING
        self.fetches = 0
        self.subscribers: dict[str, Subscriber] = {}
        self.follow([("tea", "milk", True), ("tea", "tea", False), None])

    def close(self) -> None:
        for store in self.stores:
            store.close()

    def fetch(self, found: list[tuple[int, int, set[str]]]) -> None:
        """Of the keywords that are followed, as a fetch does; and one paper of today, for somebody else."""
        keys = {keyword.query.key for one in self.subscribers.values() for keyword in one.keywords}
        matched = [
            Matched(paper=edition(place, version), query_keys=tuple(sorted(keys & set(map(key, words)))))
            for place, version, words in found
            if SPRING + place * 10 * DAY <= self.now
        ]
        self.fetches += 1
        today = Matched(paper=dated(90_000 + self.fetches, self.now), query_keys=(key("last"),))
        some = [*(one for one in matched if one.query_keys), today]
        counts = {
            store.record(some, covered=dict.fromkeys(keys, self.now), now=self.now) for store in self.stores
        }
        assert len(counts) == 1

    def follow(self, followed: list[tuple[str, str, bool] | None]) -> None:
        self.subscribers = {
            email: make_subscriber(
                email, *sorted({one[0], one[1]}), replacements="section" if one[2] else "never"
            )
            for email, one in zip(EMAILS, followed, strict=True)
            if one
        }
        for store in self.stores:
            everybody = (*self.subscribers.values(), make_subscriber("zoe@example.org", "last"))
            store.enrol(everybody, now=self.now, current_since=self.now - 3 * DAY)

    def wait(self, days: int) -> None:
        self.now += days * DAY

    def suppress(self, email: str) -> None:
        for store in self.stores:
            store.suppress(email, cause="550", now=self.now)

    def resume(self, email: str) -> None:
        for store in self.stores:
            store.resume(email, now=self.now)

    def enqueue(self, email: str) -> None:
        if email not in self.subscribers or self.subscriber_statuses(self.plain)[email].is_suppressed:
            return
        for store in self.stores:
            news = news_of(store, email, self.now - LOOKBACK)
            digest = compose(
                self.subscribers[email],
                news.hits,
                planned_at=self.now,
                is_first=False,
                revisions=news.revisions,
            )
            store.enqueue([served(news, digest, now=self.now)])

    def deliver(self, state: MailingState) -> None:
        plain, shelved = (claim(store, now=self.now, limit=2) for store in self.stores)
        assert [mailing.digest for mailing in plain] == [mailing.digest for mailing in shelved]
        for store, mailings in zip(self.stores, (plain, shelved), strict=True):
            for mailing in mailings:
                record_results(store, mailing, state, "so be it")

    def subscriber_statuses(self, store: SqliteStore) -> dict[str, SubscriberStatus]:
        return dict(store.subscriber_statuses(EMAILS))

    def compare(self) -> None:
        while self.shelved.archive(now=self.now, lookback=LOOKBACK):
            pass
        assert self.subscriber_statuses(self.plain) == self.subscriber_statuses(self.shelved)
        for since in (self.now - LOOKBACK, LONG_AGO):
            assert self.plain.recent_hits(since=since) == self.shelved.recent_hits(since=since)
        for keyword in WORDS:
            for limit in (1, 100):
                first, second = (store.newest_papers(key(keyword), limit=limit) for store in self.stores)
                assert first == second
        for email in self.subscribers:
            plain, shelved = (news_of(store, email, self.now - LOOKBACK) for store in self.stores)
            assert (plain.hits, plain.frontier, plain.revisions) == (
                shelved.hits,
                shelved.frontier,
                shelved.revisions,
            )
            assert [one.digest for one in plain.undelivered] == [one.digest for one in shelved.undelivered]


@pytest.fixture(autouse=True)
def _one_place_to_a_shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editions, "PLACES", 1)


@examples(60)
@given(steps=_steps)
def test_over_any_history_putting_papers_away_changes_nothing(steps: list[Step]) -> None:
    with TemporaryDirectory() as folder, closing(Twins(Path(folder))) as twins:
        for name, value in steps:
            getattr(twins, name)(value)
            twins.compare()

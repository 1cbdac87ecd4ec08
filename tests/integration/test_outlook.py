"""The first digest says what is to come, by announcements that were fetched as a whole."""

from dataclasses import replace
from datetime import datetime

from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.model.digest import Digest, Outlook
from digest.model.paper import Paper
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber, moment
from tests.integration.installation import MONDAY, TUESDAY, Installation, plain
from tests.stores import key

ADA, BO = "ada@example.org", "bo@example.org"
DAYS = (2, 3, 4, 5, 8, 9, 10, 11, 12)
"""Days of June 2026, all that the first fetch covers: the papers of each come with one announcement."""


def daily(*titles: str, days: tuple[int, ...] = DAYS, first: int = 1) -> list[Paper]:
    """A paper of each title on each day."""
    numbers = iter(range(first, 90_000))
    return [
        invented_paper(f"2606.{next(numbers):05}", title, submitted=f"2026-06-{day:02} 10:00")
        for day in days
        for title in titles
    ]


class Lab(Installation):
    """An installation that keeps the digests which it mails."""

    def __init__(self, store: SqliteStore, *subscribers: Subscriber) -> None:
        super().__init__(store, *subscribers)
        self.digests: list[Digest] = []
        self.write = self._write

    def _write(self, mailing: Mailing) -> Outgoing:
        self.digests.append(mailing.digest)
        return plain(mailing)


async def outlook(
    store: SqliteStore, subscriber: Subscriber, *papers: Paper, now: datetime = MONDAY
) -> Outlook | None:
    lab = Lab(store, subscriber)
    await lab.run(now, *papers)
    (digest,) = lab.digests
    assert digest.is_first
    return digest.outlook


async def test_the_first_digest_says_how_many_papers_a_day_are_to_come(store: SqliteStore) -> None:
    papers = daily("Tea", "Tea too", "Tea and milk", "Milk", "Water")
    ada = make_subscriber(ADA, "tea", "milk", "cocoa")
    expected = Outlook(papers_a_day=4, busiest="tea", busiest_a_day=3, narrower=())
    assert await outlook(store, ada, *papers) == expected


async def test_only_the_first_digest_says_so_and_of_one_keyword_none_is_the_busiest(
    store: SqliteStore,
) -> None:
    lab = Lab(store, make_subscriber(ADA, "tea"))
    await lab.run(MONDAY, *daily("Tea"))
    await lab.run(TUESDAY, *daily("Tea"), *daily("Late tea", days=(15,), first=900))
    first, second = (digest.outlook for digest in lab.digests)
    assert first == Outlook(papers_a_day=1, busiest=None, busiest_a_day=1, narrower=())
    assert second is None


async def test_what_was_not_fetched_as_a_whole_does_not_count(store: SqliteStore) -> None:
    """Half of 1 June's announcement lies before the look-back; that of 15 June is minutes old."""
    edges = [*daily(*["Tea"] * 50, days=(1,), first=1), *daily(*["Tea"] * 50, days=(15,), first=500)]
    papers = [*daily("Tea", first=100), *edges]
    now = moment("2026-06-16 00:10")
    found = await outlook(store, make_subscriber(ADA, "tea"), *papers, now=now)
    assert found
    assert found.papers_a_day == 1


async def test_filters_and_muted_keywords_count(store: SqliteStore) -> None:
    papers = daily("Tea", "Tea survey", "Milk", "Milk and water")
    ada = make_subscriber(ADA, "tea", "milk", exclude=("survey",))
    ada = replace(ada, muted=frozenset({key("milk")}))
    found = await outlook(store, ada, *papers)
    assert found == Outlook(papers_a_day=1, busiest=None, busiest_a_day=1, narrower=())


async def test_a_paper_that_is_known_from_elsewhere_counts_as_one_to_expect(store: SqliteStore) -> None:
    papers = daily("Tea", "Tea")
    store.count_as_seen(ADA, [paper.id for paper in papers[1:]])
    found = await outlook(store, make_subscriber(ADA, "tea"), *papers)
    assert found
    assert found.papers_a_day == 2


async def test_for_very_many_papers_narrower_keywords_are_named(store: SqliteStore) -> None:
    titles = [*["Tea leaves pressed"] * 8, *["Tea with honey"] * 6, *[f"Tea {n}" for n in range(16)]]
    found = await outlook(store, make_subscriber(ADA, "tea", "milk"), *daily(*titles, "Milk"))
    assert found
    assert (found.papers_a_day, found.busiest, found.busiest_a_day) == (31, "tea", 30)
    assert found.narrower == (('tea AND "leaves pressed"', 8), ("tea AND honey", 6))


async def test_of_a_keyword_that_others_followed_all_is_known_and_with_few_days_nothing_is_said(
    store: SqliteStore,
) -> None:
    bo = make_subscriber(BO, "milk")
    lab = Lab(store, bo)
    await lab.run(MONDAY, *daily("Tea", "Milk"))
    lab.digests.clear()
    lab.lookback = lab.lookback / 4
    lab.subscribers = (bo, make_subscriber(ADA, "tea"))
    await lab.run(TUESDAY, *daily("Tea", "Milk"), *daily("Tea", days=(15,), first=900))
    (digest,) = lab.digests
    assert (digest.email, digest.is_first, digest.outlook) == (ADA, True, None)


async def test_a_first_digest_that_did_not_arrive_hands_it_on(store: SqliteStore) -> None:
    lab = Lab(store, make_subscriber(ADA, "tea"))
    lab.transport.answer = lambda mail: Receipt(outcome=Outcome.DEFERRED, reply="451 later")
    await lab.run(MONDAY, *daily("Tea"))
    await lab.run(TUESDAY, *daily("Tea"), *daily("Tea", days=(15,), first=900))
    first, *_, merged = lab.digests
    assert first.outlook
    assert merged.outlook == first.outlook
    assert len(merged.entries) > len(first.entries)

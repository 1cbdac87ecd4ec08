"""Where a mailing leads: the same each time, and without a look at the state for each subscriber."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from digest.mail.links import NO_LINKS, LinkBuilder, links_for
from digest.model.digest import Digest
from digest.model.paper import ArxivId
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing, Pages
from tests.factories import make_subscriber, moment

NOW = moment("2026-06-16 07:00")


class CountingStore(SqliteStore):
    """Knows which keywords it was asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[set[str]] = []

    def keyword_tokens(self, keys: Mapping[str, str], *, make: bool = True) -> Mapping[str, str]:
        self.asked.append(set(keys))
        return super().keyword_tokens(keys, make=make)


PAGES = Pages(leave="L", subscriber="R", digest="D", interest="I")


def mailing(*keywords: str, pages: Pages | None = PAGES) -> Mailing:
    digest = Digest(
        email="ada@example.org",
        name=None,
        planned_at=NOW,
        dated_on=NOW.date(),
        keywords=keywords,
        entries=(),
    )
    return Mailing(number=1, token="m1", attempts=0, digest=digest, pages=pages)


def test_a_mailing_leads_to_its_pages_and_to_those_of_its_keywords(tmp_path: Path) -> None:
    with CountingStore(tmp_path / "digest.db") as store:
        store.enrol([make_subscriber("ada@example.org", "tea", "milk")], now=NOW, current_since=NOW)
        links = links_for("https://d.example.org/lab", store)(mailing("tea", "milk"))
        assert links.unsubscribe == "https://d.example.org/lab/u/L"
        assert links.manage == "https://d.example.org/lab/p/R"
        assert links.online == "https://d.example.org/lab/d/D"
        assert links.judging == "https://d.example.org/lab/i/I"
        assert links.more_like(ArxivId("2606.00001")) == "https://d.example.org/lab/i/I/more/2606.00001"
        assert links.less_like(ArxivId("math/0309136")) == "https://d.example.org/lab/i/I/less/math/0309136"
        assert links.keyword_pages
        assert set(links.keyword_pages) == {"tea", "milk"}
        assert links == links_for("https://d.example.org/lab", store)(mailing("tea", "milk"))


def test_each_keyword_is_looked_up_once(tmp_path: Path) -> None:
    with CountingStore(tmp_path / "digest.db") as store:
        store.enrol([make_subscriber("ada@example.org", "tea", "milk")], now=NOW, current_since=NOW)
        builder = LinkBuilder("https://d.example.org", store)
        first = builder.links(mailing("tea"))
        for _ in range(50):
            assert builder.links(mailing("tea")) == first
        builder.links(mailing("tea", "milk"))
        assert store.asked == [{"tea"}, {"milk"}]


def test_a_keyword_of_an_older_language_or_that_nobody_follows_has_no_page(tmp_path: Path) -> None:
    with CountingStore(tmp_path / "digest.db") as store:
        store.enrol([make_subscriber("ada@example.org", "tea")], now=NOW, current_since=NOW)
        pages = LinkBuilder("https://d.example.org", store).keyword_pages(("tea", "(broken", "coffee"))
        assert set(pages) == {"tea"}


def test_without_a_base_address_or_pages_a_mailing_leads_nowhere(tmp_path: Path) -> None:
    with CountingStore(tmp_path / "digest.db") as store:
        assert links_for(None, store)(mailing("tea")) == NO_LINKS
        assert links_for("https://d.example.org", store)(replace(mailing("tea"), pages=None)) == NO_LINKS

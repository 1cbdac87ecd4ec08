"""An arXiv in memory: what was announced when, and the documents its three interfaces give at a moment."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from operator import itemgetter
from random import Random
from typing import TYPE_CHECKING, TypeVar, cast
from zoneinfo import ZoneInfo

from digest.demo.search_syntax import parse_search
from digest.errors import Unreachable
from digest.model.paper import ArxivId, Paper
from digest.sources.arxiv.calendar import announcements_between
from digest.sources.arxiv.daily_feed import DailyFeed
from digest.sources.arxiv.oai_pmh import OaiPmh
from digest.sources.arxiv.search_api import SearchApi
from digest.sources.base import Source
from tests.integration.arxiv_harvest_server import (
    RESPONDED_AT,
    daily_feed,
    feed_entry,
    oai_error,
    raw_record,
    record_page,
    versions_of,
)
from tests.integration.arxiv_server import entry, feed

if TYPE_CHECKING:
    from digest.sources.http_client import PoliteClient

KEYWORDS = ("gnome", "kettle", "lantern", "walrus")
UNWANTED = "turnip"
CATEGORIES = ("cs.LG", "math.CO", "hep-th")

DAY = timedelta(days=1)
SHOWN_WITHIN = timedelta(hours=4)
"""How long after an announcement the last of the interfaces shows it: the feed, from midnight on."""

EASTERN = ZoneInfo("America/New_York")
_BEFORE = 60 * DAY
# From submission to announcement, docs/arxiv.md: the rest are held back for moderation.
_LAGS = (*(1,) * 52, *(2,) * 23, *(3,) * 13, *(4,) * 9, 5, 9, 14, 17, 67)
_OLD_IDS = ("math/0309136", "hep-th/9901001", "1503.01234", "2001.00042")
_WINDOW = re.compile(r"submittedDate:\[(\d{12}) TO (\d{12})\]")
_API, _OAI, _FEED = "http://api", "http://oai", "http://feed"
URLS = {"search API": _API, "OAI-PMH": _OAI, "daily feed": _FEED}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A paper as it is from `at` on, when arXiv announced it. `lag`: how long the search index takes."""

    at: datetime
    version: int
    words: frozenset[str]
    categories: tuple[str, ...]
    lag: timedelta
    is_listed: bool = True

    @property
    def datestamp(self) -> date:
        return (self.at + timedelta(hours=2, minutes=30)).astimezone(UTC).date()

    @property
    def title(self) -> str:
        return "On " + " and ".join(sorted(self.words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A paper with all that becomes of it; the first edition is its announcement."""

    id: str
    submitted_at: datetime
    editions: tuple[Edition, ...]

    @property
    def announced_at(self) -> datetime:
        return self.editions[0].at

    def paper(self, edition: Edition) -> Paper:
        return Paper(
            id=ArxivId(self.id),
            version=edition.version,
            title=edition.title,
            abstract="",
            authors=("Ada Example",),
            categories=edition.categories,
            submitted_at=self.submitted_at,
        )

    def known(self, shown: "Callable[[Edition], datetime]", at: datetime) -> tuple[Edition, ...]:
        return tuple(one for one in self.editions if shown(one) <= at)


@dataclass(frozen=True, kw_only=True)
class World:
    """All that arXiv announces from some weeks before `start` until `end`, as `seed` has it.

    `density` is about how many papers an announcement has; the evenings of `left_out`, by their number after
    `start`, bring nothing, and the next one brings it. None is left out after `calm_from`.
    """

    seed: int
    start: datetime
    calm_from: datetime
    end: datetime
    density: int
    left_out: frozenset[int] = frozenset()

    @cached_property
    def evenings(self) -> tuple[datetime, ...]:
        planned = announcements_between(self.start - _BEFORE, self.end)
        left = [at for at in planned if self.start < at < self.calm_from]
        return tuple(at for at in planned if not (at in left and left.index(at) in self.left_out))

    @cached_property
    def items(self) -> tuple[Item, ...]:
        chance = Random(self.seed)
        items: list[Item] = []
        numbers: dict[str, int] = {}
        for number, at in enumerate(self.evenings):
            month = f"{(at + SHOWN_WITHIN).astimezone(EASTERN):%y%m}"
            later = self.evenings[number + 1 :]
            for place in range(len(CATEGORIES) + chance.randrange(2 * self.density)):
                numbers[month] = numbers.get(month, chance.randrange(100)) + 1
                primary = CATEGORIES[place % len(CATEGORIES)]
                items.append(_invented(chance, f"{month}.{numbers[month]:05}", primary, at, later))
        for arxiv_id in _OLD_IDS:
            at = chance.choice(self.evenings)
            long_ago = self.start - 800 * DAY
            primary = chance.choice(CATEGORIES)
            editions = (_edition(chance, primary, long_ago), _edition(chance, primary, at, 2, every=True))
            items.append(Item(id=arxiv_id, submitted_at=long_ago, editions=editions))
        return tuple(items)

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        return {item.id: item for item in self.items}

    def sources(self, names: Collection[str], client: "Client") -> tuple[Source, ...]:
        """The real ones, over documents that are made in memory."""
        polite = cast("PoliteClient", client)
        found: tuple[Source, ...] = (SearchApi(polite, _API), OaiPmh(polite, _OAI), DailyFeed(polite, _FEED))
        return tuple(source for source in found if source.name in names)


def _invented(chance: Random, arxiv_id: str, primary: str, at: datetime, later: tuple[datetime, ...]) -> Item:
    submitted_at = at - chance.choice(_LAGS) * DAY + timedelta(seconds=chance.randrange(-14_000, 43_000))
    editions = [_edition(chance, primary, at)]
    while later and chance.random() < 0.25:
        again = chance.choice(later[:12])
        if again > editions[-1].at:
            editions.append(_changed(chance, editions[-1], again))
    return Item(
        id=arxiv_id, submitted_at=min(submitted_at, at - timedelta(hours=6)), editions=tuple(editions)
    )


def _edition(chance: Random, primary: str, at: datetime, version: int = 1, *, every: bool = False) -> Edition:
    words = {word for word in KEYWORDS if every or chance.random() < 0.3}
    cross = chance.choice(CATEGORIES)
    return Edition(
        at=at,
        version=version,
        words=frozenset({*words, "nothing", *([UNWANTED] if chance.random() < 0.3 else [])}),
        categories=tuple(dict.fromkeys((primary, cross if chance.random() < 0.4 else primary))),
        lag=timedelta(minutes=chance.randrange(180)),
    )


def _changed(chance: Random, before: Edition, at: datetime) -> Edition:
    """A new version, or a cross-list or an edit of the text that leaves the version as it was.

    No keyword goes: arXiv's search would not list the paper any more, and too many of those are a sign that
    an answer is false.
    """
    words, categories = before.words, before.categories
    if chance.random() < 0.5:
        words |= {chance.choice(KEYWORDS)}
    if chance.random() < 0.5:
        words ^= {UNWANTED}
    if chance.random() < 0.5:
        categories = tuple(dict.fromkeys((*categories, chance.choice(CATEGORIES))))
    is_version = chance.random() < 0.5
    return Edition(
        at=at,
        version=before.version + is_version,
        words=words,
        categories=categories,
        lag=timedelta(minutes=chance.randrange(180)),
        is_listed=is_version,
    )


@dataclass(slots=True)
class Client:
    """Answers as arXiv does at `now`, but for the `faults` of its interfaces, by the names of the sources."""

    world: World
    now: datetime
    faults: Mapping[str, str] = field(default_factory=dict)
    requests: int = 0

    async def ask(self, url: str, fields: Mapping[str, str], understand: Callable[[bytes], _T]) -> _T:
        name = next(name for name, base in URLS.items() if url.startswith(base))
        fault = self.faults.get(name, "")
        if fault == "down":
            raise Unreachable(url, "invented")
        made = {_API: self._found, _OAI: self._changed}
        answer = made.get(URLS[name], self._listed)
        at = self.now - DAY if fault == "stale" else self.now
        return understand(answer({**fields, "url": url}, at, fault == "empty").encode())

    def _found(self, fields: Mapping[str, str], at: datetime, is_empty: bool) -> str:
        text = fields["search_query"]
        window = _WINDOW.search(text)
        assert window is not None
        low, high = (datetime.strptime(end, "%Y%m%d%H%M").replace(tzinfo=UTC) for end in window.groups())
        is_found = parse_search(text)
        found = []
        for item in self.world.items if not is_empty else ():
            editions = item.known(lambda one: one.at + one.lag, at)
            if low <= item.submitted_at <= high and editions and is_found(item.paper(editions[-1])):
                found.append((item.submitted_at, item.id, editions[-1]))
        entries = [
            entry(
                f"{arxiv_id}v{one.version}",
                title=one.title,
                abstract="",
                categories=one.categories,
                submitted_at=submitted_at,
            )
            for submitted_at, arxiv_id, one in sorted(found, key=itemgetter(0, 1), reverse=True)
        ]
        return feed(*entries, made_at=f"{self.now:%FT%TZ}")

    def _changed(self, fields: Mapping[str, str], at: datetime, is_empty: bool) -> str:
        first = date.fromisoformat(fields["from"])
        records = []
        for item in self.world.items if not is_empty else ():
            editions = item.known(lambda one: one.at + timedelta(hours=2, minutes=30), at)
            if not editions or editions[-1].datestamp < first:
                continue
            received = [item.submitted_at]
            received += [
                next(one.at - DAY for one in editions if one.version >= version)
                for version in range(2, editions[-1].version + 1)
            ]
            records.append(
                raw_record(
                    item.id,
                    title=editions[-1].title,
                    abstract="",
                    categories=" ".join(editions[-1].categories),
                    versions=versions_of(*(f"{one:%a, %d %b %Y %H:%M:%S} GMT" for one in received)),
                    datestamp=f"{editions[-1].datestamp}",
                )
            )
        page = record_page(*records) if records else oai_error("noRecordsMatch")
        return page.replace(RESPONDED_AT, f"{self.now:%FT%TZ}")

    def _listed(self, fields: Mapping[str, str], at: datetime, is_empty: bool) -> str:
        archives = fields["url"].rpartition("/")[2].split("+")
        today = at.astimezone(EASTERN).date()
        entries = []
        for item in self.world.items if not is_empty else ():
            for before, one in zip((None, *item.editions), item.editions, strict=False):
                is_inside = [code.partition(".")[0] in archives for code in one.categories]
                kind = _announce_type(before, one, is_primary=is_inside[0])
                is_of_today = one.at.astimezone(EASTERN).date() + DAY == today and one.at <= at
                if is_of_today and any(is_inside) and kind:
                    entries.append(
                        feed_entry(
                            f"{item.id}v{one.version}",
                            kind=kind,
                            title=one.title,
                            abstract="",
                            categories=one.categories,
                            day=f"{today}",
                        )
                    )
        return daily_feed(*entries, made_at=at.isoformat())


def _announce_type(before: Edition | None, after: Edition, *, is_primary: bool) -> str:
    """Empty where it is not announced, as an edited text is not."""
    if before is None:
        return "new" if is_primary else "cross"
    if after.is_listed:
        return "replace" if is_primary else "replace-cross"
    return "cross" if after.categories != before.categories else ""

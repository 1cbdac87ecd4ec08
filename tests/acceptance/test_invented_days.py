"""Day by day over invented papers: each subscriber gets what was announced and matches, once, whatever
failed.

Which paper matches which keyword is known from how its text was put together, not from the matching rule.
"""

import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from digest.demo.arxiv import Announcement, LocalArxiv
from digest.model.paper import ArxivId, Paper
from digest.pipeline.cycle_report import CycleReport
from digest.service.bootstrap import build_cycle, load_setup, open_client
from digest.storage.factory import open_store
from tests.postgresql import KINDS, state_of, take_back_databases

# Eleven days from a Monday: nine with a listing, and a weekend.
MORNINGS = tuple(datetime(2026, 6, 1 + day, 7, tzinfo=UTC) for day in range(11))
LOOKBACK = timedelta(days=16)
LONGEST_LAG = timedelta(days=14)
BACKLOG_DAYS = 14
WELCOME_PAPERS = 10

# How a phrase may stand in a text; of each, every way is found by the keyword.
PHRASES = {
    "graph neural network": ("graph neural network", "Graph-Neural Networks", "graph\n  neural networks"),
    "compiler": ("compiler", "Compilers", "(compiler)"),
    "honey bee": ("honey bee", "Honey-Bees", "honey bee's"),
    "exoplanet": ("exoplanet", "EXOPLANETS,", "exoplanet–star"),
    "reinforcement learning": ("reinforcement learning", "Reinforcement-Learning", "reinforcement learning:"),
}
# Near misses, and words that mean nothing here.
FILLERS = (
    "graph", "neural", "network graph", "honey", "bee honey", "planet", "learning reinforcement", "of", "the",
    "honey, then bee", "network of graphs", "lantern", "queue", "$\\alpha<1$", "teapot", "Zürich", "lemma",
)  # fmt: skip

READERS: Mapping[str, tuple[str, ...]] = {
    "ada": ("graph neural network", "compiler"),
    "bruno": ("compiler", "reinforcement learning", "honey bee"),
    "chloe": ("exoplanet", '"honey bee" ANDNOT compiler', "graph neural network"),
}
MEANING: Mapping[str, Callable[[Set[str]], bool]] = {
    **{phrase: lambda held, phrase=phrase: phrase in held for phrase in PHRASES},  # type: ignore[misc]
    '"honey bee" ANDNOT compiler': lambda held: "honey bee" in held and "compiler" not in held,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All announcements of a made-up month, and which phrases each paper holds."""

    announcements: tuple[Announcement, ...]
    held: Mapping[ArxivId, Set[str]]

    def announced(self, after: datetime, until: datetime) -> list[Paper]:
        """The first versions announced in that time."""
        return [
            one.paper
            for one in self.announcements
            if one.paper.version == 1 and after < one.announced_at <= until
        ]


def invent(seed: int) -> World:
    chance = random.Random(seed)
    first_listing = MORNINGS[0].replace(hour=0) - timedelta(days=BACKLOG_DAYS)
    listings = [first_listing + timedelta(days=day) for day in range(BACKLOG_DAYS + len(MORNINGS))]
    announcements: list[Announcement] = []
    held: dict[ArxivId, Set[str]] = {}
    for listing in listings:
        for _ in range(chance.randint(5, 12) if listing.weekday() < 5 else 0):
            phrases = {phrase for phrase in PHRASES if chance.random() < 0.2}
            paper = write(chance, ArxivId(f"2606.{91_001 + len(held)}"), phrases, listing)
            held[paper.id] = phrases
            announcements.append(Announcement(paper=paper, announced_at=listing))
            later = [one for one in listings if listing < one and one.weekday() < 5]
            if later and chance.random() < 0.25:
                again = chance.choice(later[:6])
                revised = replace(paper, version=2, updated_at=again - timedelta(hours=26), comment="revised")
                announcements.append(Announcement(paper=revised, announced_at=again))
    return World(announcements=tuple(announcements), held=held)


def write(chance: random.Random, identifier: ArxivId, phrases: Collection[str], listing: datetime) -> Paper:
    """A paper that holds `phrases`, each in its title or its abstract."""
    title, abstract = chance.choices(FILLERS, k=4), chance.choices(FILLERS, k=20)
    for phrase in phrases:
        text = chance.choice((title, abstract))
        text.insert(chance.randint(0, len(text)), chance.choice(PHRASES[phrase]))
    lag = timedelta(
        days=chance.choice((0, 0, 0, 1, 2, 3, 5, 9, 13)), seconds=chance.randrange(21_600, 86_400)
    )
    return Paper(
        id=identifier,
        version=1,
        title=" and ".join(title),  # a stop word between two words keeps them from being a phrase
        abstract=" and ".join(abstract),
        authors=("Nobody In-Particular",),
        categories=("cs.LG",),
        submitted_at=listing - lag,
        updated_at=listing - lag,
    )


class House:
    """An installation in `folder`, with its own small arXiv."""

    def __init__(self, folder: Path, state: str, arxiv: LocalArxiv) -> None:
        self.folder = folder
        self.arxiv = arxiv
        config = folder / "digest.toml"
        config.write_text(
            f'state = "{state}"\n'
            f'arxiv = {{ api_url = "{arxiv.url}", request_interval = 0, retry_pause = 0 }}\n'
            'delivery = { transport = "maildir", maildir = "Maildir" }\n'
            'defaults = { timezone = "UTC" }\n',
            encoding="utf-8",
        )
        entries = "".join(
            f'[[subscriber]]\nemail = "{name}@example.org"\nkeywords = {list(keywords)}\n'
            for name, keywords in READERS.items()
        )
        (folder / "subscribers.toml").write_text(entries, encoding="utf-8")
        self.setup = load_setup(config, {})

    async def run(self, now: datetime) -> CycleReport:
        """A run as `digest run` makes it: everything is opened anew, only the state file remembers."""
        self.arxiv.now = now
        settings = self.setup.settings
        with open_store(settings.state) as store:
            async with open_client(settings) as client:
                cycle = build_cycle(self.setup, store, clock=lambda: now, client=client)
                return await cycle.run()

    def take_mails(self) -> dict[str, list[str]]:
        """The papers in the mails that came since the last call, by subscriber."""
        found: dict[str, list[str]] = {}
        new = self.folder / "Maildir" / "new"
        for file in sorted(new.iterdir()) if new.exists() else ():
            message = message_from_bytes(file.read_bytes(), policy=policy.default)
            name = message["To"].addresses[0].username
            assert name not in found, "two mails on one day"
            in_text, in_html = (papers_in(message.get_body((kind,))) for kind in ("plain", "html"))
            assert sorted(in_text) == sorted(set(in_html))
            found[name] = in_text
            file.unlink()
        return found


def papers_in(part: object) -> list[str]:
    content = part.get_content()  # type: ignore[attr-defined]
    return re.findall(r"https://arxiv\.org/abs/([\d.]+)", content)


def matching(world: World, name: str, papers: Iterable[Paper]) -> set[str]:
    return {
        paper.id
        for paper in papers
        if any(MEANING[keyword](world.held[paper.id]) for keyword in READERS[name])
    }


def welcome(world: World, name: str, now: datetime) -> set[str]:
    """The newest papers of each keyword among all that were announced, as far as the look-back reaches."""
    known = [
        paper
        for paper in world.announced(datetime.min.replace(tzinfo=UTC), now)
        if paper.submitted_at and paper.submitted_at >= now - LOOKBACK
    ]
    wanted: set[str] = set()
    for keyword in READERS[name]:
        mine = [paper for paper in known if MEANING[keyword](world.held[paper.id])]
        mine.sort(key=lambda paper: (paper.submitted_at, paper.id), reverse=True)
        wanted |= {paper.id for paper in mine[:WELCOME_PAPERS]}
    return wanted


async def live(
    world: World, folder: Path, state: str, *, fails_on: Collection[int] = ()
) -> AsyncIterator[tuple[int, CycleReport, dict[str, list[str]]]]:
    """Each day's number, the report of its run, and the papers mailed to each subscriber."""
    async with LocalArxiv(world.announcements, MORNINGS[0]) as arxiv:
        house = House(folder, state, arxiv)
        for day, morning in enumerate(MORNINGS):
            arxiv.is_overloaded = day in fails_on
            report = await house.run(morning)
            yield day, report, house.take_mails()


def test_the_invented_days_hold_the_hard_cases() -> None:
    world = invent(1)
    firsts = {one.paper.id: one for one in world.announcements if one.paper.version == 1}
    lags = [one.announced_at - (one.paper.submitted_at or one.announced_at) for one in firsts.values()]
    on_these_days = [one for one in world.announcements if one.announced_at > MORNINGS[0]]
    assert timedelta(days=13) < max(lags) < LONGEST_LAG
    assert any(one.paper.version == 2 for one in on_these_days)
    compilers = [
        paper
        for paper in world.announced(MORNINGS[0] - LOOKBACK, MORNINGS[0])
        if "compiler" in world.held[paper.id]
    ]
    assert len(compilers) > WELCOME_PAPERS
    assert all(matching(world, name, world.announced(MORNINGS[3], MORNINGS[4])) for name in READERS)


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield state_of(request.param, tmp_path)
    take_back_databases()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_each_day_brings_exactly_what_was_announced_and_matches(
    tmp_path: Path, state: str, seed: int
) -> None:
    world = invent(seed)
    brought: dict[str, Counter[str]] = {name: Counter() for name in READERS}
    async for day, report, mailed in live(world, tmp_path, state):
        assert report.exit_code == 0
        for name in READERS:
            if day == 0:
                expected = welcome(world, name, MORNINGS[0])
            else:
                expected = matching(world, name, world.announced(MORNINGS[day - 1], MORNINGS[day]))
            assert set(mailed.get(name, ())) == expected, (day, name)
            brought[name].update(mailed.get(name, ()))
        assert report.digests_sent == len(mailed)
        assert report.subscribers_nothing_new == len(READERS) - len(mailed)
    assert all(count == 1 for counter in brought.values() for count in counter.values())


@pytest.mark.parametrize(
    ("seed", "fails_on"),
    [(11, {1, 3, 4, 8}), (12, {2, 3, 7, 8, 9}), (13, {1, 2, 3, 4, 5, 6, 7, 8, 9})],
)
async def test_days_without_arxiv_lose_nothing_and_repeat_nothing(
    tmp_path: Path, state: str, seed: int, fails_on: set[int]
) -> None:
    world = invent(seed)
    brought: dict[str, Counter[str]] = {name: Counter() for name in READERS}
    last_good = 0
    async for day, report, mailed in live(world, tmp_path, state, fails_on=fails_on):
        if day in fails_on:
            assert report.exit_code == 3
            assert report.errors
            assert not mailed
            continue
        assert report.exit_code == 0
        for name in READERS:
            if day > 0:
                expected = matching(world, name, world.announced(MORNINGS[last_good], MORNINGS[day]))
                assert set(mailed.get(name, ())) == expected, (day, name)
            brought[name].update(mailed.get(name, ()))
        last_good = day
    assert last_good == len(MORNINGS) - 1
    assert all(count == 1 for counter in brought.values() for count in counter.values())

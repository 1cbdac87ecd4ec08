"""What happens in a timeline, as hypothesis draws it: small values first, so that what fails gets small."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from tests.timelines.arxiv import DAY, URLS, World

SUBSCRIBERS = ("ada@example.org", "bo@example.org", "cy@example.org")

KEYWORDS = (
    "gnome",
    "kettle",
    "lantern",
    "gnome AND kettle",
    "gnome OR walrus",
)
ZONES = ("UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata")

KINDS = (
    "keyword",
    "file",
    "exclude",
    "categories",
    "mute",
    "pause",
    "weekly",
    "at",
    "zone",
    "leave",
    "lookback",
)
"""A keyword, an entry of the file, and so on, is taken away where it is there, and else put there."""

SHIFTS = (timedelta(hours=-30), timedelta(hours=-5), timedelta(hours=3), 40 * DAY, -365 * DAY, 365 * DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a subscriber, or who runs the installation, does at a minute of a day."""

    minute: int
    kind: str
    subscriber: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run at a minute of a day, or for the daemon: how things are from then on."""

    minute: int
    faults: dict[str, str] = field(default_factory=dict)
    shift: timedelta = timedelta(0)
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    runs: tuple[Run, ...]
    actions: tuple[Action, ...] = ()
    is_copied: bool = False
    is_restored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    start: date
    seed: int
    density: int
    left_out: frozenset[int]
    sources: tuple[str, ...]
    days: tuple[Day, ...]

    @property
    def began_at(self) -> datetime:
        return datetime.combine(self.start, datetime.min.time(), UTC)

    @property
    def ended_at(self) -> datetime:
        return self.began_at + len(self.days) * DAY

    def world(self) -> World:
        return World(
            seed=self.seed,
            start=self.began_at,
            calm_from=self.ended_at - DAY,
            end=self.ended_at + 14 * DAY,
            density=self.density,
            left_out=self.left_out,
        )


minutes = st.integers(0, 1439)
often = st.integers(0, 3)
sources = st.sampled_from([tuple(URLS), ("search API",), ("OAI-PMH",), ("OAI-PMH", "daily feed")])
faults = st.dictionaries(
    st.sampled_from(sorted(URLS)), st.sampled_from(["down", "down", "down", "stale", "empty"]), max_size=3
)
calm = st.builds(Run, minute=minutes)
stormy = st.builds(
    Run,
    minute=minutes,
    faults=faults,
    shift=st.one_of(st.just(timedelta(0)), st.just(timedelta(0)), st.sampled_from(SHIFTS)),
    refusal=st.sampled_from(["", "", "", "server", *SUBSCRIBERS]),
)
actions = st.builds(
    Action,
    minute=minutes,
    kind=st.sampled_from(["keyword", "keyword", *KINDS]),
    subscriber=st.sampled_from(SUBSCRIBERS),
    number=st.integers(0, 5),
)
days = st.builds(
    Day,
    runs=st.sampled_from([1, 1, 1, 2, 0])
    .flatmap(lambda size: st.lists(st.one_of(calm, calm, stormy), min_size=size, max_size=size))
    .map(lambda runs: tuple(sorted(runs, key=lambda run: run.minute))),
    actions=st.lists(actions, max_size=2).map(
        lambda some: tuple(sorted(some, key=lambda action: action.minute))
    ),
    is_copied=st.sampled_from([False] * 5 + [True]),
    is_restored=st.sampled_from([False] * 11 + [True]),
)
timelines = st.builds(
    Timeline,
    start=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    seed=st.integers(0, 2**32),
    density=st.sampled_from([1, 2, 4, 12]),
    left_out=st.frozensets(st.integers(0, 12), max_size=1),
    sources=sources,
    days=st.lists(days, min_size=4, max_size=16).map(tuple),
)

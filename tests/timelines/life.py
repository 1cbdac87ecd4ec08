"""An installation that lives through a timeline: by runs of the cycle, or by the steps of the daemon."""

import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from digest.errors import ServerUnavailable
from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.pipeline import cycle as cycle_module
from digest.pipeline.compose_job import Composer
from digest.pipeline.cycle import Cycle
from digest.pipeline.fetch import FetchReport, fetch
from digest.pipeline.plan import ComposeReport, DueSubscriber
from digest.pipeline.reconcile import take_up_restored
from digest.service import bootstrap, fetch_task
from digest.service.bootstrap import Setup, load_setup
from digest.service.daemon import Daemon
from digest.service.sd_notify import Notifier
from digest.storage.rate_limit import UNLIMITED
from digest.storage.sqlite.backup import back_up
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing
from digest.subscribers.preferences import apply_preferences
from digest.subscribers.subscriber import Subscriber
from tests.factories import make_subscriber
from tests.fakes import FakeTransport
from tests.timelines.arxiv import CATEGORIES, DAY, UNWANTED, Client
from tests.timelines.plan import KEYWORDS, SUBSCRIBERS, ZONES, Action, Run, Timeline

DOWN = ServerUnavailable("mx.example.org:25", "connection refused", "check smtp.host")
_MINUTE = timedelta(minutes=1)
_MOST_STEPS = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A mail that arrived, and when it had been written down."""

    email: str
    at: datetime
    composed_at: datetime
    papers: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Written:
    """An entry of subscribers.toml."""

    keywords: list[str]
    is_there: bool = True
    is_excluding: bool = False
    categories: tuple[str, ...] = ()
    weekly: int | None = None
    at: time = time(7)
    zone: str = ZONES[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that a judge needs to know, by the true time.

    `readers` has who followed what as of an enrolment (`None` where somebody was not there). `good` are the
    fetches that said to have served all, with sources and a clock that were well; `doubtful` those where a
    source may have said too little. `restored` has for each state that was put back of when it was, and when.
    """

    timeline: Timeline
    subscribers: dict[str, list[tuple[datetime, Subscriber | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    good: list[datetime] = field(default_factory=list)
    doubtful: list[datetime] = field(default_factory=list)
    restored: list[tuple[datetime, datetime]] = field(default_factory=list)
    shifted: list[datetime] = field(default_factory=list)
    lookbacks: list[timedelta] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


class Town:
    """An installation's surroundings: its file of subscribers, its arXiv, its mail server and its clock."""

    def __init__(self, folder: Path, timeline: Timeline) -> None:
        self.path = folder / "digest.db"
        self.copy = folder / "copy.db"
        self.copied_at: datetime | None = None
        self.now = timeline.began_at
        self.run = Run(minute=0)
        self.world = timeline.world()
        self.client = Client(self.world, self.now)
        self.sources = self.world.sources(timeline.sources, self.client)
        self.names = timeline.sources
        self.written = {email: Written(keywords=[KEYWORDS[at]]) for at, email in enumerate(SUBSCRIBERS)}
        self.written[SUBSCRIBERS[2]].is_there = False
        self.lookback = 16 * DAY
        self.store = SqliteStore(self.path)
        self.transport = FakeTransport()
        self.transport.answer = self._answer
        self.record = Record(timeline=timeline)
        self._mails: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._composed: dict[int, datetime] = {}

    def clock(self) -> datetime:
        return self.now + self.run.shift

    def is_well(self) -> bool:
        return not self.run.shift and not any(self.run.faults.get(name) for name in self.names)

    def heed(self, run: Run) -> None:
        """From now on things are so."""
        self.run = run
        self.client.faults = run.faults
        self.transport.refusing = DOWN if run.refusal == "server" else None
        if run.shift:
            self.record.shifted.append(self.now)
        self.note(f"run {run}")

    def note(self, text: str) -> None:
        self.record.log.append(f"{self.now:%a %F %H:%M} {text}")

    # Mail.

    def write(self, mailing: Mailing) -> Outgoing:
        papers = tuple(one.paper.id for one in mailing.digest.entries)
        self._mails[mailing.token] = (mailing.number, papers)
        return Outgoing(
            sender="digest@example.org",
            recipient=mailing.digest.email,
            message=" ".join(papers).encode(),
            token=mailing.token,
        )

    def _answer(self, mail: Outgoing) -> Receipt:
        if mail.recipient == self.run.refusal:
            return Receipt(outcome=Outcome.DEFERRED, reply="450 later")
        number, papers = self._mails[mail.token]
        composed_at = self._composed[number]
        self.record.posted.append(
            Posted(email=mail.recipient, at=self.now, composed_at=composed_at, papers=papers)
        )
        self.note(f"mail {number} to {mail.recipient}: {' '.join(papers)}")
        return Receipt(outcome=Outcome.SENT, reply="250 taken")

    # Subscribers.

    def file(self) -> tuple[Subscriber, ...]:
        """As subscribers.toml is now."""
        return tuple(
            make_subscriber(
                email,
                *one.keywords,
                at=one.at,
                timezone=one.zone,
                weekly=one.weekly,
                exclude=(UNWANTED,) if one.is_excluding else (),
                categories=one.categories,
            )
            for email, one in self.written.items()
            if one.is_there
        )

    def enrolled(self) -> None:
        """Notes who follows what from now on."""
        there = {one.email: one for one in apply_preferences(self.file(), self.store.preferences())}
        for email in SUBSCRIBERS:
            history = self.record.subscribers[email]
            if not history or history[-1][1] != there.get(email):
                history.append((self.now, there.get(email)))
                self.note(f"enrolled {email}: {_shown(there.get(email))}")

    def act(self, action: Action) -> bool:
        """Whether a file was edited, not only the state."""
        one, number = self.written[action.subscriber], action.number
        self.note(f"{action.subscriber} {action.kind} {number}")
        match action.kind:
            case "keyword":
                one.keywords = _toggled(one.keywords, KEYWORDS[number % len(KEYWORDS)])
            case "file":
                one.is_there = not one.is_there
            case "exclude":
                one.is_excluding = not one.is_excluding
            case "categories":
                wanted = CATEGORIES[number % len(CATEGORIES)]
                one.categories = () if one.categories else (wanted,)
            case "weekly":
                one.weekly = None if one.weekly is not None else number
            case "at":
                one.at = time(4 * number, 30)
            case "zone":
                one.zone = ZONES[number % len(ZONES)]
            case "lookback":
                self.lookback = 30 * DAY
            case _:
                self._prefer(action)
                return False
        return True

    def _prefer(self, action: Action) -> None:
        chosen = self.store.preferences_of(action.subscriber)
        match action.kind:
            case "mute":
                keywords = make_subscriber(
                    action.subscriber, *self.written[action.subscriber].keywords
                ).keywords
                key = keywords[action.number % len(keywords)].query.key
                chosen = replace(chosen, muted=() if chosen.muted else (key,))
                self.store.save_preferences(action.subscriber, chosen)
            case "pause":
                until = self.now.date() + (1 + action.number) * DAY
                paused = None if chosen.paused_until else until
                self.store.save_preferences(action.subscriber, replace(chosen, paused_until=paused))
            case "leave":
                if chosen.left_at is None:
                    self.store.leave(action.subscriber, now=self.clock())
                else:
                    self.store.rejoin(action.subscriber)
            case other:
                raise AssertionError(other)

    # The state.

    def back_up(self) -> None:
        back_up(self.path, self.copy, now=self.clock())
        self.copied_at = self.now
        self.note("copied")

    def put_back(self) -> None:
        if self.copied_at is None:
            return
        self.store.close()
        for name in ("digest.db-wal", "digest.db-shm"):
            self.path.with_name(name).unlink(missing_ok=True)
        shutil.copyfile(self.copy, self.path)
        self.store = SqliteStore(self.path)
        self.record.restored.append((self.copied_at, self.now))
        self.note(f"restored the state of {self.copied_at:%F %H:%M}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notes what the fetches and the composing of a cycle do."""
        with (
            patch.object(cycle_module, "fetch", self.fetch),
            patch.object(Composer, "compose_batch", self.compose_batch(Composer.compose_batch)),
        ):
            yield

    def compose_batch(self, original: Callable[..., ComposeReport]) -> Callable[..., ComposeReport]:
        def last() -> int:
            return int(self.store._connection.one("SELECT coalesce(max(number), 0) FROM mailing"))

        def compose_batch(composer: Composer, due: Sequence[DueSubscriber]) -> ComposeReport:
            before = last()
            report = original(composer, due)
            self._composed |= dict.fromkeys(range(before + 1, last() + 1), self.now)
            return report

        return compose_batch

    async def fetch(self, *args: Any, **more: Any) -> FetchReport:
        self.client.now = self.now
        report = await fetch(*args, **more)
        if self.is_well() and not report.unserved:
            self.record.good.append(self.now)
        elif {"stale", "empty"} & {self.run.faults.get(name) for name in self.names}:
            self.record.doubtful.append(self.now)
        told = [one[:60] for one in (*report.errors, *report.notes)]
        self.note(f"fetched new={report.papers_new} unserved={len(report.unserved)} {told}")
        return report


def _toggled(keywords: Sequence[str], keyword: str) -> list[str]:
    """At least one keyword stays."""
    if keyword not in keywords:
        return [*keywords, keyword]
    return [one for one in keywords if one != keyword] or [*keywords]


def _shown(one: Subscriber | None) -> str:
    if one is None:
        return "not there"
    send_schedule = one.send_schedule
    texts = [keyword.text + "!" * (keyword.query.key in one.muted) for keyword in one.keywords]
    excluded = [keyword.text for keyword in one.filters.exclude]
    return (
        f"{texts} but {excluded} in {one.filters.categories} at {send_schedule.send_at:%H:%M}"
        f" {send_schedule.timezone} weekly {send_schedule.weekly} paused {send_schedule.paused_until}"
    )


def _ending(timeline: Timeline) -> tuple[datetime, ...]:
    """When all is well again: two days, and once more a week later for whoever is mailed weekly."""
    return tuple(timeline.ended_at + timedelta(days=day, hours=12) for day in (0, 1, 2, 8))


async def live_by_cycle(timeline: Timeline, folder: Path) -> Record:
    """As `digest run` by a timer, at irregular times."""
    town = Town(folder, timeline)
    with town.watching():
        for at, event in _events(timeline):
            town.now = at
            match event:
                case Action():
                    town.act(event)
                case Run():
                    town.heed(event)
                    await _run(town)
                case "copy":
                    town.back_up()
                case _:
                    town.put_back()
        town.heed(Run(minute=0))
        for at in _ending(timeline):
            town.now = at
            await _run(town)
    town.store.close()
    return town.record


def _events(timeline: Timeline) -> Iterator[tuple[datetime, Action | Run | str]]:
    found: list[tuple[datetime, Action | Run | str]] = []
    for number, day in enumerate(timeline.days):
        midnight = timeline.began_at + number * DAY
        if day.is_restored:
            found.append((midnight, "restore"))
        if day.is_copied:
            found.append((midnight, "copy"))
        found += [(midnight + action.minute * _MINUTE, action) for action in day.actions]
        found += [(midnight + run.minute * _MINUTE, run) for run in day.runs]
    yield from sorted(found, key=lambda one: one[0])


async def _run(town: Town) -> None:
    town.enrolled()
    town.record.lookbacks.append(town.lookback)
    cycle = Cycle(
        sources=town.sources,
        store=town.store,
        transport=town.transport,
        writer=lambda: town.write,
        subscribers=town.file(),
        lookback=town.lookback,
        clock=town.clock,
    )
    await cycle.run()


class Service:
    """The daemon over a town: its steps are taken when they are due, by a clock that leaps to the next."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town = town
        (folder / "subscribers.toml").touch()
        environ = {
            "DIGEST_SUBSCRIBERS": str(folder / "subscribers.toml"),
            "DIGEST_STATE": str(town.path),
        }
        self._written = load_setup(None, environ)
        self.daemon = self._begun()
        self.fetch_at = self.mail_at = town.clock()
        self._steps = 0

    def _setup(self) -> Setup:
        arxiv = self._written.settings.arxiv.model_copy(update={"lookback_days": self.town.lookback.days})
        settings = self._written.settings.model_copy(update={"arxiv": arxiv})
        self.town.record.lookbacks.append(self.town.lookback)
        return replace(self._written, settings=settings, subscribers=self.town.file())

    def _begun(self) -> Daemon:
        town = self.town
        return Daemon(self._setup(), self._setup, town.store, Notifier({}), clock=town.clock)

    async def begin(self) -> None:
        """As `Daemon.run` does."""
        self.daemon = self._begun()
        take_up_restored(self.town.store, now=self.town.clock())
        await self.daemon._enrol()
        self.town.enrolled()
        self.fetch_at = self.mail_at = self.town.clock()

    async def reread(self, *, is_file: bool) -> None:
        if is_file:
            await self.daemon._reread()
        await self.daemon._check_preferences()
        self.town.enrolled()

    async def enqueue(self, until: datetime) -> None:
        """Takes the steps that fall due before that moment, by the true time."""
        town = self.town
        while True:
            if self.daemon._fetching.wake.is_set():
                self.fetch_at = town.clock()
            if self.daemon._mailing.wake.is_set():
                self.mail_at = town.clock()
            is_fetch = self.fetch_at <= self.mail_at
            due_at = max(self.fetch_at if is_fetch else self.mail_at, town.clock()) - town.run.shift
            if due_at >= until:
                break
            self._steps += 1
            assert self._steps < _MOST_STEPS, "\n".join(["it never rests", *town.record.log[-12:]])
            town.now = due_at
            if is_fetch:
                self.daemon._fetching.wake.clear()
                next_at = await self.daemon._guarded("fetching", self.daemon._fetching.step)
                self.fetch_at = next_at or town.clock() + _MINUTE
            else:
                self.daemon._mailing.wake.clear()
                next_at = await self.daemon._guarded("mailing", self.daemon._mailing.step)
                self.mail_at = next_at or town.clock() + _MINUTE
        town.now = until

    def clock_was_set_back(self) -> None:
        """Sleeps end, see `Daemon._sleep`."""
        self.fetch_at = min(self.fetch_at, self.town.clock())
        self.mail_at = min(self.mail_at, self.town.clock())


@contextmanager
def _surroundings(town: Town) -> Iterator[None]:
    """What the daemon takes from its settings."""

    @asynccontextmanager
    async def client(*_: object) -> AsyncIterator[Client]:
        yield town.client

    async def nothing(*_: object, **__: object) -> None:
        """The operator is told of nothing."""

    kind = SimpleNamespace(build=lambda *_: town.transport, limits=lambda *_: UNLIMITED)
    given: dict[str, Callable[..., object]] = {
        "build_sources": lambda *_: town.sources,
        "transport_kind": lambda *_: kind,
        "build_writer": lambda *_: town.write,
        "notify_operator": nothing,
    }
    with town.watching(), patch.object(fetch_task, "open_client", client), ExitStack() as stack:
        for name, instead in given.items():
            stack.enter_context(patch.object(bootstrap, name, instead))
        yield


async def live_by_daemon(timeline: Timeline, folder: Path) -> Record:
    """As `digest daemon`, which reads its files when they change. A run is here when things turn out so."""
    town = Town(folder, timeline)
    with _surroundings(town):
        service = Service(town, folder)
        await service.begin()
        for at, event in _events(timeline):
            await service.enqueue(at)
            match event:
                case Action():
                    await service.reread(is_file=town.act(event))
                case Run():
                    before = town.clock()
                    town.heed(event)
                    if town.clock() < before:
                        service.clock_was_set_back()
                case "copy":
                    town.back_up()
                case _ if town.copied_at is not None:
                    town.put_back()
                    await service.begin()
        before = town.clock()
        town.heed(Run(minute=0))
        if town.clock() < before:
            service.clock_was_set_back()
        await service.enqueue(_ending(timeline)[-1])
    town.store.close()
    return town.record

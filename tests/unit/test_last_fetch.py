"""What a daemon knows of the last fetch, while it fetches and looks at the state at the same time."""

from collections.abc import Callable
from datetime import datetime

from digest.service.fetch_task import FetchTask
from digest.storage.values import LastFetch
from tests.factories import moment

OLD = LastFetch(began_at=moment("2026-06-08 00:30"), queries=b"")
BAD = LastFetch(began_at=moment("2026-06-09 00:30"), queries=b"", failed_at=moment("2026-06-09 00:31"))


class Slow:
    """A state that takes long to say what it has: meanwhile something happens."""

    def __init__(self, has: LastFetch, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.has = has
        self.meanwhile = meanwhile

    def last_fetch(self) -> LastFetch:
        has = self.has
        self.meanwhile()
        return has


def task_of(store: Slow, woken: list[str]) -> FetchTask:
    def clock() -> datetime:
        return BAD.began_at

    def fetched() -> None:
        woken.append("mailing")

    nothing: dict[str, object] = {"pages": None, "pinger": None, "notifier": None}
    return FetchTask(None, store, clock, fetched=fetched, **nothing)  # type: ignore[arg-type]


async def test_a_fetch_of_this_host_is_not_forgotten_for_an_older_look() -> None:
    """Else a dead man's switch is told that the failed fetch was a good one."""
    woken: list[str] = []
    store = Slow(OLD)
    task = task_of(store, woken)
    task.last = OLD

    def ends() -> None:
        store.has = task.last = BAD

    store.meanwhile = ends
    await task.check()
    assert (task.last, woken) == (BAD, [])


async def test_a_fetch_of_another_host_is_noticed_once() -> None:
    woken: list[str] = []
    task = task_of(Slow(BAD), woken)
    task.last = OLD
    await task.check()
    await task.check()
    assert (task.last, woken) == (BAD, ["mailing"])

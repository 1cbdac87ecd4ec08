"""How long it takes to read 10,000 entries of subscribers, and to add one: in a file, and in the database."""

import json
import random
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import tomlkit

from bench.figures import Figure, seconds
from bench.papers import keywords, papers
from digest.config.settings import Defaults
from digest.storage.factory import open_store
from digest.subscribers import Form
from digest.subscribers.editor import subscribe
from digest.subscribers.entry_parser import load_subscribers
from digest.subscribers.exchange import import_entries, read_entries
from digest.subscribers.file import SubscribersFile
from digest.subscribers.stored import StoredSubscribers
from digest.subscribers.subscriber import build_keyword

_SUBSCRIBERS = 10_000
_PAPERS = 9_000
_KEYWORDS = 600
_KEYWORDS_OF_ONE = 3
_NAIVE_SHARE = 20
_REPEATS = 3
_MOST_LOADING = 1.0
_MOST_EDITING = 2.0


class _Costs(NamedTuple):
    """Seconds of one core."""

    loading: float
    editing: float
    stored_loading: float
    stored_editing: float
    naive_loading: float
    naive_editing: float


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """The best of three, each in a process of its own, which has parsed no keyword before."""
    count = max(2 * _NAIVE_SHARE, int(_SUBSCRIBERS * scale))
    text = text_of(count, known=max(300, int(_PAPERS * scale)))
    costs = [_in_a_new_process(text, count) for _ in range(_REPEATS)]
    loading, editing, stored_loading, stored_editing, naive_loading, naive_editing = map(
        min, zip(*costs, strict=True)
    )
    yield Figure(
        what=f"reading subscribers.toml with {count:,} entries",
        must="≤ 1 s",
        ours=seconds(loading),
        naive=f"tomllib alone, nothing checked: {seconds(naive_loading)}",
        is_held=loading <= _MOST_LOADING,
    )
    yield Figure(
        what=f"subscribing one more to {count:,}",
        must="≤ 2 s",
        ours=seconds(editing),
        naive=f"tomlkit, parse and write: {seconds(naive_editing)} (extrapolated)",
        is_held=editing <= _MOST_EDITING,
    )

    yield Figure(
        what=f"reading {count:,} entries from the database (SQLite)",
        must="≤ 1 s",
        ours=seconds(stored_loading),
        is_held=stored_loading <= _MOST_LOADING,
    )
    yield Figure(
        what=f"subscribing one more to {count:,} in the database",
        must="≤ 2 s",
        ours=seconds(stored_editing),
        is_held=stored_editing <= _MOST_EDITING,
    )


def text_of(count: int, *, known: int = _PAPERS) -> str:
    """A subscribers.toml of `count` subscribers, with three of some hundreds of keywords each."""
    chance = random.Random(1)  # noqa: S311 (the same subscribers each time)
    texts = keywords(papers(known), _KEYWORDS)
    return "\n".join(
        f'[[subscriber]]\nemail = "reader{number}@example.org"\n'
        f"keywords = {json.dumps(chance.sample(texts, _KEYWORDS_OF_ONE), ensure_ascii=False)}\n"
        for number in range(1, count + 1)
    )


def _in_a_new_process(text: str, count: int) -> _Costs:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_costs, text, count).result()


def _costs(text: str, count: int) -> _Costs:
    some = text[: text.index(f'"reader{count // _NAIVE_SHARE + 1}@')].removesuffix("[[subscriber]]\nemail = ")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "subscribers.toml")
        path.write_text(text, encoding="utf-8")
        loading = _clocked(lambda: load_subscribers(path, Defaults()))
        email = f"reader{count + 1}@example.org"
        editing = _clocked(
            lambda: subscribe(SubscribersFile(path, Defaults()), email=email, keywords=["neural operator"])
        )
        opened = partial(open_store, Path(folder, "digest.db"))
        stored = StoredSubscribers(Defaults(), reading=opened, changing=opened)
        import_entries(stored, read_entries(text, Form.TOML, "bench", Defaults()), is_dry=False)
        build_keyword.cache_clear()
        stored_loading = _clocked(stored.load)
        stored_editing = _clocked(lambda: subscribe(stored, email=email, keywords=["neural operator"]))
    naive_loading = _clocked(lambda: tomllib.loads(text))
    naive_editing = _NAIVE_SHARE * _clocked(lambda: tomlkit.dumps(tomlkit.parse(some)))
    return _Costs(loading, editing, stored_loading, stored_editing, naive_loading, naive_editing)


def _clocked(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began

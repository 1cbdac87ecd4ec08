"""Whatever an operator and a subscriber edit, in any order: each paper comes once, and none is missed."""

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from digest.storage.base import Store
from digest.subscribers.preferences import OwnKeyword, Preferences, adapted
from digest.subscribers.subscriber import Subscriber
from tests.contract.back_ends import BackEnd
from tests.examples import examples
from tests.factories import make_subscriber
from tests.stores import LONG_AGO, NOW, enqueue, found, ids, key, record

WORDS = ("tea", "milk", "rice", "salt")
words = st.sampled_from(WORDS)
CHOICES = ("add", "name", "remove", "mute", "forget_choices", "undo")
OTHERS = ("entry_gains", "entry_loses", "paper", "paper", "mail", "mail", "rename", "leave", "come_back")
STEPS = st.tuples(st.sampled_from(CHOICES + OTHERS), words)


class Town:
    """One subscriber whose entry and choices change; what they should get is kept beside the store."""

    def __init__(self, store: Store) -> None:
        self.store, self.now, self.numbers = store, NOW, count(1)
        self.entry = make_subscriber("ada@example.org", "tea")
        self.chosen = self.former = Preferences()
        self.is_away = False
        self.due: dict[str, set[str]] = {}
        self.mailed: set[str] = set()
        everything = make_subscriber("bo@example.org", *WORDS)
        self.others = [everything]
        self.enrol()
        record(store, *(found(f"2605.{next(self.numbers):05}", word) for word in WORDS), covered=WORDS)
        self.mail()  # the first digest has a look-back; what follows is about later ones

    @property
    def ada(self) -> Subscriber:
        ada = adapted(self.entry, self.chosen)
        assert ada
        return ada

    def enrol(self) -> None:
        mailed = [] if self.is_away else [self.ada]
        self.store.enrol([*mailed, *self.others], now=self.now, current_since=LONG_AGO)
        heard = set() if self.is_away else {one.query.key for one in self.ada.heard}
        for word in WORDS:
            if key(word) not in heard:
                self.due.pop(word, None)  # what waited for a keyword that went need not come

    def choose(self, chosen: Preferences) -> None:
        self.former, self.chosen = self.chosen, chosen
        self.store.save_preferences_and_confirm(self.entry.email, chosen, now=self.now)
        assert self.store.preferences_of(self.entry.email) == chosen
        self.enrol()

    def step(self, what: str, word: str) -> None:
        self.now += timedelta(hours=25)
        if self.is_away and what in CHOICES:
            return  # their page has no form then
        getattr(self, what)(word)

    def paper(self, word: str) -> None:
        name = f"2606.{next(self.numbers):05}"
        record(self.store, found(name, word), covered=WORDS, now=self.now)
        if not self.is_away and any(one.query.key == key(word) for one in self.ada.heard):
            self.due.setdefault(word, set()).add(name)

    def mail(self, word: str = "") -> None:
        if self.is_away:
            return
        papers = ids(enqueue(self.store, self.ada, now=self.now, since=LONG_AGO))
        assert not papers & self.mailed, "a paper came twice"
        self.mailed |= papers
        assert set().union(*self.due.values()) <= self.mailed, "a paper was missed"

    # What the operator does.

    def entry_gains(self, word: str) -> None:
        texts = [one.text for one in self.entry.keywords if one.text != word]
        self.entry = replace(self.entry, keywords=make_subscriber("x@example.org", word, *texts).keywords)
        self.enrol()

    def entry_loses(self, word: str) -> None:
        kept = tuple(one for one in self.entry.keywords if one.text != word)
        self.entry = replace(self.entry, keywords=kept or self.entry.keywords)
        self.enrol()

    def rename(self, word: str) -> None:
        new = f"ada{next(self.numbers)}@example.org"
        assert self.store.rename(self.entry.email, new, now=self.now)
        self.entry = replace(self.entry, email=new)
        self.enrol()

    # What the subscriber does.

    def add(self, word: str, name: str | None = None) -> None:
        added = (*(one for one in self.chosen.added if one.text != word), OwnKeyword(word, name))
        removed = tuple(one for one in self.chosen.removed if one != key(word))
        self.choose(replace(self.chosen, added=added, removed=removed))

    def name(self, word: str) -> None:
        self.add(word, "mine")

    def remove(self, word: str) -> None:
        added = tuple(one for one in self.chosen.added if one.text != word)
        removed = tuple(sorted({*self.chosen.removed, key(word)}))
        self.choose(replace(self.chosen, added=added, removed=removed))

    def mute(self, word: str) -> None:
        self.choose(replace(self.chosen, muted=tuple(sorted({*self.chosen.muted} ^ {key(word)}))))

    def forget_choices(self, word: str) -> None:
        self.choose(Preferences())

    def undo(self, word: str) -> None:
        self.choose(self.former)

    def leave(self, word: str) -> None:
        self.is_away = True
        self.store.leave(self.entry.email, now=self.now)
        self.enrol()

    def come_back(self, word: str) -> None:
        self.is_away = False
        self.store.rejoin(self.entry.email)
        self.enrol()


def opened(back_end: BackEnd, folder: str) -> AbstractContextManager[Store]:
    return back_end.open(Path(folder))


def test_edits_of_an_entry_and_of_choices_repeat_nothing_and_lose_nothing(back_end: BackEnd) -> None:
    @examples(100)
    @given(st.lists(STEPS, max_size=40))
    def hold(steps: list[tuple[str, str]]) -> None:
        with TemporaryDirectory() as folder, opened(back_end, folder) as store:
            town = Town(store)
            for what, word in steps:
                town.step(what, word)
            town.mail()

    hold()


def test_a_keyword_that_was_added_online_begins_as_one_of_the_entry_does(store: Store) -> None:
    """Also if it is taken away for a while."""
    ada, bo = make_subscriber("ada@example.org", "tea"), make_subscriber("bo@example.org", "tea")
    with_milk = replace(bo, keywords=make_subscriber("x@example.org", "tea", "milk").keywords)
    milk = Preferences(added=(OwnKeyword("milk"),))
    papers = (f"2606.{number:05}" for number in count(1))
    mailed: dict[str, list[set[str]]] = {ada.email: [], bo.email: []}
    for chosen, entry in ((Preferences(), bo), (milk, with_milk), (Preferences(), bo), (milk, with_milk)):
        adapted_ada = adapted(ada, chosen)
        assert adapted_ada
        store.save_preferences(ada.email, chosen)
        everybody = (adapted_ada, entry, make_subscriber("cy@example.org", *WORDS))
        store.enrol(everybody, now=NOW, current_since=LONG_AGO)
        for one in everybody[:2]:
            mailed[one.email].append(ids(enqueue(store, one)))
        record(store, found(next(papers), "milk"), found(next(papers), "tea"), covered=WORDS)
        for one in everybody[:2]:
            mailed[one.email].append(ids(enqueue(store, one)))
    assert mailed[ada.email] == mailed[bo.email]
    assert len(set().union(*mailed[ada.email])) > 4

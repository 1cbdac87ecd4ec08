"""The entries of digests as mailings keep them: what digests share is written and read once."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from digest.model.digest import Digest, Entry
from digest.model.paper import Paper
from digest.storage.entry_json import EntriesWriter, read_entries
from tests.factories import invented_paper, moment

PAPERS = {number: invented_paper(f"2606.{number:05}", f"On tea {number}") for number in range(1, 9)}
NUMBERS = {paper.id: number for number, paper in PAPERS.items()}
KEYWORDS = ("tea", 'ti:"green tea"', "milk", "thé")


def papers_of(numbers: Iterable[int]) -> Mapping[int, Paper]:
    return {number: PAPERS[number] for number in numbers}


@st.composite
def digests(draw: st.DrawFn) -> tuple[Digest, ...]:
    """Some have the very entries of the first one, with its keywords or with others in another order."""
    numbers = draw(st.lists(st.sampled_from(sorted(PAPERS)), min_size=1, unique=True))
    entries = tuple(
        Entry(PAPERS[number], tuple(draw(st.lists(st.sampled_from(KEYWORDS), min_size=1, unique=True))))
        for number in numbers
    )
    now = moment("2026-06-16 07:00")
    first = Digest(
        email="ada@example.org",
        name=None,
        planned_at=now,
        dated_on=now.date(),
        keywords=KEYWORDS,
        entries=entries,
    )
    others = draw(st.lists(st.permutations(KEYWORDS), max_size=3))
    return (first, *(replace(first, keywords=tuple(keywords)) for keywords in others), first)


@given(digests())
def test_whatever_digests_share_each_is_read_as_it_was_written(some: tuple[Digest, ...]) -> None:
    writer = EntriesWriter(lambda paper: NUMBERS[paper.id])
    texts = [(json.dumps(one.keywords), writer.text_of(one)) for one in some]
    read = read_entries(texts, papers_of)
    assert [read[pair] for pair in texts] == [(one.keywords, one.entries) for one in some]


def test_equal_lists_are_read_into_one_object() -> None:
    texts = ('["tea", "milk"]', "[[1,[0]],[2,[0,1]]]")
    asked: list[set[int]] = []

    def read(numbers: Iterable[int]) -> Mapping[int, Paper]:
        asked.append(set(numbers))
        return papers_of(asked[-1])

    found = read_entries([texts, (texts[0], str(texts[1]))], read)
    assert found == {
        texts: (("tea", "milk"), (Entry(PAPERS[1], ("tea",)), Entry(PAPERS[2], ("tea", "milk"))))
    }
    assert asked == [{1, 2}]

"""Entries that are put in order once for many subscribers are those of each subscriber alone."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from digest.keywords.query import parse
from digest.model.digest import Hit
from digest.model.paper import Paper
from digest.pipeline.compose import entries_of
from digest.pipeline.shared_entries import SharedEntries
from digest.subscribers.subscriber import Subscriber
from tests.examples import examples
from tests.factories import invented_paper, make_subscriber

WORDS = ("tea", "ox", "fig", "milk")
PAPERS = tuple(
    invented_paper(
        f"2606.{number:05}",
        " and ".join(WORDS[at] for at in range(4) if number >> at & 1) or "turnip",
        submitted=f"2026-06-{10 + number % 3} 10:00",
        categories=("cs.LG",) if number % 5 else ("math.CO",),
    )
    for number in range(16)
)
_groups = st.lists(
    st.lists(
        st.tuples(st.sampled_from(PAPERS), st.sampled_from([1, 1, 1, 2])),
        min_size=6,
        unique_by=lambda one: one[0],
    ),
    min_size=4,
    max_size=4,
)
_subscribers = st.builds(
    lambda words, filters, muted: replace(
        make_subscriber("ada@example.org", *words, **filters),
        muted=frozenset(parse(word).key for word in muted),
    ),
    st.lists(st.sampled_from(WORDS), unique=True, min_size=1),
    st.sampled_from([{}, {"exclude": ("turnip",)}, {"categories": ("cs.LG",)}]),
    st.sets(st.sampled_from(WORDS), max_size=1),
)


@examples(200)
@given(found=_groups, subscribers=st.lists(_subscribers, min_size=1, max_size=4))
def test_shared_entries_are_those_of_each_subscriber_alone(
    found: list[list[tuple[Paper, int]]], subscribers: Sequence[Subscriber]
) -> None:
    """Also of a dropped keyword, of a muted one, and of a paper that was found in two versions."""
    shared = SharedEntries()
    groups = [
        tuple(
            Hit(
                number=4 * place + at,
                query_key=parse(word).key,
                paper=paper if version == 1 else replace(paper, version=2, categories=("math.CO",)),
                is_backlog=False,
            )
            for place, (paper, version) in enumerate(some)
        )
        for at, (word, some) in enumerate(zip(WORDS, found, strict=True))
        if some
    ]
    for subscriber in subscribers:
        hits = sorted((hit for group in groups for hit in group), key=lambda hit: hit.number)
        heard = [hit for hit in hits if hit.query_key not in subscriber.muted]
        assert shared.of(subscriber, groups) == entries_of(subscriber, heard)

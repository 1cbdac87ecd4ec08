"""One day's papers, and subscribers who each follow some of the day's keywords."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.papers import keywords, papers
from digest.keywords.index import QueryIndex
from digest.keywords.query import parse
from digest.model.paper import Paper
from digest.subscribers.subscriber import Keyword

_PAPERS = 600
_KEYWORDS = 500
_KEYWORDS_OF_ONE = 3
_PAPERS_OF_ONE = 7

_BUSY_PAPERS = 900
_BUSY_CANDIDATES = 1_500
_BUSY_KEYWORDS = 12
_FEWEST, _MOST = 14, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """`brought` has the papers of each of `keywords`, by the key of its query."""

    keywords: tuple[Keyword, ...]
    brought: Mapping[str, tuple[Paper, ...]]

    def followed(self, subscribers: int) -> Iterator[tuple[Keyword, ...]]:
        """Three keywords for each subscriber, the same each time."""
        chance = random.Random(2)  # noqa: S311 (the same subscribers each time)
        return (tuple(chance.sample(self.keywords, _KEYWORDS_OF_ONE)) for _ in range(subscribers))


def day() -> Day:
    """500 keywords, each of which brought seven of 600 papers."""
    chance = random.Random(1)  # noqa: S311 (the same papers each time)
    announced = papers(_PAPERS)
    known = tuple(map(_keyword, keywords(announced, _KEYWORDS)))
    brought = {one.query.key: tuple(chance.sample(announced, _PAPERS_OF_ONE)) for one in known}
    return Day(keywords=known, brought=brought)


def busy_day(announced: Sequence[Paper] | None = None) -> Day:
    """Twelve keywords, which match 14 to 30 of the papers each: three bring 30 to 90.

    Without `announced`, they are the first 900 papers at hand. Invented papers share too few words: chance
    decides what a keyword brings.
    """
    announced = announced or papers(_BUSY_PAPERS)
    known = {one.query.key: one for one in map(_keyword, keywords(announced, _BUSY_CANDIDATES))}
    brought: dict[str, list[Paper]] = {key: [] for key in known}
    index = QueryIndex(one.query for one in known.values())
    for paper in announced:
        for match in index.matches(paper):
            brought[match.query.key].append(paper)
    fitting = [key for key, some in brought.items() if _FEWEST <= len(some) <= _MOST][:_BUSY_KEYWORDS]
    chance = random.Random(1)  # noqa: S311 (the same papers each time)
    for key in [key for key in known if key not in fitting][: _BUSY_KEYWORDS - len(fitting)]:
        brought[key] = chance.sample(announced, chance.randint(_FEWEST, _MOST))
        fitting.append(key)
    return Day(
        keywords=tuple(known[key] for key in fitting), brought={key: tuple(brought[key]) for key in fitting}
    )


def _keyword(text: str) -> Keyword:
    return Keyword(text=text, query=parse(text))

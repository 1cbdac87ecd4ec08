"""One day's papers, and subscribers who each follow some of the day's keywords."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.papers import keywords, papers
from digest.keywords.query import parse
from digest.model.paper import Paper
from digest.subscribers.subscriber import Keyword

_PAPERS = 600
_KEYWORDS = 500
_KEYWORDS_OF_ONE = 3
_PAPERS_OF_ONE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """`brought` has the papers of each of `keywords`, by the key of its query."""

    keywords: tuple[Keyword, ...]
    brought: Mapping[str, tuple[Paper, ...]]

    def followed(self, subscribers: int) -> Iterator[tuple[Keyword, ...]]:
        """Three keywords for each subscriber, the same each time: they bring some twenty papers."""
        chance = random.Random(2)  # noqa: S311 (the same subscribers each time)
        return (tuple(chance.sample(self.keywords, _KEYWORDS_OF_ONE)) for _ in range(subscribers))


def day() -> Day:
    """500 keywords, each of which brought seven of 600 papers."""
    chance = random.Random(1)  # noqa: S311 (the same papers each time)
    announced = papers(_PAPERS)
    known = tuple(Keyword(text=text, query=parse(text)) for text in keywords(announced, _KEYWORDS))
    brought = {one.query.key: tuple(chance.sample(announced, _PAPERS_OF_ONE)) for one in known}
    return Day(keywords=known, brought=brought)

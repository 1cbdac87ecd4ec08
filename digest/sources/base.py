"""The protocol of a source of papers. All sources use one polite client."""

from collections.abc import Sequence
from typing import Protocol

from digest.keywords.query import Query
from digest.model.paper import Paper
from digest.sources.window import Window

SOURCE_NAMES = ("search API", "OAI-PMH", "daily feed")
"""The names of the sources that there are."""

MANY = 1_000_000
"""More requests than any fetch takes."""


class Source(Protocol):
    """One of arXiv's interfaces.

    `lists_again`: it searches for the queries, and each answer has all matching papers, known ones too. Other
    sources list everything that changed.
    """

    @property
    def name(self) -> str: ...

    @property
    def lists_again(self) -> bool: ...

    def can_answer(self, query: Query) -> bool:
        """Whether it can find all papers of this query."""
        ...

    def cost(
        self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY
    ) -> int | None:
        """How many requests it takes to find `expected` papers; `None` if it cannot cover the window.

        It need not count further than `enough`.
        """
        ...

    def batches(self, queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        """Splits `queries` into groups that can succeed or fail separately."""
        ...

    async def search(self, queries: Sequence[Query], window: Window) -> tuple[Paper, ...]:
        """All papers of `window` that may match one of `queries`, each once, and perhaps others.

        Raises `SourceError` unless the answer is complete and plausible.
        """
        ...

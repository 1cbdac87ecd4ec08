"""Where papers come from: one polite client, and the sources that ask through it. `Source` is the seam."""

from collections.abc import Sequence
from typing import Protocol

from digest.keywords.query import Query
from digest.model.paper import Paper
from digest.sources.window import Window


class Source(Protocol):
    """One of arXiv's interfaces.

    `lists_again`: it is asked for the queries alone, and each answer holds all that they find, also what
    was found before; other sources list what changed, whatever it is.
    """

    @property
    def name(self) -> str: ...

    @property
    def lists_again(self) -> bool: ...

    def can_answer(self, query: Query) -> bool:
        """Whether it can find all papers of this query at all."""
        ...

    def cost(self, queries: Sequence[Query], window: Window, *, expected: int) -> int | None:
        """How many requests it takes to find `expected` papers; `None` if it cannot cover the ground."""
        ...

    def batches(self, queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        """Splits `queries` into groups that may succeed or fail apart."""
        ...

    async def search(self, queries: Sequence[Query], window: Window) -> tuple[Paper, ...]:
        """All papers of `ground` that may match one of `queries`, each once; others may be among them.

        Raises `SourceError` unless the answer is whole and can be believed.
        """
        ...

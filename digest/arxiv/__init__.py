"""Where papers come from: one polite client, and the sources that ask through it. `Source` is the seam."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from digest.papers import Paper
from digest.query import Query


class Source(Protocol):
    """One of arXiv's interfaces."""

    @property
    def name(self) -> str: ...

    def batches(self, queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        """Splits `queries` into as few groups as can be asked for at once."""
        ...

    async def search(
        self, queries: Sequence[Query], *, since: datetime, until: datetime
    ) -> tuple[Paper, ...]:
        """All papers submitted in that time that may match one of `queries`, each once.

        Raises `SourceError` unless the answer is whole and can be believed.
        """
        ...

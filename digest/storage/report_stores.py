"""What operators and people are told of the state."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from digest.model.paper import ArxivId, Paper
from digest.storage.pipeline_stores import CoverageStore, NewsStore, QueueStore, RestoreStore
from digest.storage.subscriber_stores import PreferenceStore, SuppressionStore, UnreadStore
from digest.storage.values import DeliveryHistory, Figures, PaperHistory, Waiting


class FiguresStore(CoverageStore, Protocol):
    """What a monitor asks."""

    def figures(self) -> Figures:
        """What a monitor wants to know."""
        ...


class HealthStore(
    CoverageStore, QueueStore, NewsStore, RestoreStore, SuppressionStore, UnreadStore, Protocol
):
    """What is wrong, if anything is."""

    def troubled(self, *, limit: int) -> tuple[Waiting, ...]:
        """Up to `limit` of the mailings in whose way something stood, the most often tried first."""
        ...

    def delayed(self) -> int:
        """How many mailings something stood in the way of. Not those that wait for the end of a pause."""
        ...

    def unserved(self, *, since: datetime) -> tuple[str, ...]:
        """The subscribers for whom papers were written down by `since` and have not been sent in any mailing
        yet.

        Not those who pause, nor those whose mailing was sent and came back.
        """
        ...


class OperatorStore(HealthStore, Protocol):
    """What the operator is told, and was."""

    def notices(self) -> Mapping[str, datetime]:
        """What the operator was told, by name, and when."""
        ...

    def record_notice(self, name: str, *, ends: str | None, now: datetime) -> None:
        """Remembers what the operator was told; it is the end of `ends`, if of anything."""
        ...


class HistoryStore(CoverageStore, NewsStore, PreferenceStore, Protocol):
    """What became of one paper."""

    def paper_history(self, arxiv_id: ArxivId) -> PaperHistory | None:
        """A paper as it was seen; `None` if it never was."""
        ...

    def delivery_history(self, arxiv_id: ArxivId, email: str) -> DeliveryHistory:
        """What became of a paper for a subscriber, as far as mailings are not forgotten (`prune`)."""
        ...


class PaperStore(Protocol):
    """Papers as such, and those that are known from elsewhere."""

    def newest_papers(self, query_key: str, *, limit: int) -> tuple[Paper, ...]:
        """The newest papers that a query found, by submission and then by id, each in its latest version.

        Papers whose source told no submission come after those of the month of their id that have one.
        """
        ...

    def count_as_seen(self, email: str, papers: Iterable[ArxivId]) -> int:
        """These papers were brought to this subscriber by something else: they are no news for them, ever.

        It may be said of anybody and of any paper, known or not, and as often as one likes. Returns of how
        many papers it had not been said.
        """
        ...

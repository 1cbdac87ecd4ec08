"""The protocols of the store for reports: figures, health, histories and papers."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from digest.model.digest import Digest
from digest.model.paper import ArxivId, Paper
from digest.storage.channel_stores import ChannelStatusStore
from digest.storage.delivery_stores import QueueStore
from digest.storage.pipeline_stores import (
    CoverageStore,
    HostStore,
    LastFetchStore,
    NewsStore,
    RestoreStore,
)
from digest.storage.signups import SignupReportStore
from digest.storage.subscriber_stores import InterestStore, PreferenceStore, SuppressionStore, UnreadStore
from digest.storage.values import DeliveryHistory, Figures, PaperHistory, Waiting


class FiguresStore(CoverageStore, Protocol):
    """The figures for a monitor."""

    def figures(self) -> Figures:
        """Returns the figures for a monitor."""
        ...


class HealthStore(
    HostStore,
    CoverageStore,
    LastFetchStore,
    QueueStore,
    NewsStore,
    RestoreStore,
    SuppressionStore,
    UnreadStore,
    ChannelStatusStore,
    SignupReportStore,
    Protocol,
):
    """The data for the health of an installation."""

    def troubled(self, *, limit: int) -> tuple[Waiting, ...]:
        """Returns up to `limit` delayed mailings, the most often tried first."""
        ...

    def delayed(self) -> int:
        """Returns the number of delayed mailings, without those that wait for the end of a pause."""
        ...

    def unserved(self, *, since: datetime) -> tuple[str, ...]:
        """Returns the subscribers whose papers were composed by `since` and are in no sent mailing yet.

        Leaves out subscribers who pause, and those whose mailing was sent and bounced.
        """
        ...


class MetricsStore(FiguresStore, HealthStore, PreferenceStore, Protocol):
    """What the metrics read."""


class OperatorStore(HealthStore, Protocol):
    """The notices to the operator."""

    def notices(self) -> Mapping[str, datetime]:
        """Returns the notices that were sent to the operator, by name, and when."""
        ...

    def record_notice(self, name: str, *, ends: str | None, now: datetime) -> None:
        """Stores that a notice was sent. If it reports the end of another one, `ends` names that."""
        ...


class HistoryStore(CoverageStore, NewsStore, PreferenceStore, InterestStore, Protocol):
    """The history of one paper."""

    def paper_history(self, arxiv_id: ArxivId) -> PaperHistory | None:
        """Returns a paper as it was seen; `None` if it never was."""
        ...

    def last_digest_with(self, arxiv_id: ArxivId, email: str) -> Digest | None:
        """Returns the last digest for a subscriber with this paper among its entries, if it is kept."""
        ...

    def delivery_history(self, arxiv_id: ArxivId, email: str) -> DeliveryHistory:
        """Returns the history of a paper for a subscriber, without mailings that `prune` deleted."""
        ...


class PaperStore(Protocol):
    """Papers, and those that subscribers know from elsewhere."""

    def newest_papers(self, query_key: str, *, limit: int) -> tuple[Paper, ...]:
        """Returns the newest papers of a query, by submission and then by id, in their latest version.

        A paper without a submission time comes after those of the month of its id that have one.
        """
        ...

    def count_as_seen(self, email: str, papers: Iterable[ArxivId]) -> int:
        """Marks papers as seen: the subscriber knows them from elsewhere, so they are never new for them.

        Idempotent. Unknown subscribers and papers are allowed. Returns how many papers are newly marked.
        """
        ...

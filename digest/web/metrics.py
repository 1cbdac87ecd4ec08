"""Figures for Prometheus: counted while this process runs, or read from the state when they are asked for.

None of them names a reader, an address or a keyword.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from digest.arxiv import Source
from digest.arxiv.ground import Ground
from digest.jobs import ComposeReport, DeliveryReport, FetchReport
from digest.papers import Paper
from digest.query import Query
from digest.store import Figures


class Metrics:
    """All that is counted; the daemon tells what its cycles did."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "digest_web_requests",
            "Requests answered, by page and status.",
            ("page", "status"),
            registry=registry,
        )
        self._arxiv_requests = Counter("digest_arxiv_requests", "Requests to arXiv.", registry=registry)
        self._papers = Counter("digest_papers_new", "Papers never seen before.", registry=registry)
        self._fetches = Counter(
            "digest_fetches", "Fetches, by how they ended.", ("outcome",), registry=registry
        )
        self._composed = Counter("digest_digests_composed", "Digests written down.", registry=registry)
        self._mailings = Counter(
            "digest_digests", "Attempts to mail digests, by how they ended.", ("outcome",), registry=registry
        )
        self._server_failures = Counter(
            "digest_mail_server_failures", "Times that the mail server could not be used.", registry=registry
        )
        self._source = Gauge(
            "digest_source_last_success_timestamp_seconds",
            "When a source last answered well.",
            ("source",),
            registry=registry,
        )
        self._fetched_at = Gauge(
            "digest_last_fetch_timestamp_seconds", "The last good fetch.", registry=registry
        )
        self._readers = Gauge("digest_subscribers", "Readers who are mailed.", registry=registry)
        self._suppressed = Gauge(
            "digest_suppressed_addresses", "Addresses that get no mail.", registry=registry
        )
        self._waiting = Gauge("digest_mailings_waiting", "Digests that wait to be sent.", registry=registry)

    def answered(self, page: str, status: int) -> None:
        self._requests.labels(page, status).inc()

    def fetched(self, report: FetchReport, requests: int) -> None:
        self._arxiv_requests.inc(requests)
        self._papers.inc(report.papers_new)
        self._fetches.labels("failed" if report.errors else "good").inc()

    def mailed(self, composed: ComposeReport, report: DeliveryReport) -> None:
        self._composed.inc(composed.composed)
        self._mailings.labels("sent").inc(report.sent)
        self._mailings.labels("deferred").inc(report.deferred)
        self._mailings.labels("suppressed").inc(report.suppressed)
        self._server_failures.inc(report.is_server_down)

    def gave_up(self, mailings: int) -> None:
        """Mailings whose reader has left."""
        self._mailings.labels("failed").inc(mailings)

    def watched(self, sources: Sequence[Source], clock: Callable[[], datetime]) -> tuple[Source, ...]:
        """The same sources, with a note of when each last answered well."""
        return tuple(_Watched(source, self._source.labels(source.name), clock) for source in sources)

    def exposition(self, figures: Figures) -> bytes:
        """All of it in Prometheus' text format."""
        self._readers.set(figures.readers)
        self._suppressed.set(figures.suppressed)
        self._waiting.set(figures.waiting)
        self._fetched_at.set(figures.fetched_at.timestamp() if figures.fetched_at else 0)
        return generate_latest(self._registry)


class _Watched:
    """A source that tells when it answered well."""

    def __init__(self, source: Source, answered_at: Gauge, clock: Callable[[], datetime]) -> None:
        self._source = source
        self._answered_at = answered_at
        self._clock = clock

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def lists_again(self) -> bool:
        return self._source.lists_again

    def cost(self, queries: Sequence[Query], ground: Ground, *, expected: int) -> int | None:
        return self._source.cost(queries, ground, expected=expected)

    def batches(self, queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        return self._source.batches(queries)

    async def search(self, queries: Sequence[Query], ground: Ground) -> tuple[Paper, ...]:
        papers = await self._source.search(queries, ground)
        self._answered_at.set(self._clock().timestamp())
        return papers

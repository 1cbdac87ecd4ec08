"""Metrics for Prometheus: counted while this process runs, or read from the state on request.

No metric contains a subscriber, an address or a keyword.
"""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from digest.pipeline.deliver import DeliveryReport
from digest.pipeline.fetch import FetchReport
from digest.storage.values import Figures


class Metrics:
    """All counters and gauges; the daemon reports the results of its cycles."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "digest_web_requests",
            "Requests answered, by page and status.",
            ("page", "status"),
            registry=registry,
        )
        self._arxiv_requests = Counter("digest_arxiv_requests", "Requests to arXiv.", registry=registry)
        self._papers = Counter("digest_papers_new", "New papers.", registry=registry)
        self._fetches = Counter("digest_fetches", "Fetches, by outcome.", ("outcome",), registry=registry)
        self._composed = Counter("digest_digests_composed", "Digests composed.", registry=registry)
        self._mailings = Counter(
            "digest_digests", "Attempts to mail digests, by outcome.", ("outcome",), registry=registry
        )
        self._server_failures = Counter(
            "digest_mail_server_failures", "Failures of the mail server as a whole.", registry=registry
        )
        self._source = Gauge(
            "digest_source_last_success_timestamp_seconds",
            "Last successful answer of a source.",
            ("source",),
            registry=registry,
        )
        self._fetched_at = Gauge(
            "digest_last_fetch_timestamp_seconds", "Last successful fetch.", registry=registry
        )
        self._subscribers = Gauge("digest_subscribers", "Subscribers who get mail.", registry=registry)
        self._suppressed = Gauge("digest_suppressed_addresses", "Suppressed addresses.", registry=registry)
        self._waiting = Gauge(
            "digest_mailings_waiting", "Digests that wait to be sent, without paused ones.", registry=registry
        )

    def answered(self, page: str, status: int) -> None:
        self._requests.labels(page, status).inc()

    def fetched(self, report: FetchReport, requests: int) -> None:
        self._arxiv_requests.inc(requests)
        self._papers.inc(report.papers_new)
        self._fetches.labels("failed" if report.errors else "good").inc()

    def mailed(self, report: DeliveryReport) -> None:
        self._composed.inc(report.composed.composed)
        self._mailings.labels("sent").inc(report.sent)
        self._mailings.labels("deferred").inc(report.deferred)
        self._mailings.labels("suppressed").inc(report.suppressed)
        self._server_failures.inc(report.is_server_down)

    def gave_up(self, mailings: int) -> None:
        """Mailings whose subscriber has left."""
        self._mailings.labels("failed").inc(mailings)

    def exposition(self, figures: Figures, fetched_at: Mapping[str, datetime]) -> bytes:
        """All metrics in Prometheus' text format; `fetched_at`: the last successful answer of each source."""
        for source, moment in fetched_at.items():
            self._source.labels(source).set(moment.timestamp())
        self._subscribers.set(figures.subscribers)
        self._suppressed.set(figures.suppressed)
        self._waiting.set(figures.waiting)
        self._fetched_at.set(figures.fetched_at.timestamp() if figures.fetched_at else 0)
        return generate_latest(self._registry)

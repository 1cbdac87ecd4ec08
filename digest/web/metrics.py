"""Metrics for Prometheus: counted while this process runs, or read from the state on request.

Each is there from the start, with 0 before its first event. No metric contains a subscriber, an address or a
keyword. docs/monitoring.md has them all.
"""

import platform
import resource
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from digest import __version__
from digest.pipeline.deliver import DeliveryReport
from digest.pipeline.fetch import FetchReport
from digest.sources.base import SOURCE_NAMES
from digest.storage.report_stores import MetricsStore
from digest.storage.signups import SignupFigures

CountProblems = Callable[[MetricsStore], Mapping[str, int]]
"""The number of problems of each kind. It is slow for a large state, and raises `StateError`."""

_FETCHES = ("good", "failed")
_MAILINGS = ("sent", "deferred", "suppressed", "failed")

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the lines, and nothing here uses them


class _WorkerTimes(Collector):
    """The time of processors that worker processes took, once they have ended."""

    def collect(self) -> Iterable[CounterMetricFamily]:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        yield CounterMetricFamily(
            "digest_workers_cpu_seconds",
            "User and system CPU time of worker processes that have ended, in seconds.",
            used.ru_utime + used.ru_stime,
        )


class Metrics:
    """All counters and gauges; the daemon reports the results of its cycles."""

    def __init__(self, count_problems: CountProblems = lambda store: {}) -> None:
        self._count_problems = count_problems
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_WorkerTimes())
        Info("digest_build", "The version of digest and of Python.", registry=registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
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
        self._begin_at_zero()
        self._add_gauges()

    def _begin_at_zero(self) -> None:
        for outcome in _FETCHES:
            self._fetches.labels(outcome)
        for outcome in _MAILINGS:
            self._mailings.labels(outcome)

    def _add_gauges(self) -> None:
        registry = self._registry
        self._source = Gauge(
            "digest_source_last_success_timestamp_seconds",
            "Last successful answer of a source; 0 if there was none.",
            ("source",),
            registry=registry,
        )
        self._fetched_at = Gauge(
            "digest_last_fetch_timestamp_seconds",
            "Last successful fetch; 0 if there was none.",
            registry=registry,
        )
        self._subscribers = Gauge("digest_subscribers", "Subscribers who get mail.", registry=registry)
        self._suppressed = Gauge("digest_suppressed_addresses", "Suppressed addresses.", registry=registry)
        self._waiting = Gauge(
            "digest_mailings_waiting", "Digests that wait to be sent, without paused ones.", registry=registry
        )
        self._oldest = Gauge(
            "digest_oldest_waiting_mailing_age_seconds",
            "Time since the oldest waiting digest was composed; 0 if none waits.",
            registry=registry,
        )
        self._signups = Gauge("digest_signups_waiting", "Sign-ups without confirmation.", registry=registry)
        self._signup_mails = Gauge(
            "digest_signup_mails_last_day",
            "Mails of sign-ups that were sent in the last 24 hours.",
            registry=registry,
        )
        self._refused = Gauge(
            "digest_signup_requests_refused_last_day",
            "Requests for mails that came over the limits of sign-up in the last 24 hours, by kind.",
            ("kind",),
            registry=registry,
        )
        self._problems = Gauge(
            "digest_problems",
            "What needs a person, as in digest status, by kind.",
            ("kind",),
            registry=registry,
        )

    def begin_pages(self, pages: Iterable[str]) -> None:
        """Begins the counters of the pages that are served."""
        for page in pages:
            self._requests.labels(page, 200)
        self._requests.labels("other", 404)

    def answered(self, page: str, status: int) -> None:
        self._requests.labels(page, status).inc()

    def asked_arxiv(self, requests: int) -> None:
        """For previews."""
        self._arxiv_requests.inc(requests)

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

    def exposition(self, store: MetricsStore, *, now: datetime) -> bytes:
        """All metrics in Prometheus' text format. Raises `StateError` if the state cannot be read."""
        figures, fetched_at = store.figures(), store.fetched_at()
        for source in (*SOURCE_NAMES, *fetched_at):
            moment = fetched_at.get(source)
            self._source.labels(source).set(moment.timestamp() if moment else 0)
        self._subscribers.set(figures.subscribers)
        self._suppressed.set(figures.suppressed)
        self._waiting.set(figures.waiting)
        age = now - figures.waiting_since if figures.waiting_since else None
        self._oldest.set(max(0.0, age.total_seconds()) if age else 0)
        self._fetched_at.set(figures.fetched_at.timestamp() if figures.fetched_at else 0)
        self._count_signups(store.signup_figures(now=now))
        for kind, count in self._count_problems(store).items():
            self._problems.labels(kind).set(count)
        return generate_latest(self._registry)

    def _count_signups(self, figures: SignupFigures) -> None:
        self._signups.set(figures.waiting)
        self._signup_mails.set(figures.mailed)
        for kind, count in figures.refused.items():
            self._refused.labels(kind).set(count)

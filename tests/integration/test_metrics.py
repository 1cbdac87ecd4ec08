"""What /metrics has: all that the docs name, from the start, in the form that Prometheus asks for."""

import platform
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from digest import __version__
from digest.service.health import ProblemKind, examine
from digest.service.problem_counts import ProblemCounts
from digest.storage.sqlite.store import SqliteStore
from digest.web.metrics import Metrics
from tests.factories import make_subscriber
from tests.integration.web_site import Town, serving_town
from tests.stores import NOW, outbox_of, sign_up_three
from tests.waiting import LIMIT

DOCS = Path(__file__).parents[2] / "docs"
ADA = make_subscriber("ada@example.org", "tea")
PROMTOOL = shutil.which("promtool")
with_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")

Found = Mapping[tuple[str, ...], float]


def families(store: SqliteStore, now: datetime = NOW) -> list[Metric]:
    counts = ProblemCounts(lambda: [ADA], tuple, lambda: now)
    return [*text_string_to_metric_families(exposition(store, counts, now))]


def exposition(
    store: SqliteStore, counts: Callable[..., Mapping[str, int]] = lambda store: {}, now: datetime = NOW
) -> str:
    metrics = Metrics(counts)
    metrics.begin_pages(["/p/{token}"])
    return metrics.exposition(store, now=now).decode()


def values(store: SqliteStore, now: datetime = NOW) -> Found:
    found = families(store, now)
    return {(one.name, *one.labels.values()): one.value for family in found for one in family.samples}


def test_the_docs_name_each_metric_with_its_labels(store: SqliteStore) -> None:
    text = (DOCS / "monitoring.md").read_text(encoding="utf-8").partition("| name | what it is |")[2]
    rows = [row.split("|")[1] for row in text.partition("\n\n")[0].splitlines() if "`" in row]
    told = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    there = {
        one.name + (f"{{{','.join(sorted(one.labels))}}}" if one.labels else "")
        for family in families(store)
        for one in family.samples
    }
    assert told == there


def test_each_is_there_before_its_first_event(store: SqliteStore) -> None:
    found = values(store)
    for outcome in ("good", "failed"):
        assert found["digest_fetches_total", outcome] == 0
    for outcome in ("sent", "deferred", "suppressed", "failed"):
        assert found["digest_digests_total", outcome] == 0
    for source in ("search API", "OAI-PMH", "daily feed"):
        assert found["digest_source_last_success_timestamp_seconds", source] == 0
    assert {key[1]: found[key] for key in found if key[0] == "digest_problems"} == dict.fromkeys(
        map(str, ProblemKind), 0
    )
    assert found["digest_web_requests_total", "/p/{token}", "200"] == 0
    assert found["digest_oldest_waiting_mailing_age_seconds",] == 0
    for kind in ("sign-up", "link", "address"):
        assert found["digest_signup_requests_refused_last_day", kind] == 0
    assert found["digest_signups_waiting",] == found["digest_signup_mails_last_day",] == 0
    assert [{*key[1:]} for key in found if key[0] == "digest_build_info"] == [
        {platform.python_version(), __version__}
    ]
    assert found["process_resident_memory_bytes",] > 1e6


async def test_each_page_that_is_served_is_there_before_its_first_request(tmp_path: Path) -> None:
    town: Town
    async with serving_town(tmp_path, metrics_token="figures-for-prometheus-1") as town:
        body = (await town.get("/metrics", Authorization="Bearer figures-for-prometheus-1")).body
    for page in ("/p/{token}", "/u/{token}", "/healthz", "/metrics"):
        assert f'digest_web_requests_total{{page="{page}",status="200"}} 0.0' in body


def test_the_oldest_digest_that_waits_has_its_age(store: SqliteStore) -> None:
    outbox_of(store, "ada@example.org", "bo@example.org")
    found = values(store, NOW + timedelta(hours=5))
    assert found["digest_mailings_waiting",] == 2
    assert found["digest_oldest_waiting_mailing_age_seconds",] == 5 * 3600
    assert values(store, NOW - timedelta(hours=5))["digest_oldest_waiting_mailing_age_seconds",] == 0


def test_sign_ups_that_wait_and_are_refused_are_counted(store: SqliteStore) -> None:
    sign_up_three(store)
    found = values(store)
    assert found["digest_signups_waiting",] == 2
    assert found["digest_signup_mails_last_day",] == 1
    assert found["digest_signup_requests_refused_last_day", "sign-up"] == 1
    assert found["digest_signup_requests_refused_last_day", "link"] == 0


def test_the_problems_are_those_of_digest_status(store: SqliteStore) -> None:
    outbox_of(store, "ada@example.org")
    store.suppress("ada@example.org", cause="550", now=NOW + timedelta(days=3))
    later = NOW + timedelta(days=3, hours=1)
    problems = [*examine(store, [ADA], now=later).found()]
    assert problems
    found = values(store, later)
    assert {(key[1], found[key]) for key in found if key[0] == "digest_problems" and found[key]} == {
        (one.kind, one.count) for one in problems
    }


def test_the_docs_tell_each_kind_of_problem() -> None:
    text = (DOCS / "monitoring.md").read_text(encoding="utf-8").partition("### Problems by kind")[2]
    assert re.findall(r"(?m)^\| `(\w+)` \|", text.partition("\n#")[0]) == [*ProblemKind]


def test_problems_are_counted_once_a_minute_and_less_where_it_takes_long(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, cost, counted = [0.0], [0.0], []

    def examined(*given: object, **options: object) -> object:
        counted.append(now[0])
        now[0] += cost[0]
        return examine(store, [], now=NOW)

    monkeypatch.setattr("digest.service.problem_counts.examine", examined)
    counts = ProblemCounts(tuple, tuple, lambda: NOW, running=lambda: now[0])
    for moment in (0, 59, 60, 100):
        now[0] = moment
        counts(store)
    assert counted == [0, 60]
    now[0], cost[0] = 200, 10
    counts(store)
    for moment in (300, 409, 410):
        now[0] = moment
        counts(store)
    assert counted[2:] == [200, 410]


def test_a_request_does_not_wait_while_another_one_examines_the_state(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    counts = ProblemCounts(lambda: [ADA], tuple, lambda: NOW, running=lambda: now[0])
    first = counts(store)
    now[0] = 100
    begun, may_end = threading.Event(), threading.Event()

    def examined(*given: object, **options: object) -> object:
        begun.set()
        assert may_end.wait(LIMIT)
        return examine(store, [], now=NOW)

    monkeypatch.setattr("digest.service.problem_counts.examine", examined)
    other = threading.Thread(target=counts, args=(store,))
    other.start()
    try:
        assert begun.wait(LIMIT)
        assert counts(store) is first
    finally:
        may_end.set()
        other.join(LIMIT)


@with_promtool
def test_promtool_finds_nothing_wrong_with_the_metrics(store: SqliteStore) -> None:
    assert PROMTOOL
    text = exposition(store, ProblemCounts(lambda: [ADA], tuple, lambda: NOW))
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@with_promtool
def test_promtool_takes_the_rules_for_alarms(tmp_path: Path) -> None:
    assert PROMTOOL
    rules = DOCS / "prometheus-alerts.yml"
    done = subprocess.run(
        [PROMTOOL, "check", "rules", str(rules)], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_for_alarms_name_metrics_that_exist(store: SqliteStore) -> None:
    rules = (DOCS / "prometheus-alerts.yml").read_text(encoding="utf-8")
    there = {one.name for family in families(store) for one in family.samples}
    named = {*re.findall(r"\bdigest_\w+", "\n".join(re.findall(r"expr: (.+)", rules)))}
    assert len(named) > 4
    assert named <= there

"""Nine real days of arXiv, day by day: who is mailed what is exact."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.installation import (
    Inbox,
    Installation,
    Simulator,
    mail_server,
    needs_simulator,
    simulator,
)
from tests.acceptance.oracle import CALENDAR, READERS, SUBSCRIBERS, Oracle, load_oracle
from tests.postgresql import KINDS, state_of, take_back_databases

pytestmark = needs_simulator


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return load_oracle()


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Simulator]:
    with simulator("--min-interval", "0.05", "--enforce") as running:
        yield running


@pytest.fixture
def server() -> Iterator[tuple[int, Inbox]]:
    with mail_server() as running:
        yield running


@pytest.fixture(params=KINDS)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, arxiv: Simulator, server: tuple[int, Inbox]
) -> Iterator[Installation]:
    arxiv.tell(reset=True)
    yield Installation(
        tmp_path,
        SUBSCRIBERS,
        state=state_of(request.param, tmp_path),
        arxiv__api_url=f"{arxiv.url}/api/query",
        arxiv__oai_url=f"{arxiv.url}/oai",
        arxiv__feed_url=f"{arxiv.url}/atom",
        arxiv__request_interval=0.06,
        smtp__host="127.0.0.1",
        smtp__port=server[0],
        smtp__security="none",
    )
    take_back_databases()


@pytest.mark.long
def test_each_subscriber_is_mailed_exactly_what_was_announced_and_matches(
    lab: Installation, arxiv: Simulator, server: tuple[int, Inbox], oracle: Oracle
) -> None:
    inbox = server[1]
    brought: dict[str, set[str]] = {email: set() for email in READERS}
    for day in CALENDAR:
        arxiv.tell(now=f"{day}T12:00:00Z")
        report = lab.run(f"{day}T12:30:00Z")
        mailed = inbox.take()
        for email, keywords in READERS.items():
            papers = mailed.get(email, [])
            assert len(papers) == len(set(papers))
            if day == CALENDAR[0]:
                assert 0 < len(papers) <= 10 * len(keywords)
            else:
                assert set(papers) == oracle.announced(day, email), (day, email)
            assert brought[email].isdisjoint(papers)
            brought[email].update(papers)
        assert report["requests"] <= 2
        weekend = day in {"2026-06-13", "2026-06-14"}
        assert [("the weekend" in note) for note in report["notes"]] == [True] * weekend
        assert report["digests_sent"] == len(mailed)
        assert report["subscribers_nothing_new"] == len(READERS) - len(mailed)
        assert lab.run(f"{day}T18:00:00Z")["digests_sent"] == 0
    assert arxiv.tell()["violations"] == 0


def test_days_that_were_missed_come_in_one_digest(
    lab: Installation, arxiv: Simulator, server: tuple[int, Inbox], oracle: Oracle
) -> None:
    inbox = server[1]
    for day in ("2026-06-09", "2026-06-10", "2026-06-18"):
        arxiv.tell(now=f"{day}T12:00:00Z")
        lab.run(f"{day}T12:30:00Z")
        mailed = inbox.take()
    missed = [day for day in CALENDAR if day > "2026-06-10"]
    for email in READERS:
        assert set(mailed[email]) == set().union(*(oracle.announced(day, email) for day in missed))


def test_a_subscriber_whose_mailbox_refuses_gets_everything_later_and_the_others_wait_for_nothing(
    lab: Installation, arxiv: Simulator, server: tuple[int, Inbox], oracle: Oracle
) -> None:
    inbox = server[1]
    arxiv.tell(now="2026-06-09T12:00:00Z")
    lab.run("2026-06-09T12:30:00Z")
    inbox.take()
    inbox.refusing["bo@example.org"] = "452 4.2.2 mailbox full"
    arxiv.tell(now="2026-06-10T12:00:00Z")
    report = lab.run("2026-06-10T12:30:00Z", exit_code=1)
    assert (report["digests_sent"], report["digests_deferred"]) == (2, 1)
    assert any("452" in error and "bo@example.org" in error for error in report["errors"])
    assert set(inbox.take()) == {"ada@example.org", "cy@example.org"}
    inbox.refusing.clear()
    arxiv.tell(now="2026-06-11T12:00:00Z")
    lab.run("2026-06-11T12:30:00Z")
    both_days = oracle.announced("2026-06-10", "bo@example.org") | oracle.announced(
        "2026-06-11", "bo@example.org"
    )
    mailed = inbox.take()["bo@example.org"]
    assert len(mailed) == len(set(mailed))
    assert set(mailed) == both_days

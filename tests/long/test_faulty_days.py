"""Nine real days through an arXiv that fails three requests in ten: nothing is lost, repeated or false."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation, Simulator, mail_server, needs_simulator, simulator
from tests.acceptance.oracle import CALENDAR, READERS, SUBSCRIBERS, Oracle, load_oracle

pytestmark = [needs_simulator, pytest.mark.long]

URLS = {"API_URL": "/api/query", "OAI_URL": "/oai", "FEED_URL": "/atom"}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return load_oracle()


@pytest.fixture(scope="module")
def sound() -> Iterator[Simulator]:
    with simulator("--min-interval", "0") as running:
        yield running


def urls(arxiv: Simulator) -> dict[str, str]:
    return {f"DIGEST_ARXIV__{name}": arxiv.url + path for name, path in URLS.items()}


@pytest.mark.parametrize("seed", range(1, 6))
def test_nothing_is_lost_repeated_or_false_through_faults_of_all_kinds(
    tmp_path: Path, sound: Simulator, oracle: Oracle, seed: int
) -> None:
    faulty_options = ("--fault-rate", "0.3", "--fault-seed", str(seed), "--slow", "0.2")
    with mail_server() as (port, inbox), simulator("--min-interval", "0.05", *faulty_options) as faulty:
        lab = Installation(
            tmp_path,
            SUBSCRIBERS,
            arxiv__request_interval=0.06,
            smtp__host="127.0.0.1",
            smtp__port=port,
            smtp__security="none",
        )

        def run(arxiv: Simulator, day: str, *options: str) -> None:
            arxiv.tell(now=f"{day}T12:00:00Z")
            done = lab("run", "--json", "--now", f"{day}T12:30:00Z", *options, **urls(arxiv))
            assert done.returncode in {0, 1, 3}, done.stderr
            assert "Traceback" not in done.stderr

        run(sound, CALENDAR[0])
        mailed = {email: list(papers) for email, papers in inbox.take().items()}
        first = {email: set(papers) for email, papers in mailed.items()}
        for day in CALENDAR[1:]:
            run(faulty, day)
            for email, papers in inbox.take().items():
                mailed[email] += papers
        assert faulty.tell()["violations"] == 0
        run(sound, CALENDAR[-1], "--force")
        for email, papers in inbox.take().items():
            mailed[email] += papers

    for email in READERS:
        assert len(mailed[email]) == len(set(mailed[email])), "a paper came twice"
        due = set().union(*(oracle.announced(day, email) for day in CALENDAR[1:]))
        assert set(mailed[email]) - first[email] == due

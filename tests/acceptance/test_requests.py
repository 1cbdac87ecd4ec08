"""A daily run takes a few requests, however widely arXiv must be asked for what the keywords find."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench.installation import subscribers
from bench.papers import keywords, papers
from tests.acceptance.installation import Installation, Simulator, needs_simulator, simulator

pytestmark = [needs_simulator, pytest.mark.long]

NAMES = ("Qi Wang", "Bo Zhang", "Xin Li", "Bo Liu", "Bo Chen", "Jie Yang", "Wei Huang", "Yu Zhao", "Min Wu")
# arXiv is asked for a stem that half of all papers have, for a surname, for whatever begins with `i`.
RARE_BUT_WIDE = ("=modelled", 'au:"Qi Wang"', "ies*")
WIDE = {
    "what few papers have and arXiv is asked for widely": RARE_BUT_WIDE,
    "what most papers have": ("co*", "abs:we ANDNOT =we", "cat:cs.*"),
    "common surnames": ("au:wang", "au:zhang", "all:li"),
    "many people in one keyword": (" OR ".join(f'au:"{name}"' for name in NAMES), "=lattice", "usag*"),
}


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Simulator]:
    with simulator("--min-interval", "0.05", "--enforce") as running:
        yield running


def daily_requests(arxiv: Simulator, folder: Path, texts: Sequence[str]) -> int:
    """What a run of 17 June takes after one of 16 June; no request of either comes early."""
    lab = Installation(
        folder,
        subscribers(texts),
        arxiv__api_url=f"{arxiv.url}/api/query",
        arxiv__oai_url=f"{arxiv.url}/oai",
        arxiv__feed_url=f"{arxiv.url}/atom",
        arxiv__request_interval=0.06,
    )
    arxiv.tell(reset=True)
    requests = 0
    for day in ("2026-06-16", "2026-06-17"):
        arxiv.tell(now=f"{day}T12:00:00Z")
        report = lab.run(f"{day}T12:00:00Z")
        assert (report["errors"], report["notes"]) == ([], [])
        requests = report["requests"]
    state = arxiv.tell()
    assert state["violations"] == 0
    return requests


@pytest.mark.parametrize("kind", WIDE)
def test_three_keywords_take_two_requests_at_most(arxiv: Simulator, tmp_path: Path, kind: str) -> None:
    assert daily_requests(arxiv, tmp_path, WIDE[kind]) <= 2


# Ten thousand are measured by `python -m bench requests`.
def test_a_hundred_keywords_take_four_requests_at_most(arxiv: Simulator, tmp_path: Path) -> None:
    wide = [text for texts in WIDE.values() for text in texts]
    texts = keywords(papers(9_000), 100 - len(wide))
    assert daily_requests(arxiv, tmp_path, (*wide, *texts)) <= 4

"""Every answer of the real search API that was recorded is read to papers, or to the right error."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.errors import Refused
from digest.model.paper import Paper
from digest.sources.arxiv.search_api_parser import parse_search_answer
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from tests.integration.arxiv_server import arxiv_server, says

RECORDED = Path(__file__).parents[3] / "shared" / "arxiv" / "recorded"
ANSWERS = sorted(
    path for path in RECORDED.glob("api*/*.xml") if not re.search(r"[._][45]00\.xml$", path.name)
)
REFUSALS = sorted(path for path in RECORDED.glob("api*/*.xml") if path not in ANSWERS)

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="arXiv's recorded answers are not at hand")

PAPERS = {
    "id_0000.0000": (0, 0),
    "id_0808.05394_1707.08567": (1, 1),
    "id_0808.05394_s0": (0, 0),
    "id_1605.08386": (1, 1),
    "id_1707.08567": (1, 1),
    "id_2104.12255v1": (1, 1),
    "id_quant-ph_0201082v1": (1, 1),
    "q_testing_": (214881, None),
    "xiv_legacy": (5619, 2),
}


def recorded(start: str) -> Paper:
    (path,) = RECORDED.glob(f"api/{start}*.xml")
    (paper, *_) = parse_search_answer(path.read_bytes()).papers
    return paper


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.name)
def test_an_answer_is_read_whole(path: Path) -> None:
    total, count = next(expected for start, expected in PAPERS.items() if path.name.startswith(start))
    asked = re.search(r"_s\d+_m(\d+)_", path.name)
    if count is None and asked:
        count = int(asked[1])
    answer = parse_search_answer(path.read_bytes())
    assert (answer.total, len(answer.papers)) == (total, count)
    assert len({paper.id for paper in answer.papers}) == count
    for paper in answer.papers:
        assert paper.title
        assert paper.abstract
        assert paper.authors
        assert "\n" not in paper.title + paper.abstract + (paper.comment or "")
        assert paper.submitted_at is not None
        assert paper.updated_at is not None
        assert paper.submitted_at <= paper.updated_at


def refusal(path: Path) -> tuple[bytes, int]:
    """The document, and the status it came with."""
    found = re.search(r"[._]([45]00)\.xml$", path.name)
    assert found
    return path.read_bytes(), int(found[1])


@pytest.mark.parametrize("path", REFUSALS, ids=lambda path: path.name)
@pytest.mark.parametrize("as_recorded", [True, False], ids=["status", "200"])
async def test_a_refusal_says_why_whatever_its_status(tmp_path: Path, path: Path, as_recorded: bool) -> None:
    document, status = refusal(path)
    summary = re.search(rb"<summary>(.*?)</summary>", document, re.DOTALL)
    assert summary
    settings = ClientSettings(contact=None, version="1", retry_pause=timedelta(0), tries=1)
    async with (
        arxiv_server(says(document, status if as_recorded else 200)) as server,
        PoliteClient(settings, RateLimiter(tmp_path / "requests", timedelta(0))) as client,
    ):
        with pytest.raises(Refused) as refused:
            await client.ask(server.url, {"search_query": "x"}, parse_search_answer)
    assert summary[1].decode() in refused.value.reason


def test_an_old_style_identifier_is_read() -> None:
    paper = recorded("id_quant-ph_0201082v1")
    assert (paper.id, paper.version) == ("quant-ph/0201082", 1)
    assert paper.categories == ("quant-ph", "cs.PL")
    assert paper.submitted_at == datetime(2002, 1, 18, 15, 8, 5, tzinfo=UTC)


def test_a_title_that_is_a_nought_is_a_title() -> None:
    assert recorded("id_2104.12255v1").title == "0"


def test_the_shape_before_november_2025_is_read() -> None:
    paper = recorded("xiv_legacy")
    assert paper.title == (
        "RDD: Retrieval-Based Demonstration Decomposer for Planner Alignment in Long-Horizon Tasks"
    )
    assert paper.categories[:2] == ("cs.RO", "cs.AI")
    assert paper.comment is not None
    assert paper.comment.startswith(
        "39th Conference on Neural Information Processing Systems (NeurIPS 2025);"
    )


def test_as_many_authors_are_read_as_the_document_names() -> None:
    for path in ANSWERS:
        entries = re.findall(rb"<entry>.*?</entry>", path.read_bytes(), re.DOTALL)
        named = [len(re.findall(rb"<name>", text)) for text in entries]
        assert [len(paper.authors) for paper in parse_search_answer(path.read_bytes()).papers] == named

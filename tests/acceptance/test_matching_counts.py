"""The counts of docs/arxiv.md on real text, and arXiv's stand-in asked for the same."""

import gzip
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from digest.keywords.index import QueryIndex
from digest.keywords.query import parse, to_arxiv
from digest.model.paper import ArxivId, Paper

SHARED = Path(__file__).parents[3] / "shared"
CORPUS = SHARED / "arxiv" / "corpus.jsonl.gz"
SIMULATOR = SHARED / "arxivsim" / "arxivsim.py"

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the real papers of ../shared are not here")


@pytest.fixture(scope="module")
def papers() -> tuple[Paper, ...]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        return tuple(_paper(json.loads(line)) for line in lines)


def _paper(row: dict[str, Any]) -> Paper:
    return Paper(
        id=ArxivId(row["id"]),
        version=1,
        title=row["title"],
        abstract=row["abstract"],
        authors=tuple(row["authors"]),
        categories=tuple(row["categories"]),
        comment=row.get("comment"),
        journal_ref=row.get("journal_ref"),
    )


def test_phrases_are_found_as_often_as_by_arxivs_rule(papers: tuple[Paper, ...]) -> None:
    expected = {
        "large language model": 874,
        "reinforcement learning": 407,
        "state of the art": 692,
        "graph neural network": 51,
        "compiler": 74,
        "neural operator": 34,
        "error correction": 57,
        "benchmark": 1740,
        "=compiler": 20,
    }
    index = QueryIndex(map(parse, expected))
    assert Counter(match.query.text for paper in papers for match in index.matches(paper)) == expected


SAME = (
    "state-of-the-art",
    "Schrödinger equation",
    "self-supervised learning",
    "theory and practice",
    '"C++"',
    "Newton's",
    "ti:deep learning AND cat:cs.LG",
    "Qwen2.5 OR i.i.d. OR γ_p",
    "cosmology OR OS OR vs",
    '"to be"',
    "cat:q-bio.*",
    "cat:hep-th ANDNOT (string OR brane)",
    "au:LeCun",
    "co:accepted",
    'jr:"Phys. Rev."',
    'all:"graph neural network"',
    "all:hep-th",
    "id:2506.01521",
)
AT_LEAST = (
    'co:"accepted at ICML"',
    "neur* OR ti:quant*",
    "optimiz*",
    '="neural operator"',
    "=lens OR =matrix",
    'au:"Wei Zhang"',
    'au:"Zhang, W."',
    "au:wang_y",
    "cat:cs.LG ANDNOT =learning",
    "cat:hep-th ANDNOT (string ANDNOT =strings)",
    'graph ANDNOT au:"Wei Zhang"',
    "neural oper* AND cat:cs.LG",
)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_arxiv_is_asked_for_all_that_matches_here(papers: tuple[Paper, ...]) -> None:
    spec = importlib.util.spec_from_file_location("arxivsim", SIMULATOR)
    assert spec
    assert spec.loader
    simulator = importlib.util.module_from_spec(spec)
    sys.modules["arxivsim"] = simulator
    spec.loader.exec_module(simulator)
    search = simulator.Search(simulator.load([str(CORPUS)], [])[1])
    index = QueryIndex(map(parse, SAME + AT_LEAST))
    found: dict[str, set[int]] = {query.text: set() for query in map(parse, SAME + AT_LEAST)}
    for number, paper in enumerate(papers):
        for match in index.matches(paper):
            found[match.query.text].add(number)
    for query in map(parse, SAME):
        assert found[query.text] == search.run(to_arxiv(query))[0], query
    for query in map(parse, AT_LEAST):
        assert found[query.text], query
        assert found[query.text] <= search.run(to_arxiv(query))[0], query

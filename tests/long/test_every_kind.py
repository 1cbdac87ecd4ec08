"""Nine real days, three keywords of each kind: what is mailed is exact, whatever the language can say."""

import gzip
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import (
    SHARED,
    SIMULATOR,
    Installation,
    Simulator,
    mail_server,
    needs_simulator,
    simulator,
)
from tests.acceptance.oracle import CALENDAR

pytestmark = [needs_simulator, pytest.mark.long]

# Each keyword of ours, and the same question in arXiv's own syntax, with every bracket: the simulated arXiv's
# search engine answers that one, and has nothing of the project in it.
KINDS = {
    "phrase": {
        "large language model": '(ti:"large language model" OR abs:"large language model")',
        "graph-neural network": '(ti:"graph neural network" OR abs:"graph neural network")',
        "state of the art": '(ti:"state of the art" OR abs:"state of the art")',
    },
    "field": {
        "ti:transformer": 'ti:"transformer"',
        'abs:"error correction"': 'abs:"error correction"',
        "cat:cs.PL": "cat:cs.PL",
    },
    "operators": {
        "cat:cs.* AND ti:benchmark": '(cat:cs.* AND ti:"benchmark")',
        "ti:quantum AND abs:noise OR ti:compiler": '((ti:"quantum" AND abs:"noise") OR ti:"compiler")',
        "(ti:graph OR ti:tree) ANDNOT cat:cs.LG": '((ti:"graph" OR ti:"tree") ANDNOT cat:cs.LG)',
    },
    "wildcard": {
        "ti:neuro*": "ti:neuro*",
        "cat:q-bio.*": "cat:q-bio.*",
        "abs:superconduct*": "abs:superconduct*",
    },
    "author": {
        'au:"Wei Zhang"': '(au:"Wei Zhang" OR au:"W Zhang")',
        'au:"Yang Liu"': '(au:"Yang Liu" OR au:"Y Liu")',
        'au:"Jing Wang"': '(au:"Jing Wang" OR au:"J Wang")',
    },
}
EXACT = {
    "=compiler": r"\bcompilers?\b",
    '="neural operator"': r"\bneural[\s-]+operators?\b",
    "=lattice": r"\blattices?\b",
}


def address(kind: str) -> str:
    return f"{kind}@example.org"


SUBSCRIBERS = "".join(
    f'[[subscriber]]\nemail = "{address(kind)}"\nkeywords = {json.dumps(list(keywords))}\n'
    for kind, keywords in {**KINDS, "exact": EXACT}.items()
)


@pytest.fixture(scope="module")
def due() -> dict[str, dict[str, set[str]]]:
    """Which papers are due to whom on which day."""
    spec = importlib.util.spec_from_file_location("arxivsim", SIMULATOR)
    assert spec is not None
    assert spec.loader is not None
    engine: Any = importlib.util.module_from_spec(spec)
    sys.modules["arxivsim"] = engine
    spec.loader.exec_module(engine)
    with gzip.open(SHARED / "arxiv" / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = {row["id"]: row for row in map(json.loads, lines)}
    _, papers = engine.load([SHARED / "arxiv" / "corpus.jsonl.gz"], [])
    search = engine.Search(papers)
    found = {
        kind: {papers[number].id for question in questions.values() for number in search.run(question)[0]}
        for kind, questions in KINDS.items()
    }
    found["exact"] = {
        id_
        for id_, row in rows.items()
        if any(
            re.search(pattern, f"{row['title']} . {row['abstract']}".lower()) for pattern in EXACT.values()
        )
    }
    return {
        address(kind): {day: {id_ for id_ in ids if rows[id_]["announced"] == day} for day in CALENDAR}
        for kind, ids in found.items()
    }


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Simulator]:
    with simulator("--min-interval", "0.05", "--enforce") as running:
        yield running


@pytest.mark.parametrize("sources", ["all sources", "search API alone"])
def test_each_kind_of_keyword_brings_exactly_what_it_asks_for(
    tmp_path: Path, arxiv: Simulator, due: dict[str, dict[str, set[str]]], sources: str
) -> None:
    arxiv.tell(reset=True)
    others = {"arxiv__oai_url": f"{arxiv.url}/oai", "arxiv__feed_url": f"{arxiv.url}/atom"}
    with mail_server() as (port, inbox):
        lab = Installation(
            tmp_path,
            SUBSCRIBERS,
            arxiv__api_url=f"{arxiv.url}/api/query",
            arxiv__request_interval=0.06,
            smtp__host="127.0.0.1",
            smtp__port=port,
            smtp__security="none",
            **(others if sources == "all sources" else {}),
        )
        for day in CALENDAR:
            arxiv.tell(now=f"{day}T12:00:00Z")
            lab.run(f"{day}T12:30:00Z")
            mailed = inbox.take()
            if day == CALENDAR[0]:
                continue
            for email, days in due.items():
                papers = mailed.get(email, [])
                assert len(papers) == len(set(papers))
                assert set(papers) == days[day], (email, day)
    assert arxiv.tell()["violations"] == 0

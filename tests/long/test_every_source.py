"""Nine real days, forty keywords: whichever source answers, the same papers come, and all that arXiv has."""

import gzip
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
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

pytestmark = [
    needs_simulator,
    pytest.mark.long,
    # The simulated arXiv leaves a file open.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def either(*phrases: str) -> str:
    """A phrase in title or abstract, in arXiv's own syntax with every bracket."""
    asked = [f'{field}:"{phrase}"' for phrase in phrases for field in ("ti", "abs")]
    joined = asked.pop()
    while asked:
        joined = f"({asked.pop()} OR {joined})"
    return joined


# A keyword, and the same question in arXiv's own syntax, which the simulated arXiv answers: that has nothing
# of the project in it. Of these, exactly what arXiv has comes.
EXACT = {
    "large language model": either("large language model"),
    "graph-neural networks": either("graph neural network"),
    "state of the art": either("state of the art"),
    "Qwen2.5": either("Qwen2.5"),
    "i.i.d.": either("i.i.d."),
    "cosmology": either("cosmology"),
    "topology": either("topology"),
    "possibly": either("possibly"),
    "OS": either("OS"),
    "vs": either("vs"),
    "3.1": either("3.1"),
    "γ": either("γ"),
    "ρ AND meson": f"({either('ρ')} AND {either('meson')})",
    '"to be or"': either("to be or"),
    "Newton's method": either("Newton's method"),
    "ti:transformer": 'ti:"transformer"',
    'abs:"error correction"': 'abs:"error correction"',
    "cat:cs.PL": "cat:cs.PL",
    "cat:q-bio.*": "cat:q-bio.*",
    "cat:cs.* AND ti:benchmark": '(cat:cs.* AND ti:"benchmark")',
    "ti:quantum AND abs:noise OR ti:compiler": '((ti:"quantum" AND abs:"noise") OR ti:"compiler")',
    "(ti:graph OR ti:tree) ANDNOT cat:cs.LG": '((ti:"graph" OR ti:"tree") ANDNOT cat:cs.LG)',
    'au:"Daniel Cohen-Or"': 'au:"Daniel Cohen-Or"',
    'au:"Thomas Herrmannsdörfer"': 'au:"Thomas Herrmannsdörfer"',
}
# Beyond what arXiv has, other papers come as docs/keywords.md says.
AT_LEAST = {
    "Schrödinger equation": either("Schrödinger equation"),
    "Kähler OR Erdős": f"({either('Kähler')} OR {either('Erdős')})",
    "optimiz*": "(ti:optimiz* OR abs:optimiz*)",
    "federat*": "(ti:federat* OR abs:federat*)",
    "neural oper*": f"({either('neural operator')} OR {either('neural operation')})",
    'au:"Wei Zhang"': 'au:"Wei Zhang"',
    'au:"Liu, Y."': 'au:"Y Liu"',
    'au:"Anders Gjølbye"': 'au:"Anders Gjølbye"',
    "au:chudziak_j": 'au:"J Chudziak"',
    'au:"Marín-Salvador"': 'au:"Marín-Salvador"',
}
# What arXiv cannot be asked in its own words.
OWN = ("=compiler", "=matrix", '="neural operator"', "cat:cs.LG ANDNOT =learning")
# The feed tells neither comments nor references. (The simulated arXiv searches the comments of first versions
# and shows those of the latest, which say "accepted" more often: that word would not be the same everywhere.)
REMARKS = {"co:neurips": 'co:"neurips"', 'co:"accepted at ICML"': 'co:"accepted at ICML"'}

KEYWORDS = (*EXACT, *AT_LEAST, *OWN, *REMARKS)
ADDRESSES = {keyword: f"reader{number}@example.org" for number, keyword in enumerate(KEYWORDS)}
Mailed = Mapping[str, Mapping[str, frozenset[str]]]
"""Keyword → day → papers."""


def subscribers(keywords: tuple[str, ...]) -> str:
    return "".join(
        f'[[subscriber]]\nemail = "{ADDRESSES[keyword]}"\nkeywords = {json.dumps([keyword])}\n'
        for keyword in keywords
    )


@pytest.fixture(scope="module")
def arxiv_has() -> dict[str, dict[str, frozenset[str]]]:
    """What arXiv's own search finds for each keyword, by the day of its announcement."""
    spec = importlib.util.spec_from_file_location("arxivsim", SIMULATOR)
    assert spec is not None
    assert spec.loader is not None
    engine: Any = importlib.util.module_from_spec(spec)
    sys.modules["arxivsim"] = engine
    spec.loader.exec_module(engine)
    with gzip.open(SHARED / "arxiv" / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        announced = {row["id"]: row["announced"] for row in map(json.loads, lines)}
    _, papers = engine.load([SHARED / "arxiv" / "corpus.jsonl.gz"], [])
    search = engine.Search(papers)
    found = {
        keyword: {papers[number].id for number in search.run(question)[0]}
        for keyword, question in {**EXACT, **AT_LEAST, **REMARKS}.items()
    }
    return {
        keyword: {day: frozenset(id_ for id_ in ids if announced[id_] == day) for day in CALENDAR}
        for keyword, ids in found.items()
    }


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Simulator]:
    with simulator("--min-interval", "0.05", "--enforce") as running:
        yield running


@pytest.fixture(scope="module")
def mailed_by_all(arxiv: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Mailed:
    return nine_days(arxiv, tmp_path_factory.mktemp("all"), KEYWORDS)


def nine_days(
    arxiv: Simulator,
    folder: Path,
    keywords: tuple[str, ...],
    *,
    alone: str | None = None,
    failing: str | None = None,
) -> Mailed:
    """What each keyword's reader was mailed on each day but the first.

    `alone` is the path of the only source, from the second day on; `failing` that of one which is down on
    every other day. Every run ends with 0, and doubts no answer.
    """
    arxiv.tell(reset=True)
    urls = {"/api": "arxiv__api_url", "/oai": "arxiv__oai_url", "/atom": "arxiv__feed_url"}
    paths = {"/api": "/api/query", "/oai": "/oai", "/atom": "/atom"}
    mailed: dict[str, dict[str, frozenset[str]]] = {keyword: {} for keyword in keywords}
    with mail_server() as (port, inbox):
        lab = Installation(
            folder,
            subscribers(keywords),
            arxiv__request_interval=0.06,
            smtp__host="127.0.0.1",
            smtp__port=port,
            smtp__security="none",
            **{urls[path]: f"{arxiv.url}{paths[path]}" for path in urls},
        )
        for number, day in enumerate(CALENDAR):
            down = set(urls) - {alone} if alone and number else set()
            down |= {failing} if failing and number % 2 else set()
            faults = [{"path": path, "kind": "406", "times": 999} for path in sorted(down)]
            arxiv.tell(reset=True, now=f"{day}T12:00:00Z", faults=faults)
            report = lab.run(f"{day}T12:30:00Z")
            assert report["errors"] == []
            assert all("406" in note or "the weekend" in note for note in report["notes"]), report["notes"]
            taken = inbox.take()
            for keyword in keywords:
                papers = taken.get(ADDRESSES[keyword], [])
                assert len(papers) == len(set(papers))
                if number:
                    mailed[keyword][day] = frozenset(papers)
            assert arxiv.tell()["violations"] == 0
    return mailed


def test_all_that_arxiv_has_for_a_keyword_comes_on_its_day(
    mailed_by_all: Mailed, arxiv_has: Mapping[str, Mapping[str, frozenset[str]]]
) -> None:
    for day in CALENDAR[1:]:
        for keyword, days in arxiv_has.items():
            came = mailed_by_all[keyword][day]
            assert days[day] <= came, (keyword, day)
            if keyword in EXACT:
                assert came == days[day], (keyword, day)
    for keyword in OWN:
        assert any(mailed_by_all[keyword].values()), keyword


@pytest.mark.parametrize("alone", ["/api", "/oai"])
def test_one_source_alone_brings_the_same(
    arxiv: Simulator, tmp_path: Path, mailed_by_all: Mailed, alone: str
) -> None:
    assert nine_days(arxiv, tmp_path, KEYWORDS, alone=alone) == mailed_by_all


def test_the_daily_feed_alone_brings_the_same_where_it_can(
    arxiv: Simulator, tmp_path: Path, mailed_by_all: Mailed
) -> None:
    keywords = tuple(keyword for keyword in KEYWORDS if keyword not in REMARKS)
    wanted = {keyword: mailed_by_all[keyword] for keyword in keywords}
    assert nine_days(arxiv, tmp_path, keywords, alone="/atom") == wanted


@pytest.mark.parametrize("failing", ["/api", "/oai", "/atom"])
def test_a_source_that_fails_on_every_other_day_changes_nothing(
    arxiv: Simulator, tmp_path: Path, mailed_by_all: Mailed, failing: str
) -> None:
    assert nine_days(arxiv, tmp_path, KEYWORDS, failing=failing) == mailed_by_all

"""Every word of the real papers as arXiv's index has it, and thousands of their phrases."""

import functools
import itertools
import random
import re
import unicodedata
from typing import Any

import pytest

from digest.keywords.analysis import AnalysedText
from digest.keywords.index import QueryIndex
from digest.keywords.query import Query, is_asked_exactly, parse, to_arxiv
from digest.model.paper import ArxivId, Paper
from tests.acceptance.installation import SHARED, needs_simulator
from tests.acceptance.oracle import CORPUS, load_search

pytestmark = needs_simulator

_PHRASES = 4_000
_SEED = 20260617
_STROKED = {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"}
Postings = dict[str, dict[int, list[int]]]
"""Term → number of the paper → places."""


@pytest.fixture(scope="module")
def search() -> Any:
    return load_search(CORPUS)


def test_the_recorded_texts_have_lucenes_stems_at_lucenes_places() -> None:
    lines = (SHARED / "arxiv" / "analysis.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1_500
    for line in lines:
        text, _, recorded = line.partition("\t")
        stems = AnalysedText(text).stems
        ours = [f"{place}:{stem}" for place, stem in enumerate(stems) if stem is not None]
        assert ours == recorded.split(), text


@pytest.mark.long
@pytest.mark.parametrize(("field", "part"), [("ti", "title"), ("abs", "abstract")])
def test_each_word_of_the_papers_stands_where_arxivs_index_has_it(search: Any, field: str, part: str) -> None:
    stems: Postings = {}
    words: Postings = {}
    for number, paper in enumerate(search.papers):
        text = AnalysedText(getattr(paper, part))
        for index, terms in ((stems, text.stems), (words, text.words)):
            for place, term in enumerate(terms):
                if term is not None:
                    index.setdefault(term, {}).setdefault(number, []).append(place)
    assert len(search.papers) > 9_000
    assert sum(len(places) for found in words.values() for places in found.values()) > 80_000
    # Lists of so many terms would take pytest minutes to tell apart.
    differing = [
        term for term in stems | search.index[field] if stems.get(term) != search.index[field].get(term)
    ]
    standard = search.index[f"{field} standard"]
    differing += [term for term in words | standard if words.get(term) != standard.get(term)]
    assert differing == []


@pytest.mark.long
def test_thousands_of_phrases_find_what_arxiv_finds_and_their_plain_spelling(search: Any) -> None:
    queries = _drawn(search.papers)
    found: dict[str, set[int]] = {query.key: set() for query in queries.values()}
    index = QueryIndex(queries.values())
    for number, paper in enumerate(search.papers):
        for match in index.matches(_as_ours(paper)):
            found[match.query.key].add(number)
    search.text = functools.cache(search.text)
    differing: list[str] = []
    wider: list[str] = []
    for phrase, query in queries.items():
        ours, arxivs, asked = found[query.key], _in_texts(search, phrase), search.run(to_arxiv(query))[0]
        is_asked = ours == asked if is_asked_exactly(query) else ours <= asked
        if ours != arxivs:
            wider.append(phrase)
            arxivs = set().union(*(_in_texts(search, spelling) for spelling in _spellings(phrase)))
        if not is_asked or not ours or ours != arxivs:
            differing.append(phrase)
    assert differing == []
    assert not any(phrase.isascii() for phrase in wider)
    assert 0 < len(wider) < _PHRASES / 200


def _drawn(papers: list[Any]) -> dict[str, Query]:
    """Phrases of one to four words as they stand in the papers, in quotes.

    Without those that have no word, and those in TeX: a keyword is read as what its TeX stands for.
    """
    chance = random.Random(_SEED)
    drawn: dict[str, Query] = {}
    while len(drawn) < _PHRASES:
        paper = chance.choice(papers)
        written = (paper.title if chance.random() < 0.4 else paper.abstract).split()
        start = chance.randrange(len(written))
        phrase = " ".join(written[start : start + chance.choice([1, 1, 2, 2, 3, 4])]).replace('"', " ")
        if re.search(r"[^\W_]", phrase) and "\\" not in phrase:
            drawn[phrase] = parse(f'"{phrase}"')
    return drawn


def _in_texts(search: Any, phrase: str) -> set[int]:
    found: set[int] = search.text("ti", phrase, True) | search.text("abs", phrase, True)
    return found


def _spellings(phrase: str) -> list[str]:
    """The phrase with each of its words as it is, or in plain letters."""
    words = re.findall(r"[\w\u0300-\u036f]+|[^\w\u0300-\u036f]+", phrase)
    return ["".join(chosen) for chosen in itertools.product(*({word, _plain(word)} for word in words))]


def _plain(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word)
    return "".join(_STROKED.get(letter, letter) for letter in letters if not unicodedata.combining(letter))


def _as_ours(paper: Any) -> Paper:
    return Paper(
        id=ArxivId(paper.id),
        version=1,
        title=paper.title,
        abstract=paper.abstract,
        authors=tuple(paper.authors),
        categories=tuple(paper.categories),
    )

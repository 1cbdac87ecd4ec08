"""A paper has one text, whether it comes in Unicode or as its authors typed it."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from digest.model.paper import Paper, one_line
from digest.sources.arxiv.authors import author_name
from digest.sources.arxiv.oai_pmh_parser import parse_record_page
from digest.sources.arxiv.search_api_parser import parse_search_answer
from digest.sources.arxiv.tex_to_unicode import tex_to_unicode
from tests.integration.arxiv_harvest_server import raw_record, record_page
from tests.integration.arxiv_server import entry, feed

CORPUS = Path(__file__).parents[3] / "shared" / "arxiv" / "corpus.jsonl.gz"

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the real papers of ../shared are not here")

TYPED = {
    "ø": r"{\o}", "Ø": r"{\O}", "ł": r"{\l}", "Ł": r"{\L}", "ß": r"{\ss}", "æ": r"{\ae}", "ı": r"{\i}",
    "á": r"\'a", "é": r"\'{e}", "í": r"\'{\i}", "ó": r"\'{o}", "ú": r"\'u", "ý": r"\'y", "ć": r"\'c",
    "ń": r"\'n", "ä": r'\"a', "ë": r'\"{e}', "ï": r'\"{\i}', "ö": r'\"o', "ü": r'\"{u}', "è": r"\`e",
    "à": r"\`a", "ê": r"\^e", "ô": r"\^{o}", "ñ": r"\~n", "ã": r"\~{a}", "ç": r"\c{c}", "ş": r"\c{s}",
    "č": r"\v{c}", "š": r"\v{s}", "ž": r"\v{z}", "ő": r"\H{o}", "ă": r"\u{a}", "å": r"\r{a}",
    "ą": r"\k{a}", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "ε": r"\epsilon ",
    "θ": r"\theta ", "κ": r"\kappa ", "λ": r"\lambda ", "μ": r"\mu ", "ν": r"\nu ", "π": r"\pi ",
    "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\phi ", "χ": r"\chi ", "ψ": r"\psi ",
    "ω": r"\omega ", "Γ": r"\Gamma{}", "Δ": r"{\Delta}", "Λ": r"\Lambda ", "Σ": r"\Sigma ",
    "Φ": r"\Phi ", "Ψ": r"\Psi ", "Ω": r"\Omega ",
}  # fmt: skip
"""As authors type what arXiv's search API gives."""
LETTERS = str.maketrans(TYPED)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def texts(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield from (row["title"], row["abstract"], row.get("comment") or "")


def test_what_authors_typed_is_what_the_search_api_gives(rows: list[dict[str, Any]]) -> None:
    typed = [(text, text.translate(LETTERS)) for text in texts(rows)]
    assert sum(text != tex for text, tex in typed) > 1000
    assert not [text for text, tex in typed if tex_to_unicode(tex) != text]


def test_texts_of_the_search_api_are_in_unicode_already(rows: list[dict[str, Any]]) -> None:
    assert not [text for text in texts(rows) if tex_to_unicode(text) != text]


def test_names_are_the_same_from_either_source(rows: list[dict[str, Any]]) -> None:
    names = {name for row in rows for name in row["authors"]}
    assert not [name for name in names if author_name(name.translate(LETTERS)) != author_name(name)]


def test_a_paper_is_the_same_from_either_source(rows: list[dict[str, Any]]) -> None:
    some = [row for row in rows if set("".join(texts([row]))) & set(TYPED)][:200]
    assert len(some) == 200
    answer = feed(
        *(entry(row["id"], title=row["title"], abstract=row["abstract"]) for row in some), total=len(some)
    )
    page = record_page(
        *(
            raw_record(
                row["id"],
                title=row["title"].translate(LETTERS),
                abstract=row["abstract"].translate(LETTERS),
            )
            for row in some
        )
    )
    assert list(map(shown, parse_search_answer(answer.encode()).papers)) == [
        shown(record.paper) for record in parse_record_page(page.encode()).records
    ]


def shown(paper: Paper) -> tuple[str, str, str]:
    assert paper.title == one_line(paper.title)
    return paper.id, paper.title, paper.abstract

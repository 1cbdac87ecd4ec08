"""TeX of real papers as a subscriber sees it: hand-picked cases, and what holds for all papers of
../shared.
"""

import gzip
import json
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pylatexenc import latex2text, latexwalker

from digest.mail.rendering.tex.convert import plain, spans
from digest.mail.rendering.tex.spans import Script
from tests.acceptance.tex_cases import MATHS, WORDS

CORPUS = Path(__file__).parents[3] / "shared" / "arxiv" / "corpus.jsonl.gz"

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the real papers of ../shared are not here")

FIELDS = ("title", "abstract", "comment")
COMMAND = re.compile(r"\\[A-Za-z]+")
MATHS_SPAN = re.compile(r"\$\$.+?\$\$|(?<!\\)\$[^$]+\$|\\\(.+?\\\)|\\\[.+?\\\]", re.DOTALL)
NEVER_SET = re.compile(r"\\(?:begin|end|unicode|color|textcolor)\{[^{}]*\}")
PRICE = re.compile(r"(?<=[\s(])\+?\$\d[\d,.]*[kKMB]? [a-z]{2}")
# These say the same twice, and are shown once.
SAID_TWICE = re.compile(r"\\(?:href|texorpdfstring)\b")


@pytest.fixture(scope="module")
def papers() -> dict[str, dict[str, Any]]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["id"]: row for row in reversed(rows)}


@pytest.fixture(scope="module")
def texts(papers: dict[str, dict[str, Any]]) -> list[str]:
    return [text for row in papers.values() for field in FIELDS if (text := row.get(field))]


def test_there_are_enough_cases() -> None:
    assert len(MATHS) >= 150
    assert len({source for _, _, source, _ in MATHS + WORDS}) == len(MATHS + WORDS)


@pytest.mark.parametrize(("paper", "field", "source", "expected"), MATHS + WORDS)
def test_a_case_reads_as_judged_by_hand(
    paper: str, field: str, source: str, expected: str, papers: dict[str, dict[str, Any]]
) -> None:
    assert plain(source) == expected
    assert source in papers[paper][field]
    assert expected in plain(papers[paper][field])


def letters(text: str) -> Counter[str]:
    return Counter(filter(str.isalnum, unicodedata.normalize("NFKD", text).replace("ı", "i")))


@pytest.mark.long
def test_letters_and_digits_survive_in_every_paper(texts: list[str]) -> None:
    for text in texts:
        if "\\" not in text:
            assert letters(text) == letters(plain(text))
        elif not SAID_TWICE.search(text):
            assert letters(COMMAND.sub(" ", NEVER_SET.sub(" ", text))) <= letters(plain(text))


def test_text_without_tex_stays_as_it_is(texts: list[str]) -> None:
    assert all(plain(text) == text for text in texts if not re.search(r"[\\$^_~`{}]|''|--", text))


def test_prices_stay(texts: list[str]) -> None:
    prices = [(price, text) for text in texts for price in PRICE.findall(text)]
    assert len(prices) >= 8
    assert all(price in plain(text) for price, text in prices)


@pytest.mark.long
def test_a_command_is_left_in_less_than_one_span_of_maths_in_a_hundred(texts: list[str]) -> None:
    sources = [source for text in texts for source in MATHS_SPAN.findall(text)]
    left = sum(1 for source in sources if COMMAND.search(plain(source)))
    assert len(sources) > 15_000
    assert left / len(sources) < 0.01


@pytest.mark.long
def test_hardly_any_abstract_has_a_standard_command_or_a_dollar_sign_left(
    papers: dict[str, dict[str, Any]],
) -> None:
    """Standard is what pylatexenc's parser and converter know, which is more than the table that we use."""
    standard = {
        spec.macroname
        for known in (latex2text.get_default_latex_context_db(), latexwalker.get_default_latex_context_db())
        for name in known.categories()
        for spec in known.iter_macro_specs([name])
    } | {"begin", "end"}
    shown = [plain(row["abstract"]) for row in papers.values()]
    raw = [text for text in shown if standard & {name[1:] for name in COMMAND.findall(text)}]
    stray = [text for text in shown if "$" in re.sub(r"\$\d", "", text)]
    assert len(raw) / len(shown) < 0.001
    assert len(stray) / len(shown) < 0.0005


@pytest.mark.long
def test_spans_are_joined_and_hold_no_dollar_signs_of_maths(texts: list[str]) -> None:
    for text in texts:
        found = spans(text)
        assert all(span.text for span in found)
        assert all(
            (left.script, left.style) != (right.script, right.style) for left, right in pairwise(found)
        )
        assert not any("$" in span.text for span in found if span.script is not Script.NONE)

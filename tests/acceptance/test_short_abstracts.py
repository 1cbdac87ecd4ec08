"""The short forms of the real abstracts of ../shared: whole sentences, few words, and the claim."""

import gzip
import json
import re
from pathlib import Path
from statistics import median

import pytest

from digest.mail.rendering.claims import excerpt
from digest.mail.rendering.richtext import converted, joined
from digest.mail.rendering.sentences import sentences

CORPUS = Path(__file__).parents[3] / "shared" / "arxiv" / "corpus.jsonl.gz"

pytestmark = [
    pytest.mark.skipif(not CORPUS.exists(), reason="the real papers of ../shared are not here"),
    pytest.mark.long,
]

BROKEN = re.compile(
    r"(?:\b(?:et al|i\.e|e\.g|vs|cf|Figs?|Eqs?|Refs?|Dr|Prof|Phys|Rev|Lett)|\s[A-Z]\. [A-Z])\.$"
)
CLAIM = re.compile(
    r"\b(?:we|this \w+)\b.{0,40}\b(?:propos|introduc|present|develop|prov|show|demonstrat|establish|find"
    r"|report|stud|investigat|analy[sz]|construct|deriv|give|obtain|design|consider|describe|examine)",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def abstracts() -> list[str]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        return [joined(converted(" ".join(json.loads(line)["abstract"].split()))) for line in lines]


def test_hardly_any_sentence_ends_with_an_abbreviation(abstracts: list[str]) -> None:
    ends = [text[max(0, end - 12) : end] for text in abstracts for _, end in sentences(text)[:-1]]
    assert len(ends) > 50_000
    assert len([end for end in ends if BROKEN.search(end)]) <= 10  # all right: "… by Miller et al. We …"


def test_half_of_the_short_forms_have_at_most_30_words(abstracts: list[str]) -> None:
    counts = sorted(len(joined(excerpt(converted(text))).split()) for text in abstracts)
    assert median(counts) <= 30
    assert counts[len(counts) * 9 // 10] <= 45
    assert counts[-1] < 100


def test_most_short_forms_state_a_claim(abstracts: list[str]) -> None:
    found = [CLAIM.search(joined(excerpt(converted(text)))) for text in abstracts]
    assert sum(one is not None for one in found) / len(found) > 0.8

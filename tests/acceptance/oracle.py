"""Who should be mailed which of the real papers on which day, with nothing of the project in it."""

import gzip
import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

import snowballstemmer

from tests.acceptance.installation import SHARED

READERS = {
    "ada@example.org": ["reinforcement learning", "graph neural network", "state of the art"],
    "bo@example.org": ["compiler", "Error-Correction"],
    "cy@example.org": ["neural operator"],
}
SUBSCRIBERS = "\n".join(
    f'[[subscriber]]\nemail = "{email}"\nkeywords = {json.dumps(keywords)}\n'
    for email, keywords in READERS.items()
)
CALENDAR = [f"2026-06-{day:02}" for day in range(8, 19)]
STOP_WORDS = set(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these"  # noqa: SIM905
    " they this to was will with".split()
)

stem = cache(snowballstemmer.stemmer("porter").stemWord)


def plain_stems(text: str) -> str:
    """The stems of a text between blanks, a stop word as `_`: an oracle with nothing of the project in it."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()
    words = [
        word.removesuffix("'s") for word in re.findall(r"[^\W_]+(?:'[^\W_]+)*", folded.replace("’", "'"))
    ]
    return f" {' '.join('_' if word in STOP_WORDS else stem(word) for word in words)} "


@dataclass
class Oracle:
    """Who should get what on which day, straight from the corpus."""

    papers: list[dict[str, Any]]

    def announced(self, day: str, email: str) -> set[str]:
        return {
            paper["id"]
            for paper in self.papers
            if paper["announced"] == day and any(paper["matches"][word] for word in READERS[email])
        }


def load_oracle() -> Oracle:
    """Reads the corpus; takes some seconds."""
    with gzip.open(SHARED / "arxiv" / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines]
    needles = {word: plain_stems(word) for words in READERS.values() for word in words}
    for paper in papers:
        texts = plain_stems(paper["title"]), plain_stems(paper["abstract"])
        paper["matches"] = {word: any(needle in text for text in texts) for word, needle in needles.items()}
    return Oracle(papers)

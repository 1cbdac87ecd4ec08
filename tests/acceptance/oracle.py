"""Who should be mailed which of the real papers on which day, with nothing of the project in it."""

import gzip
import importlib
import json
import sys
from dataclasses import dataclass
from typing import Any

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


def plain_stems(text: str) -> str:
    """The stems of a text between blanks, a stop word as `_`, by the judge of ../shared and not by ours."""
    sys.path.insert(0, str(SHARED / "arxivsim"))
    try:
        english = importlib.import_module("english")
    finally:
        sys.path.pop(0)
    stems = dict(english.english(text))
    return f" {' '.join(stems.get(place, '_') for place, _ in english.standard(text))} "


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

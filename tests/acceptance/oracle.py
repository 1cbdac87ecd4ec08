"""Who should be mailed which of the real papers on which day, with nothing of the project in it."""

import gzip
import importlib
import importlib.util
import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.installation import SHARED, SIMULATOR

CORPUS = SHARED / "arxiv" / "corpus.jsonl.gz"
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


def load_search(*corpora: Path) -> Any:
    """The search engine of the simulated arXiv over these papers, with nothing of the project in it."""
    if "arxivsim" not in sys.modules:
        spec = importlib.util.spec_from_file_location("arxivsim", SIMULATOR)
        assert spec is not None
        assert spec.loader is not None
        engine = importlib.util.module_from_spec(spec)
        sys.modules["arxivsim"] = engine
        spec.loader.exec_module(engine)
    engine = sys.modules["arxivsim"]
    with warnings.catch_warnings():
        # It reads its own source without closing it.
        warnings.simplefilter("ignore", ResourceWarning)
        return engine.Search(engine.load(corpora, [SHARED / "arxiv" / "older.jsonl.gz"])[1])


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
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines]
    needles = {word: plain_stems(word) for words in READERS.values() for word in words}
    for paper in papers:
        texts = plain_stems(paper["title"]), plain_stems(paper["abstract"])
        paper["matches"] = {word: any(needle in text for text in texts) for word, needle in needles.items()}
    return Oracle(papers)

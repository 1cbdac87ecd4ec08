"""How long it takes to turn the TeX of an abstract into text that reads."""

import re
import time
from collections.abc import Callable, Iterator, Sequence

from pylatexenc.latex2text import LatexNodes2Text

from bench.figures import Figure, seconds
from bench.papers import papers
from digest.mail.rendering.tex.convert import plain

_PAPERS = 8_000
_MUST = 0.015
_COMMAND = re.compile(r"\\[A-Za-z]+")
_LETTER = re.compile(r"[A-Za-z0-9]")


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Processor time for each abstract; beside it pylatexenc's own conversion, of those with TeX."""
    abstracts = [paper.abstract for paper in papers(max(50, int(_PAPERS * scale)))]
    with_tex = [text for text in abstracts if "\\" in text or "$" in text] or abstracts
    for what, texts in (("all", abstracts), ("those with TeX", with_tex)):
        each = [_clocked(plain, text) for text in texts]
        mean = sum(each) / len(each)
        yield Figure(
            what=f"TeX to text, {len(texts):,} abstracts ({what})",
            must=f"≤ {seconds(_MUST)} an abstract",
            ours=f"{seconds(mean)} an abstract, at most {seconds(max(each))}",
            naive=_naive(texts),
            is_held=mean <= _MUST,
        )


def _naive(texts: Sequence[str]) -> str:
    """The library alone, on a sample: its time, and how often it raises or loses letters."""
    convert: Callable[[str], str] = LatexNodes2Text(math_mode="text", keep_comments=True).latex_to_text
    some = texts[:: max(1, len(texts) // 1_000)]
    took, wrong = 0.0, 0
    for text in some:
        try:
            took += _clocked(convert, text)
            wrong += _letters(convert(text)) < _letters(_COMMAND.sub("", text))
        except (IndexError, RecursionError):
            wrong += 1
    return f"{seconds(took / len(some))}, {wrong / len(some):.1%} lose letters or fail"


def _letters(text: str) -> int:
    return len(_LETTER.findall(text))


def _clocked(convert: Callable[[str], str], text: str) -> float:
    began = time.process_time()
    convert(text)
    return time.process_time() - began

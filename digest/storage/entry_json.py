"""The entries of digests as JSON, as mailings keep them. Many digests share theirs: each is done once.

A mailing has the texts of its keywords, and for each entry an edition and the places of its keywords there.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from digest.model.digest import Digest, Entry
from digest.model.paper import Paper

_json = json.JSONEncoder(ensure_ascii=False).encode


class EntriesWriter:
    """Writes the entries of digests. `number_of` gives the edition of a paper."""

    def __init__(self, number_of: Callable[[Paper], int]) -> None:
        self._number_of = number_of
        self._written: dict[tuple[int, tuple[str, ...]], tuple[Sequence[Entry], str]] = {}

    def text_of(self, digest: Digest) -> str:
        shared = (id(digest.entries), digest.keywords)  # it keeps the entries, so that no others get their id
        if shared not in self._written:
            self._written[shared] = digest.entries, self._text(digest)
        return self._written[shared][1]

    def _text(self, digest: Digest) -> str:
        """By hand it is faster."""
        place = {text: place for place, text in enumerate(digest.keywords)}
        places: dict[tuple[str, ...], str] = {(text,): f"[{at}]" for text, at in place.items()}
        entries = [
            f"[{self._number_of(paper)},{places.get(keywords) or _json([place[text] for text in keywords])}]"
            for paper, keywords in digest.entries
        ]
        return f"[{','.join(entries)}]"


def read_entries(
    texts: Iterable[tuple[str, str]], read: Callable[[Iterable[int]], Mapping[int, Paper]]
) -> Mapping[tuple[str, str], tuple[tuple[str, ...], tuple[Entry, ...]]]:
    """Returns keywords and entries by the texts of both. `read` gives the papers of editions."""
    parsed = {
        (keywords, entries): (json.loads(keywords), json.loads(entries)) for keywords, entries in set(texts)
    }
    papers = read({edition for _, placed in parsed.values() for edition, _ in placed})
    return {
        pair: (
            tuple(keywords),
            tuple(
                [Entry(papers[edition], tuple([keywords[at] for at in places])) for edition, places in placed]
            ),
        )
        for pair, (keywords, placed) in parsed.items()
    }

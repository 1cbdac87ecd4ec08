"""Papers and keywords to measure with: real papers where they are at hand, else invented ones."""

import gzip
import json
import random
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate, chain, cycle, pairwise
from pathlib import Path

from digest.errors import QueryError
from digest.keywords.analysis import STOP_WORDS
from digest.keywords.query import parse
from digest.model.categories import NAMES
from digest.model.paper import ArxivId, Paper

SHARED = Path(__file__).parents[2] / "shared"
CORPUS = SHARED / "arxiv" / "corpus.jsonl.gz"

_FIRST_SUBMISSION = datetime(2026, 6, 1, tzinfo=UTC)
_CATEGORIES = sorted(NAMES)
_WORD = re.compile(r"[a-z]{3,}")
_FREQUENT = 8
_COMPOUNDS = (
    '"{a}" AND "{b}"',
    '"{a}" OR "{b}" OR "{c}"',
    '"{a}" ANDNOT "{b}"',
    'cat:{category} AND ("{a}" OR "{b}")',
    'cat:{archive}.* AND ti:"{a}"',
    'au:"{author}" AND abs:"{b}"',
    'au:"{author}" OR ="{c}"',
    '{word}* AND "{b}"',
)


def papers(count: int) -> tuple[Paper, ...]:
    """The first `count` papers at hand, in the order of their announcement."""
    return _corpus_papers(count) if CORPUS.exists() else invented_papers(count)


def _corpus_papers(count: int) -> tuple[Paper, ...]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(count), lines, strict=False)]
    return tuple(
        Paper(
            id=ArxivId(row["id"]),
            version=1,
            title=row["title"],
            abstract=row["abstract"],
            authors=tuple(row["authors"] or ["Anonymous"]),
            categories=tuple(row["categories"]),
            submitted_at=datetime.fromisoformat(row["announced"]).replace(tzinfo=UTC),
            comment=row.get("comment"),
        )
        for row in rows
    )


def invented_papers(count: int, seed: int = 1) -> tuple[Paper, ...]:
    """Papers whose words are as frequent and whose texts are as long as those of real ones."""
    chance = random.Random(seed)  # noqa: S311 (the same papers each time)
    vocabulary = _vocabulary(chance, 30_000)
    # Zipf's law: the word of rank n is n times rarer than the first.
    weights = list(accumulate(1 / rank for rank in range(1, len(vocabulary) + 1)))
    words = partial(chance.choices, vocabulary, cum_weights=weights)
    names = [f"{chance.choice(vocabulary)} {chance.choice(vocabulary)}".title() for _ in range(5_000)]
    return tuple(
        Paper(
            id=ArxivId(f"2606.{number:05}"),
            version=1,
            title=" ".join(words(k=11)).capitalize(),
            abstract=". ".join(" ".join(words(k=20)).capitalize() for _ in range(9)) + ".",
            authors=tuple(chance.sample(names, k=chance.randint(1, 7))),
            categories=tuple(chance.sample(_CATEGORIES, k=2)),
            submitted_at=_FIRST_SUBMISSION + timedelta(minutes=number),
        )
        for number in range(1, count + 1)
    )


def _vocabulary(chance: random.Random, size: int) -> list[str]:
    """Common words first: these are stop words and short ones."""
    syllables = [first + vowel for first in "bcdfglmnprstv" for vowel in "aeiou"]
    invented = {"".join(chance.choices(syllables, k=chance.randint(2, 5))) for _ in range(size)}
    return [*sorted(STOP_WORDS), *sorted(invented, key=lambda word: (len(word), word))]


def keywords(known: Sequence[Paper], count: int, seed: int = 1) -> tuple[str, ...]:
    """`count` distinct keywords from the texts of `known`, a tenth of them with operators.

    The others are two words that stand side by side: often in one half, in the other in few papers.
    Fewer papers than are needed raise `ValueError`.
    """
    chance = random.Random(seed)  # noqa: S311 (the same keywords each time)
    frequent, rare = _phrases(known)
    chance.shuffle(frequent)
    chance.shuffle(rare)
    both = list(chain.from_iterable(zip(frequent, rare, strict=False)))
    plain = iter([*both, *rare[len(frequent) :], *frequent[len(rare) :]])
    found: dict[str, str] = {}
    compound = _compounds(known, frequent + rare, chance)
    while len(found) < count:
        text = next(compound) if len(found) % 10 == 9 else next(plain, None)
        if text is None:
            raise ValueError(f"{len(known)} papers are too few for {count} distinct keywords")
        try:
            found.setdefault(parse(text).key, text)
        except QueryError:
            continue
    return tuple(found.values())


def _phrases(known: Sequence[Paper]) -> tuple[list[str], list[str]]:
    """Pairs of words that stand side by side: those of many papers, and those of few."""
    usage: Counter[str] = Counter()
    for paper in known:
        found = _WORD.findall(f"{paper.title} {paper.abstract}".lower())
        usage.update({f"{a} {b}" for a, b in pairwise(found) if not STOP_WORDS & {a, b}})
    counted = sorted(usage.items(), key=lambda item: (-item[1], item[0]))
    border = bisect(counted, -_FREQUENT, key=lambda item: -item[1])
    pairs = [pair for pair, _ in counted]
    return pairs[:border], pairs[border:]


def _compounds(known: Sequence[Paper], phrases: Sequence[str], chance: random.Random) -> Iterator[str]:
    for form in cycle(_COMPOUNDS):
        a, b, c = chance.choices(phrases, k=3)
        paper = chance.choice(known)
        category = paper.primary_category
        archive = category.partition(".")[0]
        yield form.format(
            a=a, b=b, c=c, word=a.split()[0], author=paper.authors[0], category=category, archive=archive
        )

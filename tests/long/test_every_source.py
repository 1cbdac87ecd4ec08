"""Nine real days, fifty keywords: whichever source answers, exactly the papers come that are to come."""

import gzip
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import Installation, Simulator, mail_server, needs_simulator, simulator
from tests.acceptance.oracle import CALENDAR, CORPUS, load_search

pytestmark = [needs_simulator, pytest.mark.long]

SOURCES = {
    "/api": ("arxiv__api_url", "/api/query"),
    "/oai": ("arxiv__oai_url", "/oai"),
    "/atom": ("arxiv__feed_url", "/atom"),
}
DOWN = "406"
Mailed = Mapping[str, Mapping[str, frozenset[str]]]
"""Keyword → day → papers."""
Row = dict[str, Any]
Rule = Callable[[Row], bool]


def either(*phrases: str) -> str:
    """A phrase in title or abstract, in arXiv's own syntax with every bracket."""
    asked = [f'{field}:"{phrase}"' for phrase in phrases for field in ("ti", "abs")]
    joined = asked.pop()
    while asked:
        joined = f"({asked.pop()} OR {joined})"
    return joined


@cache
def said(text: str) -> str:
    """The words of a text between blanks, in small letters and without a last `'s`."""
    found = re.findall(r"\w+(?:[.:'’]\w+)*", text.lower())
    bare = " ".join(word.removesuffix("'s").removesuffix("’s") for word in found)
    return f" {bare} "


def has(pattern: str, *, fields: Sequence[str] = ("title", "abstract")) -> Rule:
    """Whether one of these fields has such words, each as a whole."""
    return lambda row: any(re.search(rf" (?:{pattern}) ", said(row[field])) for field in fields)


def named(pattern: str) -> Rule:
    """Whether an author has such a name, or this as some parts of it, in plain small letters."""
    return lambda row: any(re.search(rf"(?:^| )(?:{pattern})(?:$| )", plain(name)) for name in row["authors"])


def plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.lower())
    return (
        "".join(letter for letter in letters if not unicodedata.combining(letter))
        .replace("ł", "l")
        .replace("ø", "o")
    )


def within(category: str) -> Rule:
    return lambda row: category in row["categories"]


def both(one: Rule, other: Rule) -> Rule:
    return lambda row: one(row) and other(row)


def without(one: Rule, other: Rule) -> Rule:
    return lambda row: one(row) and not other(row)


# A keyword, and the same question in arXiv's own syntax, which the simulated arXiv answers: that has nothing
# of the project in it. Of these, exactly what arXiv has comes.
EXACT = {
    "reinforcement learning": either("reinforcement learning"),
    "graph-neural networks": either("graph neural network"),
    "state of the art": either("state of the art"),
    "Qwen2.5": either("Qwen2.5"),
    "i.i.d.": either("i.i.d."),
    "γ_p": either("γ_p"),
    "3.1": either("3.1"),
    "OS": either("OS"),
    "vs": either("vs"),
    "cosmology": either("cosmology"),
    "topology": either("topology"),
    "possibly": either("possibly"),
    '"C++ code" OR "C*-algebra"': f"({either('C++ code')} OR {either('C*-algebra')})",
    '"C++"': either("C++"),
    "γ": either("γ"),
    "φ OR ρ AND meson": f"({either('φ')} OR ({either('ρ')} AND {either('meson')}))",
    '"it is not"': either("it is not"),
    "Newton's method": either("Newton's method"),
    "ti:transformer": 'ti:"transformer"',
    'abs:"error correction"': 'abs:"error correction"',
    "cat:cs.PL": "cat:cs.PL",
    "cat:q-bio.*": "cat:q-bio.*",
    "cat:cs.* AND ti:benchmark": '(cat:cs.* AND ti:"benchmark")',
    "cat:math.AG AND NOT abs:moduli": '(cat:math.AG ANDNOT abs:"moduli")',
    "ti:quantum AND abs:noise OR ti:compiler": '((ti:"quantum" AND abs:"noise") OR ti:"compiler")',
    "(ti:graph OR ti:tree) ANDNOT cat:cs.LG": '((ti:"graph" OR ti:"tree") ANDNOT cat:cs.LG)',
    "id:2409.02881": "id:2409.02881",
    'au:"José F. Rodrigues-Jr"': 'au:"José F. Rodrigues-Jr"',
    'au:"Peter-Paul de Wolf"': 'au:"Peter-Paul de Wolf"',
}
# The feed tells neither comments nor references.
REMARKS = {
    "co:ICML": 'co:"ICML"',
    'co:"accepted at ICML"': 'co:"accepted at ICML"',
    'jr:"Phys. Rev. Lett."': 'jr:"Phys. Rev. Lett."',
    "all:neutrino": 'all:"neutrino"',
    "all:hep-th ANDNOT jr:phys": '(all:"hep-th" ANDNOT jr:"phys")',
    'all:"Yang Liu"': 'all:"Yang Liu"',
}
# Beside what arXiv has, these papers come, as docs/keywords.md says: others do not.
BEYOND: dict[str, tuple[str, str | Rule]] = {
    "Schrödinger equation": (either("Schrödinger equation"), either("Schrodinger equation")),
    "Kähler OR Erdős": (
        f"({either('Kähler')} OR {either('Erdős')})",
        f"({either('Kahler')} OR {either('Erdos')})",
    ),
    "optimiz* AND cat:cs.DC": (
        "((ti:optimiz* OR abs:optimiz*) AND cat:cs.DC)",
        both(has(r"optimiz\S*"), within("cs.DC")),
    ),
    "federat*": ("(ti:federat* OR abs:federat*)", has(r"federat\S*")),
    "ti:neuro*": ("ti:neuro*", has(r"neuro\S*", fields=["title"])),
    "abs:superconduct* ANDNOT cat:cond-mat.supr-con": (
        "(abs:superconduct* ANDNOT cat:cond-mat.supr-con)",
        without(has(r"superconduct\S*", fields=["abstract"]), within("cond-mat.supr-con")),
    ),
    'au:"Wei Zhang"': ('au:"Wei Zhang"', named(r"w\.? zhang")),
    'au:"Lin Chen"': ('au:"Lin Chen"', named(r"l\.? chen")),
    "au:Müller": ("au:Müller", named("mueller")),
    'au:"Liu, Y."': ('au:"Y Liu"', named(r"y\w*(?: \S+)? liu")),
    "au:chudziak_a": ('au:"A Chudziak"', named(r"a\w* chudziak")),
    'au:"Giang-Son Nguyen"': ('au:"Giang-Son Nguyen"', named("giang son nguyen")),
    'au:"Dela-Cruz"': ('au:"Dela-Cruz"', named("dela cruz")),
    'au:"Michal Kotowski" OR au:"M. Pawlikowski"': (
        '(au:"Michał Kotowski" OR au:"M Pawlikowski")',
        named(r"m\w* pawlikowski"),
    ),
}
# What arXiv cannot be asked in its own words.
OWN: dict[str, Rule] = {
    "neural oper*": has(r"neural oper\S*"),
    "=compiler": has("compilers?"),
    "=matrix": has("matrix|matrices|matrixes"),
    '="neural operator"': has("neural operators?"),
    '="type I"': has("types? i"),
    '="at scale"': has("at scales?"),
    "cat:cs.RO ANDNOT =learning": without(within("cs.RO"), has("learnings?")),
    "cat:stat.ML AND (=bound OR =lattice)": both(within("stat.ML"), has("bounds?|lattices?")),
}

KEYWORDS = (*EXACT, *REMARKS, *BEYOND, *OWN)
ADDRESSES = {keyword: f"reader{number}@example.org" for number, keyword in enumerate(KEYWORDS)}


def subscribers(keywords: Sequence[str]) -> str:
    return "".join(
        f'[[subscriber]]\nemail = "{ADDRESSES[keyword]}"\nkeywords = {json.dumps([keyword])}\n'
        for keyword in keywords
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real papers, which have no journal references, with some that are invented."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl.gz"
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines, gzip.open(path, "wt", encoding="utf-8") as file:
        for number, line in enumerate(lines):
            row = json.loads(line)
            if number % 20 == 0:
                row["journal_ref"] = "Phys. Rev. Lett. 136, 041201 (2026)"
            elif number % 33 == 0:
                row["journal_ref"] = "Journal of Physics: A 59 (2026)"
            file.write(f"{json.dumps(row)}\n")
    return path


@pytest.fixture(scope="module")
def due(corpus: Path) -> Mailed:
    """What is to come for each keyword on the day of its announcement: straight from the corpus."""
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        rows: dict[str, Row] = {row["id"]: row for row in map(json.loads, lines)}
    search = load_search(corpus)

    def found(asked: str | Rule) -> set[str]:
        if isinstance(asked, str):
            return {search.papers[number].id for number in search.run(asked)[0]} & rows.keys()
        return {id_ for id_, row in rows.items() if asked(row)}

    asked: dict[str, str | Rule] = {**EXACT, **REMARKS, **OWN}
    papers = {keyword: found(question) for keyword, question in asked.items()}
    papers |= {keyword: found(arxivs) | found(more) for keyword, (arxivs, more) in BEYOND.items()}
    return {
        keyword: {day: frozenset(id_ for id_ in ids if rows[id_]["announced"] == day) for day in CALENDAR[1:]}
        for keyword, ids in papers.items()
    }


@pytest.fixture(scope="module")
def arxiv(corpus: Path) -> Iterator[Simulator]:
    with simulator("--min-interval", "0.05", "--enforce", "--corpus", str(corpus)) as running:
        yield running


def nine_days(
    arxiv: Simulator,
    folder: Path,
    keywords: Sequence[str] = KEYWORDS,
    *,
    down: Callable[[int], Sequence[str]] = lambda number: (),
) -> Mailed:
    """What each keyword's subscriber was mailed on each day but the first.

    `down` tells the paths of the sources that fail on the day of this number. Unless it is all of them, the
    run ends with 0 and doubts no answer.
    """
    mailed: dict[str, dict[str, frozenset[str]]] = {keyword: {} for keyword in keywords}
    with mail_server() as (port, inbox):
        lab = Installation(
            folder,
            subscribers(keywords),
            arxiv__request_interval=0.06,
            smtp__host="127.0.0.1",
            smtp__port=port,
            smtp__security="none",
            **{setting: arxiv.url + path for setting, path in SOURCES.values()},
        )
        for number, day in enumerate(CALENDAR):
            failing = down(number)
            faults = [{"path": path, "kind": DOWN, "times": 999} for path in failing]
            arxiv.tell(reset=True, now=f"{day}T12:00:00Z", faults=faults)
            is_reached = set(failing) < set(SOURCES)
            report = lab.run(f"{day}T12:30:00Z", exit_code=0 if is_reached else 3)
            if is_reached:
                assert report["errors"] == []
                doubts = [note for note in report["notes"] if "the weekend" not in note]
                assert all(DOWN in doubt for doubt in doubts), doubts
            taken = inbox.take()
            for keyword in keywords:
                papers = taken.get(ADDRESSES[keyword], [])
                assert len(papers) == len(set(papers))
                if number:
                    mailed[keyword][day] = frozenset(papers)
            assert arxiv.tell()["violations"] == 0
    return mailed


def differences(mailed: Mailed, due: Mailed) -> list[tuple[str, str, list[str], list[str]]]:
    """Keyword and day with what is missing, and what came beyond."""
    return [
        (keyword, day, sorted(due[keyword][day] - papers), sorted(papers - due[keyword][day]))
        for keyword, days in mailed.items()
        for day, papers in days.items()
        if papers != due[keyword][day]
    ]


def test_the_keywords_are_of_all_kinds_and_find_something(due: Mailed) -> None:
    assert len(KEYWORDS) > 50
    assert [keyword for keyword, days in due.items() if not any(days.values())] == []


def test_all_sources_together_bring_what_is_due(arxiv: Simulator, due: Mailed, tmp_path: Path) -> None:
    assert differences(nine_days(arxiv, tmp_path), due) == []


@pytest.mark.parametrize("alone", ["/api", "/oai"])
def test_one_source_alone_brings_what_is_due_where_it_can(
    arxiv: Simulator, due: Mailed, tmp_path: Path, alone: str
) -> None:
    """By very common words alone, arXiv's search finds no title."""
    keywords = [keyword for keyword in KEYWORDS if (alone, keyword) != ("/api", '"it is not"')]
    others = [path for path in SOURCES if path != alone]
    assert differences(nine_days(arxiv, tmp_path, keywords, down=lambda number: others), due) == []


def test_the_daily_feed_alone_brings_what_is_due_where_it_can(
    arxiv: Simulator, due: Mailed, tmp_path: Path
) -> None:
    """It lists one announcement: the look-back of the first day is another source's."""
    keywords = [keyword for keyword in KEYWORDS if keyword not in REMARKS]
    mailed = nine_days(arxiv, tmp_path, keywords, down=lambda number: ("/api", "/oai") if number else ())
    assert differences(mailed, due) == []


@pytest.mark.parametrize("failing", SOURCES)
def test_a_source_that_fails_on_every_other_day_changes_nothing(
    arxiv: Simulator, due: Mailed, tmp_path: Path, failing: str
) -> None:
    mailed = nine_days(arxiv, tmp_path, down=lambda number: (failing,) if number % 2 else ())
    assert differences(mailed, due) == []


def test_what_a_day_without_any_source_had_comes_on_the_next(
    arxiv: Simulator, due: Mailed, tmp_path: Path
) -> None:
    mailed = nine_days(arxiv, tmp_path, down=lambda number: tuple(SOURCES) if number % 2 else ())
    assert not any(days[day] for days in mailed.values() for day in CALENDAR[1::2])
    together = {
        keyword: {
            **dict.fromkeys(CALENDAR[1::2], frozenset()),
            **{
                second: days[first] | days[second]
                for first, second in zip(CALENDAR[1::2], CALENDAR[2::2], strict=True)
            },
        }
        for keyword, days in due.items()
    }
    assert differences(mailed, together) == []


def test_a_keyword_brings_what_is_due_whatever_else_is_followed(
    arxiv: Simulator, due: Mailed, tmp_path: Path
) -> None:
    assert differences(nine_days(arxiv, tmp_path, KEYWORDS[::-3]), due) == []

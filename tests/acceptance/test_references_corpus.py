"""Real papers of ../shared as references, and back: by bibtexparser and rispy, and some by biber."""

import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import pytest
import rispy
from bibtexparser import middlewares
from bibtexparser.entrypoint import parse_string

from digest.mail.citations import Format
from digest.mail.citations.reference import Reference, references
from digest.mail.citations.writer import write_references
from digest.model.paper import ArxivId, Paper, one_line
from digest.sources.arxiv.tex_to_unicode import GREEK

SHARED = Path(__file__).parents[3] / "shared" / "arxiv"
CORPORA = [SHARED / f"{name}.jsonl.gz" for name in ("corpus", "older")]

pytestmark = pytest.mark.skipif(
    not all(path.exists() for path in CORPORA), reason="the real papers of ../shared are not here"
)

_BLTX = "{http://biblatex-biber.sourceforge.net/biblatexml}"
_PARTS = ("given", "prefix", "family", "suffix")
# What we write otherwise than the author: braces, dollars and signs with a backslash.
_WRITTEN = {
    r"\textless": "<", r"\textgreater": ">", r"\textasciicircum": "^", r"\textbraceleft": "",
    r"\textbraceright": "", r"\lbrace": "", r"\rbrace": "",
}  # fmt: skip
_GREEK = str.maketrans({letter: f"\\{name}" for name, letter in GREEK.items()})
_MARKUP = re.compile(r"\\(?=[&%#_$()\[\]])|[\s{}$()\[\]]")


@pytest.fixture(scope="module", params=[10, pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"])
def papers(request: pytest.FixtureRequest) -> list[Paper]:
    found: dict[str, Paper] = {}
    for path in CORPORA:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found.update((paper.id, paper) for paper in map(_paper, lines))
    return list(found.values())[:: request.param]


def _paper(line: str) -> Paper:
    row = json.loads(line)
    return Paper(
        id=ArxivId(row["id"]),
        version=1,
        title=row["title"],
        abstract=row["abstract"],
        authors=tuple(row["authors"]),
        categories=tuple(row["categories"]),
        doi=row.get("doi"),
        journal_ref=row.get("comment"),
    )


@pytest.fixture(scope="module")
def known(papers: list[Paper]) -> tuple[Reference, ...]:
    return references(papers)


def test_bibtex_is_read_back_with_the_same_names_and_titles(
    papers: list[Paper], known: Sequence[Reference]
) -> None:
    library = parse_string(
        write_references(papers, Format.BIBTEX),
        append_middleware=[middlewares.SeparateCoAuthors(), middlewares.SplitNameParts()],
    )
    assert not library.failed_blocks
    assert [entry.key for entry in library.entries] == [one.key for one in known]
    assert len({one.key for one in known}) == len(papers)
    for entry, one in zip(library.entries, known, strict=True):
        fields = {name: field.value for name, field in entry.fields_dict.items()}
        names = [tuple(map(_joined, (n.first, n.von, n.last, n.jr))) for n in fields.get("author", ())]
        assert names == _names(one)
        assert _letters(fields["title"]) == _letters(one.paper.title), one.id
        assert all(map(_is_even, (fields["title"], fields["abstract"], fields.get("note", "")))), one.id


def test_ris_is_read_back_as_it_was(papers: list[Paper], known: Sequence[Reference]) -> None:
    entries = rispy.loads(write_references(papers, Format.RIS))
    for entry, one in zip(entries, known, strict=True):
        assert (entry["title"], entry["abstract"], entry["doi"]) == (one.title, one.abstract, one.doi)
        assert entry.get("authors", []) == [name.inverted for name in one.authors]


def test_the_other_formats_have_every_paper(papers: list[Paper], known: Sequence[Reference]) -> None:
    items = json.loads(write_references(papers, Format.CSL_JSON))
    assert [item["title"] for item in items] == [one.title for one in known]
    assert write_references(papers, Format.MARKDOWN).count("\n") == len(papers)


@pytest.mark.skipif(shutil.which("biber") is None, reason="biber is not installed")
def test_biber_reads_the_names_in_their_parts(
    papers: list[Paper], known: Sequence[Reference], tmp_path: Path
) -> None:
    """Some, with all that have a particle, a suffix or a name without parts."""
    odd = (one for one in known if any(n.particle or n.suffix or n.is_whole for n in one.authors))
    chosen = {one.id: one for one in (*islice(odd, 200), *known[::100])}
    (tmp_path / "some.bib").write_text(
        write_references([one.paper for one in chosen.values()], Format.BIBTEX), encoding="utf-8"
    )
    done = subprocess.run(
        ["biber", "--tool", "--output-format=biblatexml", "-O", "some.xml", "some.bib"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, "WARN" in done.stdout, "ERROR" in done.stdout) == (0, False, False), done.stdout
    entries = ElementTree.parse(tmp_path / "some.xml").getroot().iter(f"{_BLTX}entry")
    read = {entry.get("id"): list(map(_biber_name, entry.iter(f"{_BLTX}name"))) for entry in entries}
    assert read == {one.key: _names(one) for one in chosen.values()}


def _names(one: Reference) -> list[tuple[str, ...]]:
    return [(name.given, name.particle, name.family, name.suffix) for name in one.authors]


def _biber_name(name: ElementTree.Element) -> tuple[str, ...]:
    parts = {part.get("type"): one_line(" ".join(part.itertext())) for part in name}
    return tuple(parts.get(part) or "" for part in _PARTS)


def _joined(words: list[str]) -> str:
    return " ".join(words).strip("{}")


def _letters(title: str) -> str:
    """A title without markup for which there is more than one way."""
    for command, sign in _WRITTEN.items():
        title = title.replace(command, sign)
    return _MARKUP.sub("", title.translate(_GREEK))


def _is_even(text: str) -> bool:
    depths = [0]
    for sign in re.findall(r"[{}]", text):
        depths.append(depths[-1] + (1 if sign == "{" else -1))
    return min(depths) == depths[-1] == 0

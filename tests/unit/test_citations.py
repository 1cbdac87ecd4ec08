"""References are read back, by parsers of others, as what the paper says."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
import rispy
from bibtexparser import middlewares
from bibtexparser.entrypoint import parse_string
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from digest.mail.citations import Format
from digest.mail.citations.bibtex import write_bibtex
from digest.mail.citations.coins import context_object
from digest.mail.citations.names import Name, parse_names
from digest.mail.citations.tex import bibtex_text, bibtex_title
from digest.mail.citations.writer import write_references
from digest.mail.rendering.tex.convert import plain
from tests.factories import invented_paper

PAPER = replace(
    invented_paper("2606.51234", r"Training CNNs on $\mathcal{O}(n^2)$ tea leaves & 50% milk"),
    authors=("Jan van der Berg", "Bo Sample Jr.", "TEAPOT Collaboration", "Ada de la Cruz", "Li"),
)
OLD = replace(invented_paper("math/0399136", "Old"), submitted_at=None, categories=("math.GT",), authors=())

NAMES = {
    "Jan van der Berg": Name(given="Jan", particle="van der", family="Berg"),
    "Ada de la Cruz": Name(given="Ada", particle="de la", family="Cruz"),
    "Ada De la Cruz": Name(given="Ada", family="De la Cruz"),
    "Jean de La Fontaine": Name(given="Jean", particle="de", family="La Fontaine"),
    "Bo Sample Jr.": Name(given="Bo", family="Sample", suffix="Jr."),
    "Bo Q. Sample III": Name(given="Bo Q.", family="Sample", suffix="III"),
    "Ana Sample Filho": Name(given="Ana", family="Sample Filho"),
    "Ana S. Filho": Name(given="Ana S.", family="Filho"),
    "Ada Muster y Beispiel": Name(given="Ada", family="Muster y Beispiel"),
    "Ada Di Esempio": Name(given="Ada", family="Di Esempio"),
    "Phuc Van Nguyen": Name(given="Phuc Van", family="Nguyen"),
    "Piet Van Voorbeeld": Name(given="Piet", family="Van Voorbeeld"),
    "Ada d'Esempio": Name(given="Ada", family="d'Esempio"),
    "J. R. Sample": Name(given="J. R.", family="Sample"),
    "the TEAPOT Collaboration": Name(family="the TEAPOT Collaboration"),
    "Cup Team": Name(family="Cup Team"),
    "Li": Name(family="Li"),
    "and Bo Sample": Name(given="Bo", family="Sample"),
    r"Erd\H{o}s Example": Name(given="Erdős", family="Example"),
}


@pytest.mark.parametrize(("text", "name"), NAMES.items(), ids=NAMES)
def test_a_name_has_particles_suffixes_and_groups(text: str, name: Name) -> None:
    assert parse_names((text,)) == (name,)


def test_what_has_no_letter_is_no_name() -> None:
    assert parse_names((":", "")) == ()


TITLES = {
    "Deep CNNs for arXiv": "Deep {CNN}s for {arXiv}",
    "On 3D tea & 50% milk #1": r"On {3D} tea \& 50\% milk \#1",
    "A $G_2$ bound": "A {$G_2$} bound",
    r"A \(G_2\) bound": "A {$G_2$} bound",
    "The SL_2 action of T^n": "The {SL}{$_{2}$} action of {T}{$^{n}$}",
    "A name_of_something": r"A name\_of\_something",
    "The Λ-type $γ_p$ and $αx$ of Τσάι": r"The {$\Lambda$}-type {$\gamma_p$} and {$\alpha x$} of Τσάι",
    "Tea from $5 to $10": r"Tea from \$5 to \$10",
    "Drinking some tea in Banach spaces": "Drinking some tea in {Banach} spaces",
    "The Way of Tea: A Survey": "The Way of Tea: A Survey",
    "The Way of Tea. I. Green Tea": "The Way of Tea. {I}. Green Tea",
    "IN CAPITALS ALTOGETHER": "IN CAPITALS ALTOGETHER",
    r"Made with \LaTeX in {\bf Bold}": r"Made with {\LaTeX} in {\bf Bold}",
    r"Erd\H{o}s and \"Uber": r"Erd{\H{o}}s and \"Uber",
    "A set { of } tea } or {": r"A set { of } tea \textbraceright{} or \textbraceleft{}",
    r"A set \{ of tea": r"A set \textbraceleft{} of tea",
    r"$\left\{ x \right.$ tea": r"{$\left\lbrace  x \right.$} tea",
    "The end\\": r"The end\textbackslash{}",
    r"The end\\ \\": "The end",
}


@pytest.mark.parametrize(("title", "written"), TITLES.items(), ids=TITLES)
def test_a_title_keeps_its_tex_and_its_capitals(title: str, written: str) -> None:
    assert bibtex_title(title) == written


def test_capitals_of_an_abstract_need_no_braces() -> None:
    assert bibtex_text("CNNs & $x$: 5%") == r"CNNs \& $x$: 5\%"


def test_an_address_stays_one() -> None:
    assert bibtex_text("see https://tea.example.org/a_2#b") == r"see https://tea.example.org/a\_2\#b"


def test_bibtex_has_what_biblatex_and_older_styles_ask_for() -> None:
    (entry,) = read_bibtex(write_bibtex([PAPER]))
    fields = {name: field.value for name, field in entry.fields_dict.items()}
    assert (entry.entry_type, entry.key) == ("misc", "berg2026-2606.51234")
    assert (
        fields
        | {
            "title": r"Training {CNN}s on {$\mathcal{O}(n^2)$} tea leaves \& 50\% milk",
            "year": "2026",
            "eprint": "2606.51234",
            "eprinttype": "arxiv",
            "eprintclass": "cs.LG",
            "archivePrefix": "arXiv",
            "primaryClass": "cs.LG",
            "doi": "10.48550/arXiv.2606.51234",
            "url": "https://arxiv.org/abs/2606.51234",
            "abstract": "We say little, and show less.",
        }
        == fields
    )
    assert [parts(name) for name in fields["author"]] == [
        ("Jan", "van der", "Berg", ""),
        ("Bo", "", "Sample", "Jr."),
        ("", "", "{TEAPOT Collaboration}", ""),
        ("Ada", "de la", "Cruz", ""),
        ("", "", "{Li}", ""),
    ]


def test_ris_has_one_line_for_each_value() -> None:
    text = write_references([replace(PAPER, abstract="Two\n\nlines")], Format.RIS)
    (entry,) = rispy.loads(text)
    assert (
        entry
        | {
            "title": "Training CNNs on 𝒪(n²) tea leaves & 50% milk",
            "authors": [
                "van der Berg, Jan",
                "Sample, Bo, Jr.",
                "TEAPOT Collaboration",
                "de la Cruz, Ada",
                "Li",
            ],
            "year": "2026",
            "date": "2026/06/15/",
            "abstract": "Two lines",
            "doi": "10.48550/arXiv.2606.51234",
            "urls": ["https://arxiv.org/abs/2606.51234"],
        }
        == entry
    )
    assert all(re.fullmatch(r"[A-Z][A-Z\d]  - .*", line) for line in text.split("\r\n") if line)
    assert "type_of_work" not in entry  # Zotero would take it for the DOI


def test_csl_json_is_that_of_a_preprint() -> None:
    (item,) = json.loads(write_references([PAPER], Format.CSL_JSON))
    assert (
        item
        | {
            "type": "article",
            "number": "arXiv:2606.51234",
            "DOI": "10.48550/arXiv.2606.51234",
            "issued": {"date-parts": [[2026, 6, 15]]},
            "author": [
                {"family": "Berg", "given": "Jan", "non-dropping-particle": "van der"},
                {"family": "Sample", "given": "Bo", "suffix": "Jr."},
                {"literal": "TEAPOT Collaboration"},
                {"family": "Cruz", "given": "Ada", "non-dropping-particle": "de la"},
                {"literal": "Li"},
            ],
        }
        == item
    )


def test_markdown_shows_names_and_title_as_they_are() -> None:
    text = write_references([replace(PAPER, title="A *star* and <b>")], Format.MARKDOWN)
    html = MarkdownIt().render(text)
    assert '<a href="https://arxiv.org/abs/2606.51234">A *star* and &lt;b&gt;</a>' in html
    assert "Jan van der Berg, Bo Sample Jr., TEAPOT Collaboration, Ada de la Cruz, Li: " in html


def test_a_journal_gives_its_doi_and_a_note() -> None:
    paper = replace(PAPER, doi="doi:10.1000/x_(1), 10.1000/y", journal_ref="J. Tea & Milk 3")
    (entry,) = read_bibtex(write_bibtex([paper]))
    assert entry.fields_dict["doi"].value == "10.1000/x_(1)"
    assert entry.fields_dict["note"].value == r"J. Tea \& Milk 3"


@pytest.mark.parametrize("form", Format)
def test_a_doi_is_whole(form: Format) -> None:
    doi = "10.1002/(SICI)1096-8644(199808)106:4<483::AID-AJPA4>3.0.CO;2-K"
    assert doi in unquote(write_references([replace(PAPER, doi=doi)], form))


def test_a_paper_without_anything_has_its_year_and_identifier() -> None:
    bare = replace(OLD, title="", abstract="", categories=())
    (entry,) = read_bibtex(write_bibtex([bare]))
    assert entry.key == "arxiv2003-math.0399136"
    assert entry.fields_dict["title"].value == "math/0399136"
    assert entry.fields_dict["doi"].value == "10.48550/arXiv.math/0399136"
    assert rispy.loads(write_references([bare], Format.RIS))[0]["date"] == "2003///"


@pytest.mark.parametrize("form", Format)
def test_each_paper_is_there_once(form: Format) -> None:
    assert write_references([PAPER, OLD, replace(PAPER, version=2)], form) == write_references(
        [PAPER, OLD], form
    )
    assert PAPER.abs_url in write_references([PAPER], form)


# Zotero's rules: openurl.js of https://github.com/zotero/utilities.


def zotero_item(context: str) -> dict[str, Any]:
    """What Zotero's connector makes of a context object, key by key in their order."""
    item: dict[str, Any] = {"creators": []}
    for key, value in parse_qsl(context):
        match key:
            case "rft_val_fmt":
                item["type"] = {"info:ofi/fmt:kev:mtx:journal": "journalArticle"}[value]
            case "rft.type":
                item["type"] = value
            case "rft.atitle" if item["type"] == "journalArticle":
                item["title"] = value
            case "rft.au":
                name = re.sub(r"[\s.,/\[\]:]+$", "", value)
                last, _, first = name.partition(", ") if "," in value else name.rpartition(" ")[::-1]
                item["creators"].append((last, first))
            case "rft_id" if value.startswith("info:doi/"):
                item["DOI"] = value.removeprefix("info:doi/")
            case "rft_id" if value.startswith("https://"):
                item["url"] = value
            case "rft.date" | "rft.description":
                item[key] = value
    return item


def test_zotero_takes_a_preprint_from_a_page() -> None:
    assert context_object(PAPER).startswith("ctx_ver=Z39.88-2004&rft_val_fmt=info%3Aofi")
    assert zotero_item(context_object(PAPER)) == {
        "type": "preprint",
        "title": "Training CNNs on 𝒪(n²) tea leaves & 50% milk",
        "creators": [
            ("van der Berg", "Jan"),
            ("Sample", "Bo Jr"),
            ("TEAPOT Collaboration", ""),
            ("de la Cruz", "Ada"),
            ("Li", ""),
        ],
        "DOI": "10.48550/arXiv.2606.51234",
        "url": "https://arxiv.org/abs/2606.51234",
        "rft.date": "2026-06-15",
        "rft.description": "We say little, and show less.",
    }


# Any text at all.

PIECES = (
    *("{", "}", "\\", "$", "$$", r"\{", r"\}", r"\\", r"\(", r"\)", "%", "&", "#", "_2", "^n", "@misc{", '"'),
    *(r"\begin{align}", r"\end{align}", r"\H o", r"\LaTeX", "tea", "CNNs", " ", ", ", " and ", "=", "\n"),
)
TEX = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=14).map("".join)


@given(title=TEX, abstract=TEX, author=TEX)
def test_any_text_is_read_back(title: str, abstract: str, author: str) -> None:
    papers = [replace(PAPER, title=title, abstract=abstract, authors=(author, "Ada Example")), OLD]
    text = write_bibtex(papers)
    assert [entry.key for entry in read_bibtex(text)][1:] == ["arxiv2003-math.0399136"]
    assert all(map(is_even, re.split(r"(?m)^@", text)))
    first, second = rispy.loads(write_references(papers, Format.RIS))
    assert (first["doi"], second["title"]) == ("10.48550/arXiv.2606.51234", "Old")
    assert len(first["authors"]) == len(parse_names((author, "Ada Example")))


WORDS = st.lists(
    st.sampled_from(
        ["tea", "Milk", "CNNs", "3D", "$x^2$", r"$\alpha$", "A", "U.S.", "&", "50%", "C#", "(I)", "Erdős"]
    ),
    min_size=1,
).map(" ".join)


@given(title=WORDS)
def test_a_title_is_read_as_it_was(title: str) -> None:
    (entry,) = read_bibtex(write_bibtex([replace(PAPER, title=title)]))
    unprotected = re.sub(r"\{([^\\{}$]+|\$[^$]*\$)\}", r"\1", entry.fields_dict["title"].value)
    assert plain(unprotected) == plain(title)


def read_bibtex(text: str) -> list[Any]:
    library = parse_string(
        text, append_middleware=[middlewares.SeparateCoAuthors(), middlewares.SplitNameParts()]
    )
    assert not library.failed_blocks
    return library.entries


def parts(name: Any) -> tuple[str, ...]:
    return tuple(" ".join(words) for words in (name.first, name.von, name.last, name.jr))


def is_even(text: str) -> bool:
    def depths() -> Iterator[int]:
        depth = 0
        for sign in text:
            depth += (sign == "{") - (sign == "}")
            yield depth

    found = list(depths()) or [0]
    return min(found) >= 0 and found[-1] == 0

"""Files of reference managers: which papers are in them, by which identifiers, and what cannot be used."""

import json

import pytest

from digest.cli.libraries.parser import Reference, Unread, of_zotero, parse_library

BIBTEX = r"""
@comment{x}
@string{pub = "A Press"}
@article{example2026tea,
  title = {{Sim-to-Real} {T}ransfer of {\"U}ber-Kettles with $\alpha$-mixing},
  author = {Example, Ada},
  abstract = {Abstract. We boil \emph{water} \& wait.},
  eprint = {2606.01234},
  archiveprefix = {arXiv},
}
@misc{a, title = {By DOI}, doi = {10.48550/arXiv.2606.00002}}
@misc{b, title = {By address}, url = {https://arxiv.org/abs/2606.00003v2}}
@article{c, title = {By journal}, journal = {arXiv preprint arXiv:2606.00004}}
@article{d, title = {Old}, eprint = {math/0309136}, eprinttype = {arxiv}}
@article{e, title = "Elsewhere", eprint = {2606.00005}, eprinttype = {pubmed}, doi = {10.1000/182}}
@article{c, title = {The same key}}
@misc{f, author = {Example, Ada}}
@misc{g title = {No comma}}
"""

RIS = """TY  - JOUR
AU  - Example, Ada
TI  - By address
AB  - We boil water.
UR  - https://arxiv.org/abs/2606.00003
ER  -

TY  - GEN
T1  - By number
N1  - arXiv:2606.00004 [cs]
ER  -

TY  - BOOK
TI  - Elsewhere
DO  - 10.1000/182
ER  -

TY  - BOOK
AU  - Example, Ada
ER  -
"""

CSL = [
    {
        "id": "x/1",
        "type": "article",
        "title": "By <i>number</i>",
        "abstract": "We boil\nwater.",
        "number": "arXiv:2606.00004",
    },
    {"id": "x/2", "title": "By DOI", "DOI": "10.48550/arXiv.2606.00002"},
    {"id": "x/3", "title": "Elsewhere", "URL": "https://example.org/2606.00003"},
    {"id": "x/4", "type": "book"},
    {"id": "x/5", "title": "By journal", "container-title": "arXiv preprint arXiv:2606.00005"},
    "nothing",
]


def brief(text: str) -> list[tuple[str, str | None]]:
    return [(one.title, one.arxiv_id) for one in parse_library(text) if isinstance(one, Reference)]


def unread(text: str) -> list[str]:
    return [one.label for one in parse_library(text) if isinstance(one, Unread)]


def test_bibtex_is_read_with_identifiers_from_each_usual_field() -> None:
    assert brief(BIBTEX) == [
        ("Sim-to-Real Transfer of Über-Kettles with α-mixing", "2606.01234"),
        ("By DOI", "2606.00002"),
        ("By address", "2606.00003"),
        ("By journal", "2606.00004"),
        ("Old", "math/0309136"),
        ("Elsewhere", None),
        ("The same key", None),
    ]
    first = parse_library(BIBTEX)[0]
    assert isinstance(first, Reference)
    assert first.label == "example2026tea"
    assert first.abstract == "We boil water & wait."


def test_what_is_no_paper_in_bibtex_is_named() -> None:
    assert unread(BIBTEX) == ["f", "@misc{g title ="]


def test_ris_is_read() -> None:
    assert brief(RIS) == [("By address", "2606.00003"), ("By number", "2606.00004"), ("Elsewhere", None)]
    assert unread(RIS) == ["an entry without a title"]


@pytest.mark.parametrize(
    "field",
    [
        "archivePrefix = {arXiv}, arxivId = {2606.01234}",  # Mendeley
        "journal = {ArXiv}, volume = {abs/2606.01234}",  # Semantic Scholar
        r"howpublished = {\url{https://arxiv.org/abs/2606.01234v2}}",
        r"note = {\href{https://arxiv.org/abs/2606.01234}{Preprint}}",
        "note = {Preprint at https://arxiv.org/pdf/2606.01234}",
        "journaltitle = {arXiv preprint arXiv:2606.01234}",  # biblatex
        "journal = {arXiv preprint 2606.01234}",
        "journal = {arXiv e-prints}, eid = {arXiv:2606.01234}",  # ADS
        "eprinttype = {arXiv.org}, eprint = {2606.01234}",
        "url = {http://arxiv.org/abs/2606.01234v1; http://arxiv.org/pdf/2606.01234v1}",  # JabRef
    ],
)
def test_the_identifier_is_read_where_programs_write_it(field: str) -> None:
    assert brief(f"@article{{k, title = {{A}}, {field}}}") == [("A", "2606.01234")]


@pytest.mark.parametrize("tag", ["T2", "JF", "JO", "JA", "SP", "M1", "PB"])
def test_the_identifier_is_read_from_each_usual_tag_of_ris(tag: str) -> None:
    text = f"TY  - GEN\nTI  - A\n{tag}  - arXiv preprint arXiv:2606.01234\nER  - \n"
    assert brief(text) == [("A", "2606.01234")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("blanks", [" ", "  "])
@pytest.mark.parametrize("has_end", [True, False])
def test_every_record_of_ris_is_read_however_it_is_spaced_and_ended(
    end: str, blanks: str, has_end: bool
) -> None:
    records = [["TY - GEN", f"TI - {title}", "AB - one", "AD - two", "ER -"] for title in "ABC"]
    lines = [line for record in records for line in (record if has_end else record[:-1])]
    text = end.join(line.replace(" ", blanks, 1) for line in lines)
    assert brief(text) == [("A", None), ("B", None), ("C", None)]


def test_a_line_of_an_abstract_is_no_tag() -> None:
    (found,) = parse_library("TY  - GEN\nTI  - A\nAB  - of grade\nII - and III.\nER  - \n")
    assert isinstance(found, Reference)
    assert found.abstract == "of grade II - and III."


@pytest.mark.parametrize("text", [json.dumps(CSL), "\ufeff" + json.dumps({"items": CSL})])
def test_csl_json_is_read(text: str) -> None:
    assert brief(text) == [
        ("By number", "2606.00004"),
        ("By DOI", "2606.00002"),
        ("Elsewhere", None),
        ("By journal", "2606.00005"),
    ]
    assert unread(text) == ["x/4", "nothing"]


@pytest.mark.parametrize("text", ["", "\n", "Dear editor,", "<html>", "[", '{"title": ', "[[[["])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        parse_library(text)


def test_the_markup_of_publishers_is_no_word_of_an_abstract() -> None:
    jats = (
        "<jats:title>Abstract</jats:title><jats:p>We boil H<jats:sub>2</jats:sub>O</jats:p><p>if a < b.</p>"
    )
    (found,) = parse_library(json.dumps([{"id": "x", "title": "<p>On <i>tea</i></p>", "abstract": jats}]))
    assert isinstance(found, Reference)
    assert (found.title, found.abstract) == ("On tea", "We boil H2O if a < b.")


def test_an_empty_library_has_no_papers() -> None:
    assert parse_library("[]") == []


def test_items_of_zotero_are_read_without_notes_and_attachments() -> None:
    item = {
        "key": "K1",
        "data": {
            "itemType": "preprint",
            "title": "By archive",
            "abstractNote": "We boil water.",
            "archiveID": "arXiv:2606.00004",
        },
    }
    found = of_zotero(item)
    assert isinstance(found, Reference)
    assert (found.label, found.title, found.abstract) == ("By archive", "By archive", "We boil water.")
    assert found.arxiv_id == "2606.00004"
    extra = of_zotero({"data": {"itemType": "book", "title": "T", "extra": "x: y\narXiv: 2606.00005 [cs]"}})
    assert isinstance(extra, Reference)
    assert extra.arxiv_id == "2606.00005"
    for kind in ("note", "attachment", "annotation"):
        assert of_zotero({"data": {"itemType": kind, "title": "A note"}}) is None
    assert of_zotero({}) is None

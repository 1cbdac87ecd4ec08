import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.sources.arxiv.authors import author_name, parse_author_names


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Ada Example", "Ada Example"),
        ("Ada Example and Bo Sample", "Ada Example|Bo Sample"),
        ("A. Example, B. Sample and C. Third", "A. Example|B. Sample|C. Third"),
        ("A. Example, B. Sample, and C. Third", "A. Example|B. Sample|C. Third"),
        ("A. Example,B.Sample ,C. Third", "A. Example|B.Sample|C. Third"),
        ("A. Example & B. Sample; C. Third", "A. Example|B. Sample|C. Third"),
        ("Ada Example,\n  Bo\n  Sample", "Ada Example|Bo Sample"),
        ("Andrew Land, Sandy Anders", "Andrew Land|Sandy Anders"),
        ("Bo Sample, Jr., Ada Example III and Cy Third, II", "Bo Sample Jr.|Ada Example III|Cy Third II"),
        ("Bo Sample Jr. and Jr Third", "Bo Sample Jr.|Jr Third"),
        ("The Gnome Collaboration: A. Example, B. Sample", "The Gnome Collaboration|A. Example|B. Sample"),
        ("Gnome Collaboration, :, A. Example", "Gnome Collaboration|A. Example"),
        ("Ken'ichi O'Sample-Third", "Ken'ichi O'Sample-Third"),
        ("", ""),
        (" , ;", ""),
    ],
)
def test_names_are_told_apart_by_commas_and_the_word_and(line: str, names: str) -> None:
    assert parse_author_names(line) == tuple(filter(None, names.split("|")))


@pytest.mark.parametrize(
    "line",
    [
        "Ada Example (Univ. of Gnomes), Bo Sample (Elves and Co, Ltd.)",
        "Ada Example (1), Bo Sample (1 and 2) ((1) Univ. of Gnomes, (2) Elves and Co)",
        "Ada Example(1,2), and Bo Sample(2) ((1) Gnomes (North), (2) Elves)",
        "Ada Example (1) and Bo Sample (2), ((1) Gnomes; (2) Elves: South)",
        "(1) Ada Example, Bo Sample )",
    ],
)
def test_affiliations_are_no_authors(line: str) -> None:
    assert parse_author_names(line) == ("Ada Example", "Bo Sample")


def test_a_bracket_that_is_not_closed_hides_no_author() -> None:
    assert parse_author_names("Ada Example (Gnomes, Bo Sample")[-1] == "Bo Sample"


TEX = [
    (r"Andr\'e", "André"),
    (r"Andr\'{e}", "André"),
    (r"Andr{\'e}", "André"),
    (r"Andr{\'{e}}", "André"),
    (r"Erd\H{o}s", "Erdős"),
    (r"Erd\H os", "Erdős"),
    (r"\L{}o\'s", "Łoś"),
    (r"\L o\'s", "Łoś"),
    (r"Stanis{\l}awa", "Stanisława"),
    (r"S{\o}ren \O{}st", "Søren Øst"),
    (r"Stra{\ss}e", "Straße"),
    (r"G\"{o}del, M\"uller, {\"O}zg\"ur", "Gödel|Müller|Özgür"),
    (r"Garc\'{\i}a, Garc\'\i a, Mart{\'{\i}}n", "García|García|Martín"),
    (r"Fran\c{c}a, Fran\c ca", "França|França"),
    (r"\v{Z}itkovi\'c, \v Cech, Hole\v{s}ovsk\'{y}", "Žitković|Čech|Holešovský"),
    (r"Mu\~noz, Pe\~{n}a", "Muñoz|Peña"),
    (r"\AA{}ngstr\"om, H\aa kon", "Ångström|Håkon"),
    (r"{\AE}r\o, \OE{}dipe", "Ærø|Œdipe"),
    (r"\c{S}\u{a}rb\u{a}toare, \k{A}cki, \.Izmir, \r{u}, \={a}", "Şărbătoare|Ącki|İzmir|ů|ā"),
    (r"Nguy\~{\^e}n", r"Nguy\~{ê}n"),
    (r"J.~Sample, J.\,Sample, J.\ Sample", "J. Sample|J. Sample|J. Sample"),
    (r"Jos\\'e, Pl\\\"otz", "José|Plötz"),
    ("{The Gnomes}", "The Gnomes"),
    ("Ünïçøde", "Ünïçøde"),
]


@pytest.mark.parametrize(("line", "names"), TEX)
def test_tex_accents_and_letters_come_out_as_characters(line: str, names: str) -> None:
    found = parse_author_names(line)
    assert found == tuple(names.split("|"))
    assert all(unicodedata.is_normalized("NFC", name) for name in found)


@pytest.mark.parametrize(
    "name", [r"\gnome{x} Sample", r"A$^{1}$ \textbf{Sample}", r"\orange", r"\t{oo}", r"\'1", "\\", r"\vec{x}"]
)
def test_tex_that_is_not_known_stays_as_written(name: str) -> None:
    assert author_name(name) == name


@given(st.text(st.sampled_from("ab ,;:()\\{}'\"~ovcHLandJr.\n"), max_size=60))
def test_any_line_gives_names_without_separators_or_blank_ends(line: str) -> None:
    for name in parse_author_names(line):
        assert name == " ".join(name.split())
        assert any(map(str.isalnum, name))
        assert not set(name) & set("(),;:")


def test_a_line_of_only_brackets_is_read_in_no_time() -> None:
    assert parse_author_names("(" * 300_000 + ")" * 300_000 + "Ada") == ("Ada",)
    assert parse_author_names("()" * 300_000 + "Ada") == ("Ada",)
    assert parse_author_names("\\{" * 300_000 + " and " * 100_000)[:1]

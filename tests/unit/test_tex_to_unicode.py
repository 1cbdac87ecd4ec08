import re
import unicodedata
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.sources.arxiv.authors import author_name
from digest.sources.arxiv.tex_to_unicode import tex_to_unicode

WITH_NAMES = {
    "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "ı": "i", "đ": "dj",
    "α": "alpha", "η": "eta", "ρ": "rho", "ς": "varsigma", "φ": "phi", "ψ": "psi", "Γ": "Gamma", "Ω": "Omega",
    "§": "S", "†": "dag",
}  # fmt: skip
MARKS = {
    "\u0301": "'",
    "\u0308": '"',
    "\u0302": "^",
    "\u0303": "~",
    "\u0327": "c",
    "\u030c": "v",
    "\u030b": "H",
}
ACCENTED = "éÉíöÜñçőČǎâŷ"


def typed(text: str) -> str:
    """`text` in TeX's letters and accents alone."""
    return "".join(map(_typed, text))


def _typed(character: str) -> str:
    if character in WITH_NAMES:
        return f"\\{WITH_NAMES[character]} "
    letter, *marks = list(unicodedata.normalize("NFD", character))
    return f"\\{MARKS[marks[0]]}{{{letter}}}" if marks else character


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"Schr\"odinger and Schr\"{o}dinger", "Schrödinger and Schrödinger"),
        (r"{\o}re, \o re, \o{}re, S{\O}REN", "øre, øre, øre, SØREN"),
        (r"Erd\H{o}s--R\'enyi", "Erdős--Rényi"),
        (r"na\"\i ve, na\"{\i}ve, Mart{\'\i}n", "naïve, naïve, Mart{í}n"),
        (r"\^{\j}, {\j}oule", "ĵ, joule"),
        (r"\c{c}, \v{s}, \k{a}, \u{g}, \r{u}, \.{z}, \={o}, \~n", "ç, š, ą, ğ, ů, ż, ō, ñ"),
        (r"$\rho (x)$", "$ρ(x)$"),
        (r"$\rho  x$", "$ρ x$"),
        (r"$\alpha\beta_\gamma^{\delta}$", "$αβ_γ^δ$"),
        (r"the \alpha\ particle", "the α particle"),
        ("\\rho\nx", "ρ\nx"),
        (r"$\{\alpha\}$ and {\alpha}", r"$\{α\}$ and α"),
        (r"{{Gnomes}} and {{{Elves}}}", "{Gnomes} and {Elves}"),
        (r"\S 3, \copyright{} \dag", "§3, © †"),
        (r"\t{o}", "o"),
    ],
)
def test_tex_becomes_the_characters_that_the_search_api_gives(text: str, shown: str) -> None:
    assert tex_to_unicode(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        r"\varphi and \upsilon, \varepsilon, \vartheta, \ell",
        r"AT\&T, 5\%, \$3, \_, \#",
        r"J.~Sample, a\,b, $x\;y$, \(z\), \[w\]",
        r"$\frac{a}{b} \le \sqrt{2}$, \emph{so}, \mathbb{R}",
        r"\alpha2 and \alphabet and \rhos",
        r"\d{a}, \b{a}, \c c, \H o, \t{oo}",
        "{Gnomes} {} {{",
        "C:\\",
    ],
)
def test_all_other_tex_stays(text: str) -> None:
    assert tex_to_unicode(text) == text


def test_an_accent_that_arxiv_has_no_letter_for_goes_as_it_does_there() -> None:
    assert tex_to_unicode(r"\'g \~{e} \c{x} \v{w}") == "g e cx vw"


def test_phi_is_the_letter_that_the_search_api_gives() -> None:
    assert tex_to_unicode(r"$\phi$") == "$\N{GREEK SMALL LETTER PHI}$"


def test_commands_of_one_kind_end_those_of_another_as_with_arxiv() -> None:
    assert tex_to_unicode(r"\alpha\ae") == r"\alphaæ"
    assert tex_to_unicode(r"\ae\alpha") == "æα"


@given(st.text(st.sampled_from("".join(WITH_NAMES) + ACCENTED + "abXY 12-_^$(),.\n\\{}")))
def test_what_was_typed_in_tex_is_the_text_again(text: str) -> None:
    if re.search(r"\\|\{\{", text):
        text = re.sub(r"[\\{}]", "", text)
    assert tex_to_unicode(typed(text)) == text


@given(st.text())
def test_a_text_without_tex_is_itself(text: str) -> None:
    text = text.replace("\\", "").replace("{{", "")
    assert tex_to_unicode(text) is text


PIECES = [
    "\\", "{", "}", "{{", "}}", " ", "\n", "_", "1", "a", "o", "é", "ı", "$", "'", '"', "~", "^", "H", "c",
    "v", "t", "\\alpha", "\\o", "\\i", "\\j", "\\S", "{}", "\\ ", "\\'", "\\c{",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
def test_any_text_is_read_and_none_grows(text: str) -> None:
    assert len(tex_to_unicode(text)) <= len(text)
    assert len(author_name(text)) <= len(text)


def braces_in_rounds(text: str) -> str:
    """As arXiv takes pairs of braces off: again and again over the whole text."""
    while (fewer := re.sub(r"\{\{([^}]*)\}\}", r"{\1}", text)) != text:
        text = fewer
    return text


@given(st.text(st.sampled_from("{{{}}}a ")))
def test_braces_go_in_pairs_until_one_is_left(text: str) -> None:
    assert tex_to_unicode(text) == braces_in_rounds(text)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 500_000 + "}" * 500_000,
        "{{" * 250_000 + "a}" * 200_000 + "}}",
        "\\" * 1_000_000,
        "\\alpha" * 150_000,
        "\\" + "a" * 999_998 + "é",
        r"\'{" * 300_000,
        "{\\o" * 250_000,
    ],
    ids=lambda text: text[:6],
)
def test_the_longest_text_is_read_in_no_time(text: str) -> None:
    begun_at = process_time()
    tex_to_unicode(text)
    author_name(text)
    assert process_time() - begun_at < 20

"""The words that a subscriber's keywords meet are marked where the subscriber sees them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.package_data import templates_folder
from digest.keywords.index import wanted_phrases
from digest.keywords.matchers import AnalysedPaper, finder
from digest.keywords.query import parse
from digest.mail.rendering.highlight import matched_words
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.richtext import to_html
from digest.mail.rendering.tex.convert import spans
from digest.mail.rendering.tex.spans import Script, Span
from digest.model.paper import ArxivId, Paper

RENDERER = Renderer(templates_folder())


def paper(abstract: str, **changes: object) -> Paper:
    fields: dict[str, object] = {
        "id": ArxivId("2606.00001"),
        "version": 1,
        "title": "On tea",
        "abstract": abstract,
        "authors": ("Ada Marlow",),
        "categories": ("cs.PL",),
        "submitted_at": datetime(2026, 6, 14, tzinfo=UTC),
    }
    return Paper(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keywords", "abstract", "marked"),
    [
        (("kettle",), "Kettles and the kettle", "<b>Kettles</b> and the <b>kettle</b>"),
        (("graph neural network",), "A Graph-Neural Network", "A <b>Graph-Neural Network</b>"),
        (("learn*",), "unlearned learning", "unlearned <b>learning</b>"),
        (("=network",), "networks network networked", "<b>networks</b> <b>network</b> networked"),
        (("tea AND milk",), "milk, then sugar", "<b>milk</b>, then sugar"),
        (("tea ANDNOT coffee",), "tea and coffees", "<b>tea</b> and coffees"),
        (("hope AND study",), "Hoping studies help", "<b>Hoping</b> <b>studies</b> help"),
        (("(tea AND kettle) OR milk",), "tea, milk", "<b>tea</b>, <b>milk</b>"),
        (("cat:cs.PL", "ti:tea"), "cs.PL tea", "cs.PL tea"),
        (("Café",), "cafés", "<b>cafés</b>"),
        (("tea ANDNOT coffee",), "teas and milk", "<b>teas</b> and milk"),
        (("tea", "au:Marlow"), "tea", "<b>tea</b>"),
        (("kettle", "singing kettle"), "a singing kettle", "a <b>singing kettle</b>"),
        (("regular graph",), "a $k$-regular graph $G$", "a <i>k</i>-<b>regular graph</b> <i>G</i>"),
        (("kernel",), "the $L^2$ kernel <b>", "the <i>L</i><sup>2</sup> <b>kernel</b> &lt;b&gt;"),
        (("Erdős",), r"an Erd\H{o}s number", "an <b>Erdős</b> number"),
        ((), "tea", "tea"),
        (("(((",), "tea", "tea"),
    ],
)
def test_words_are_marked_by_the_rule_by_which_they_match(
    keywords: tuple[str, ...], abstract: str, marked: str
) -> None:
    one = paper(abstract)
    assert RENDERER.abstract(one, matched_words(one, keywords)).html.filled() == f"{marked}\n"


def test_a_mark_may_reach_over_raised_letters() -> None:
    pieces = (Span("the L"), Span("2", Script.SUPER), Span(" norm & more"))
    assert to_html(pieces, ["L2 norm"]) == "the <b>L</b><sup><b>2</b></sup><b> norm</b> &amp; more"


@given(text=st.text("ab <&", max_size=30), passages=st.lists(st.text("ab <&", max_size=4), max_size=4))
def test_marking_changes_no_letter(text: str, passages: list[str]) -> None:
    html = to_html((Span(text),), passages)
    assert html.replace("<b>", "").replace("</b>", "") == to_html((Span(text),))
    assert html.count("<b>") == html.count("</b>")


@given(
    words=st.lists(
        st.sampled_from(
            [
                "tea",
                "Teas",
                "the",
                "of",
                "pot",
                "pots",
                "study",
                "studies",
                "–",
                "²",
                "naïve",
                "𝔫aive",
                "teＡ",
                "ﬁ",
                "½",
                "Σ",
                "İ",
                "pot＇s",
                "te¨a",
                "ſtudies",
                "①",
                "ΛΟΓΟΣ",
                "l'tea",
                "'tea",
                "e\u0301",
                "pot's",
                "(",
                "-",
            ]
        ),
        max_size=14,
    ),
    keyword=st.sampled_from(
        ["tea", "tea pot", "pot of tea", "=pots", "stud*", "tea* pot*", "naive tea", "tea OR study", "=ΛΟΓΟΣ"]
    ),
)
def test_looking_only_where_a_phrase_may_begin_finds_what_reading_all_finds(
    words: list[str], keyword: str
) -> None:
    one = paper(" ".join(words))
    shown = "".join(span.text for span in spans(one.abstract))
    whole = AnalysedPaper(paper(shown, title=""))
    found = [finder(phrase)(whole) for phrase in wanted_phrases(parse(keyword).root)]
    expected = {word for evidence in found if evidence for word in evidence.words}
    assert set(matched_words(one, (keyword,))) == expected

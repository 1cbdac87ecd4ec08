"""Web addresses in comments and abstracts are links, and nothing else is."""

import re

import pytest
from markupsafe import escape

from digest.mail.rendering.paper_view import build_card
from digest.mail.rendering.richtext import converted, to_html
from digest.mail.rendering.urls import addresses
from digest.mail.rendering.wrap import wrapped
from tests.unit.rendered import entry, render

URL = "https://tea.example.org/a_b/~c?d=1&e=2#f"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"See {URL}.", [URL]),
        (f"Code ({URL}), data: http://example.org; more", [URL, "http://example.org"]),
        (
            "at https://example.org/a_(b) and [https://example.org/c]",
            ["https://example.org/a_(b)", "https://example.org/c"],
        ),
        (
            "“https://example.org/a”, <https://example.org/b>",
            ["https://example.org/a", "https://example.org/b"],
        ),
        ("HTTPS://Example.ORG:8080/x!", ["HTTPS://Example.ORG:8080/x"]),
        ("cut off: https://example.org/x…", []),
        ("ftp://example.org, javascript://example.org/%0aalert(1), //example.org", []),
        ("http:// nothing, https://, http://x, xhttps://example.org", []),
        ("www.example.org and example.org/x", []),
    ],
)
def test_addresses_end_before_the_punctuation_of_the_sentence(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in addresses(text)] == found


def test_comment_and_abstract_have_links() -> None:
    html = render(entry(1, abstract=rf"Code is at \url{{{URL}}}.", comment=f"Data: {URL}")).html
    links = re.findall(r'<a href="([^"]*)" style="color:#b31b1b">([^<]*)</a>', html)
    assert links.count((str(escape(URL)), str(escape(URL)))) == 2
    assert f"{escape(URL)}</a>." in html


def test_a_title_is_one_link_and_a_marked_word_is_marked_in_an_address_too() -> None:
    card = build_card(entry(1, title=f"On {URL}").paper)
    assert "<a" not in escape(card.title)
    html = to_html(converted("see https://example.org/tea now"), ("tea", "now"), is_linked=True)
    assert re.sub(' style="[^"]*"', "", html) == (
        'see <a href="https://example.org/tea">https://example.org/<b>tea</b></a> <b>now</b>'
    )


@pytest.mark.parametrize("end", ['"onclick=alert(1)', "'onclick=alert(1)", "<script>", "&quot;x", "\u202e"])
def test_an_address_cannot_end_its_attribute(end: str) -> None:
    html = to_html(converted(f"https://example.org/{end}"), is_linked=True)
    assert re.fullmatch(r'<a href="[^"<>]*" style="color:#b31b1b">[^"<>]*</a>[^<>"]*', html)


def test_an_address_is_never_broken_in_the_text() -> None:
    long = "https://example.org/" + "a-b/" * 40
    lines = wrapped(f"The code is at {long} and the data, which are large, are elsewhere").split("\n")
    assert long in lines

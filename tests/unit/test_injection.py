"""Whatever a paper, a keyword or a name holds is shown as text, never as a part of the page."""

from dataclasses import fields, replace
from typing import Any

import pytest

from digest.mail.links import Links
from digest.model.paper import Paper
from tests.unit.rendered import WRITER, Page, digest, entry, revision
from tests.unit.xss import STRINGS

TEXT_FIELDS = ("title", "abstract", "comment", "journal_ref", "doi")
LINKS = Links(
    unsubscribe="https://digest.example.org/u/x",
    manage="https://digest.example.org/p/x",
    online="https://digest.example.org/d/x",
)


def shape(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """The tags of a page with their attributes, but for what comes with some texts and not with others."""
    passing = {"bdi", "b", "sup", "sub", "br", "p", "span", "a"}
    return [(tag, attributes) for tag, attributes in Page(html).tags if tag not in passing]


def test_there_are_enough_of_them_and_every_text_of_a_paper_is_tried() -> None:
    assert len(set(STRINGS)) >= 200
    other = {"id", "version", "authors", "categories", "submitted_at", "updated_at"}
    assert {field.name for field in fields(Paper)} == {*TEXT_FIELDS, *other}


@pytest.mark.parametrize("links", [Links(), LINKS])
@pytest.mark.parametrize("count", [1, 40])
def test_every_string_in_every_field_is_only_text(count: int, links: Links) -> None:
    for text in STRINGS[:: 1 if count == 1 else 15]:
        one: dict[str, Any] = dict.fromkeys(TEXT_FIELDS, text) | {
            "authors": (text, "A. Usual", text),
            "categories": (text, "cs.PL"),
        }
        hostile = [entry(number, (text,), **one) for number in range(1, count + 1)]
        html = WRITER.rendered(
            digest(*hostile, keywords=(text, "silent " + text), revisions=(revision(200, 1, 2, title=text),)),
            links,
        ).html
        page = Page(html)
        allowed = (
            "https://arxiv.org/",
            "https://doi.org/10.",
            "https://digest.example.org/",
            "mailto:library@",
        )
        assert page.open == []
        for tag, attributes in page.tags:
            assert tag not in {
                "script",
                "img",
                "svg",
                "iframe",
                "form",
                "input",
                "object",
                "link",
                "base",
                "math",
            }
            assert not [name for name in attributes if name.startswith("on") or name in {"src", "srcset"}]
            assert tag != "a" or str(attributes["href"]).startswith(allowed)
            assert set(attributes) <= {
                *("href", "style", "class", "dir", "lang", "role", "aria-label", "align", "width", "height"),
                *("cellpadding", "cellspacing", "border", "name", "content", "charset"),
            }
        assert html.count("<style>") == html.count("</style>") == html.count("</html>") == 1


@pytest.mark.parametrize("text", STRINGS[:40:4])
def test_a_subscribers_own_name_and_address_are_only_text(text: str) -> None:
    usual = WRITER.rendered(digest(entry(1))).html
    strange = replace(digest(entry(1)), email=f"{text}@example.org", name=text)
    assert shape(WRITER.rendered(strange).html) == shape(usual)


def test_a_doi_leads_to_doi_org_alone() -> None:
    for text in ("10.1234/x", "doi:10.1234/x", "https://doi.org/10.1234/x", "10.1234/x 10.5555/y"):
        html = WRITER.rendered(digest(entry(1, doi=text))).html
        assert 'href="https://doi.org/10.1234/x"' in html
    for text, quoted in (
        ("10.1002/(SICI)1096(1998)106:4<483::A>3.0;2-K", "10.1002/(SICI)1096(1998)106:4%3C483::A%3E3.0;2-K"),
        ("<10.1234/x>", "10.1234/x"),
        ("10.1234/x,10.5555/y", "10.1234/x"),
        ("10.1234/x, 10.5555/y", "10.1234/x"),
        ("10.1234/x.", "10.1234/x"),
    ):
        html = WRITER.rendered(digest(entry(1, doi=text))).html
        assert f'href="https://doi.org/{quoted}"' in html
    for text in ("javascript:alert(1)", "10.1/x", "//x.example/10.12345", ""):
        assert "doi.org" not in WRITER.rendered(digest(entry(1, doi=text))).html

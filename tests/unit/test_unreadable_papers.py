"""No text of a paper stops a mail, a page or a feed; what fails is logged with the paper and the cause."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.config.package_data import templates_folder
from digest.errors import Unwritable
from digest.mail.rendering import highlight, paper_view, richtext
from digest.mail.rendering.paper_view import build_card
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.tex import prose
from digest.mail.rendering.tex.convert import plain
from digest.mail.rendering.tex.spans import as_text
from digest.mail.rendering.venue import split_venue
from digest.mail.rendering.writer import Writer
from digest.model.digest import Entry
from digest.model.paper import Paper
from digest.web.feeds import paper_item
from digest.web.pages import Pages
from tests.examples import examples
from tests.tex_source import TEX
from tests.unit.rendered import LETTERHEAD, digest, entry, paper, revision

EMPTY: dict[str, tuple[str, str]] = {}
ODD = r"Of $x \not\mathrel{}$ and \not\mbox{} things"


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    """What is kept of a text holds no longer than a test that breaks the converter."""
    for kept in (build_card, richtext._converted_before, highlight._abstract):
        kept.cache_clear()
    yield
    for kept in (build_card, richtext._converted_before, highlight._abstract):
        kept.cache_clear()


WRITER = Writer(Renderer(templates_folder()), LETTERHEAD)
PAGES = Pages(templates_folder(), is_indexed=False)


def writer(*folders: Path) -> Writer:
    return Writer(Renderer(*folders, templates_folder()), LETTERHEAD)


@examples(400)
@given(source=TEX)
@example(source=r"$\not\mathrel{}$")
@example(source=r"\not\mbox{}")
@example(source=r"$\not\hat{{}}$")
@example(source=r"$\not{\ddot{}-3}$")
def test_the_converter_itself_raises_at_no_tex(source: str) -> None:
    for written in (source, f"${source}$"):
        as_text(prose.converted(written))


@examples(60)
@given(texts=st.tuples(TEX, TEX, TEX, TEX))
def test_a_paper_of_any_tex_is_mailed_and_shown(texts: tuple[str, str, str, str]) -> None:
    title, abstract, comment, author = texts
    one = entry(1, title=title, abstract=f"compilers {abstract}", comment=comment, authors=(author,))
    mailed = WRITER.rendered(digest(one, revisions=(revision(2, 1, 2, title=title),)))
    for shown in (mailed.text, mailed.html, page(one.paper)):
        assert one.paper.abs_url in shown
    assert paper_item(one.paper).title


def page(one: Paper) -> str:
    return PAGES.digest(digest(Entry(paper=one, keywords=())), url="/d/x", keyword_pages={})


@pytest.mark.parametrize("title", [r"\par", "$ $", r"\!", r"$\,$"])
def test_a_title_of_which_nothing_would_be_seen_is_shown_as_written(title: str) -> None:
    one = paper(1, title=title)
    assert (str(build_card(one).title), paper_item(one).title) == (title, title)
    assert f">{title}</a>" in WRITER.rendered(digest(Entry(paper=one, keywords=()))).html


@pytest.mark.parametrize("source", [r"$\not\mathrel{}$", r"\not\mbox{}"])
def test_a_negation_of_nothing_is_shown_as_written(source: str) -> None:
    assert plain(source) == source


@pytest.mark.parametrize("failure", [IndexError("no such place"), RecursionError(), MemoryError()])
def test_a_text_that_cannot_be_converted_is_shown_as_written(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(source: str, depth: int = 0) -> None:
        raise failure

    monkeypatch.setattr(prose, "converted", fail)
    one = paper(1, title=ODD, abstract=f"<b> {ODD}", authors=(r"Erd\H{o}s",))
    mailed = writer().rendered(digest(entry(1, title=ODD, abstract=f"<b> {ODD}", authors=(r"Erd\H{o}s",))))
    assert ODD in mailed.text
    for shown in (mailed.html, page(one)):
        assert ODD in shown
        assert f"&lt;b&gt; {ODD}" in shown
    assert (paper_item(one).title, paper_item(one).authors) == (ODD, (r"Erd\H{o}s",))
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert f"text shown as written paper={one.id} text=title cause={type(failure).__name__}" in told[0]


def test_a_paper_that_cannot_be_taken_apart_is_its_title(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_at_odd(comment: str) -> tuple[str, str]:
        return EMPTY[comment] if comment == "odd" else split_venue(comment)

    monkeypatch.setattr(paper_view, "split_venue", fail_at_odd)
    mailed = writer().rendered(digest(entry(1, title=ODD, comment="odd"), *map(entry, (2, 3, 4))))
    assert ODD in mailed.text
    assert ODD in mailed.html
    assert mailed.text.count("We wait.") == mailed.html.count("We wait.") == 3
    assert ODD in page(paper(1, title=ODD, comment="odd"))
    assert paper_item(paper(1, title=ODD, comment="odd")).title == ODD
    assert f"paper shown as its title paper={paper(1).id} cause=KeyError: 'odd'" in caplog.messages


def test_where_a_shipped_template_fails_at_a_paper_that_one_is_its_title(tmp_path: Path) -> None:
    for shipped in templates_folder().glob("*.j2"):
        (tmp_path / shipped.name).write_text(shipped.read_text())
    own = tmp_path / "paper.html.j2"
    own.write_text(own.read_text() + "{{ 1 / (card.authors | length - 3) }}\n")
    one = entry(1, title=ODD, authors=("A", "B", "C"))
    mailed = Writer(Renderer(tmp_path), LETTERHEAD).rendered(digest(one, *map(entry, (2, 3, 4))))
    assert ODD in mailed.html
    assert mailed.html.count("We wait.") == 3
    with pytest.raises(Unwritable, match=r"paper\.html\.j2 does not fit .*division"):
        writer(tmp_path).rendered(digest(one, entry(2)))


def test_a_template_that_calls_itself_for_ever_is_blamed(tmp_path: Path) -> None:
    (tmp_path / "line.html.j2").write_text("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}\n")
    own = writer(tmp_path)
    with pytest.raises(Unwritable, match=r"line\.html\.j2 does not fit"):
        own.rendered(digest(*(entry(number, abstract="We wait. " * 600) for number in range(1, 99))))


def test_where_no_words_can_be_found_none_are_marked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(highlight, "_abstract", lambda paper: EMPTY["no abstract"])
    assert "We wait." in writer().rendered(digest(entry(1))).html
    assert f"no words marked paper={paper(1).id} cause=KeyError: 'no abstract'" in caplog.messages

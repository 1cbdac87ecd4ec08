"""However many papers, the HTML stays below what mail programs cut off, and none is dropped in silence."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.package_data import templates_folder
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import SenderIdentity, quoted_printable
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.size_budget import HTML_LIMIT, Level, levels
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest, Entry
from digest.model.paper import ArxivId, Paper

LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")
WRITER = Writer(Renderer(templates_folder()), LETTERHEAD)
SENTENCE = "We watched the kettle until the kettle boiled, and wrote down how long that took. "
ONLINE = Links(online="https://digest.example.org/d/abc")


def digest(papers: int, **changes: object) -> Digest:
    one = Paper(
        id=ArxivId("2606.00000"),
        version=1,
        title="How Kettles Sing",
        abstract=SENTENCE * 15,
        authors=("Ada Marlow", "Tomás Iribarne"),
        categories=("cs.SD", "physics.flu-dyn"),
        submitted_at=datetime(2026, 6, 14, tzinfo=UTC),
        comment="12 pages",
    )
    one = replace(one, **changes)  # type: ignore[arg-type]
    return Digest(
        email="reader@example.org",
        name="A Reader",
        planned_at=datetime(2026, 6, 16, 7, tzinfo=UTC),
        dated_on=date(2026, 6, 16),
        keywords=("kettle",),
        entries=tuple(
            Entry(paper=replace(one, id=ArxivId(f"2606.{number:05}")), keywords=("kettle",))
            for number in range(papers)
        ),
    )


def shown(html: str) -> tuple[int, int, int, int]:
    """How many papers are shown whole, short, as a line, and only counted."""
    cards = html.count('<h2 dir="auto"')
    short = len(re.findall(rf"\n(?:{SENTENCE.strip()}|.* …)\n</p>", re.sub("</?b>", "", html)))
    papers = len(set(re.findall(r"arxiv\.org/abs/(2606\.\d{5})", html)))
    counted = re.search(r"And (\d+) more:", html)
    return cards - short, short, papers - cards, int(counted[1]) if counted else 0


@pytest.mark.parametrize("papers", [0, 1, 20, 35, 60, 120, 250, 350, 500])
@pytest.mark.parametrize("links", [NO_LINKS, ONLINE])
def test_the_html_is_small_enough_and_accounts_for_every_paper(papers: int, links: Links) -> None:
    rendered = WRITER.rendered(digest(papers), links)
    assert len(quoted_printable(rendered.html)) <= HTML_LIMIT == 90_000
    assert sum(shown(rendered.html)) == papers
    assert rendered.text.count("https://arxiv.org/abs/") == papers
    whole, short, *_ = shown(rendered.html)
    assert rendered.text.count("boiled,") == 15 * (whole + short)


@pytest.mark.parametrize(
    ("papers", "kinds"),
    [
        (20, {"whole"}),
        (45, {"whole", "short"}),
        (120, {"short", "line"}),
        (500, {"short", "line", "counted"}),
    ],
)
def test_abstracts_are_shortened_first_then_cards_become_lines_then_papers_are_counted(
    papers: int, kinds: set[str]
) -> None:
    found = zip(
        ("whole", "short", "line", "counted"), shown(WRITER.rendered(digest(papers)).html), strict=True
    )
    assert {name for name, number in found if number} == kinds


def test_the_text_has_a_line_for_each_paper_without_a_card() -> None:
    """SpamAssassin gives up to 2.8 points to a mail whose text has three times the words of its HTML."""
    rendered = WRITER.rendered(digest(500))
    _, lines = rendered.text.split("\nIn brief\n")
    assert (
        lines.count("\nHow Kettles Sing\n  Ada Marlow and Tomás Iribarne · kettle\nhttps://arxiv.org/abs/")
        == 490
    )
    assert "In brief" not in WRITER.rendered(digest(20)).text


def test_the_first_papers_stay_cards() -> None:
    html = WRITER.rendered(digest(500)).html
    assert html.index("2606.00009") < html.index("In brief") < html.index("2606.00010")


def test_the_rest_is_on_the_web_or_in_the_text() -> None:
    assert f'<a href="{ONLINE.online}"' in WRITER.rendered(digest(500), ONLINE).html.partition(" more:")[2]
    assert "the plain-text part of this mail has them all" in WRITER.rendered(digest(500)).html


def test_without_an_end_of_a_sentence_it_ends_with_a_word() -> None:
    html = WRITER.rendered(digest(120, abstract="kettles sing " * 200)).html
    assert re.search(r"(kettles|sing) …\n</p>", re.sub("</?b>", "", html))


@pytest.mark.parametrize("papers", [1, 100, 500])
def test_monstrous_papers_fit_too(papers: int) -> None:
    monster = digest(
        papers,
        title="深" * 2000,
        abstract="<&>\"' 深度 " * 900,
        authors=("م" * 200,) * 3000,
        comment="&" * 900,
    )
    html = WRITER.rendered(monster).html
    assert len(quoted_printable(html)) <= HTML_LIMIT
    assert "2990 more and" in html


SIZES = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300)).map(
        lambda size: (size[0] + size[1] + size[2], size[1] + size[2], size[2])
    ),
    max_size=60,
)


@given(sizes=SIZES, room=st.integers(0, 9000))
def test_levels_fit_go_down_from_paper_to_paper_and_do_no_more_than_needed(
    sizes: list[tuple[int, int, int]], room: int
) -> None:
    found = levels(sizes, room)
    total = sum((*size, 0)[level] for size, level in zip(sizes, found, strict=True))
    assert total <= room
    assert list(found) == sorted(found)
    lowered = [place for place, level in enumerate(found) if level]
    if lowered:
        first = lowered[0]
        raised = (*sizes[first], 0)[found[first] - 1] - (*sizes[first], 0)[found[first]]
        assert total + raised > room or first < len(lowered) or found[-1] > found[first]


@given(sizes=SIZES)
def test_with_room_for_all_nothing_is_made_smaller(sizes: list[tuple[int, int, int]]) -> None:
    assert set(levels(sizes, sum(size[0] for size in sizes))) <= {Level.WHOLE}

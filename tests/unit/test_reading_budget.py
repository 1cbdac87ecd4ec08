"""A mail is read in the time that its reader has, is small enough for mail programs, and drops no paper."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.package_data import templates_folder
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Rendered, SenderIdentity, quoted_printable
from digest.mail.rendering.reading_budget import (
    HTML_LIMIT,
    WORDS,
    Cost,
    GroupCosts,
    Level,
    plan,
)
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest, Entry, Length
from digest.model.paper import ArxivId, Paper
from tests.unit.rendered import Page

LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")
WRITER = Writer(Renderer(templates_folder()), LETTERHEAD)
SENTENCE = "We watched the kettle until the kettle boiled, and wrote down how long that took. "
ONLINE = Links(online="https://digest.example.org/d/abc")
LENGTHS: tuple[Length, ...] = ("short", "normal", "full")


def digest(papers: int, *keywords: str, length: Length = "normal", **changes: object) -> Digest:
    """Each paper matches one of the `keywords`, in turns."""
    one = Paper(
        id=ArxivId("2606.00000"),
        version=1,
        title="How Kettles Sing",
        abstract=SENTENCE * 15,
        authors=("Ada Marlow", "Tomás Iribarne", "Bo Example"),
        categories=("cs.SD", "physics.flu-dyn"),
        submitted_at=datetime(2026, 6, 14, tzinfo=UTC),
        comment="12 pages",
    )
    one = replace(one, **changes)  # type: ignore[arg-type]
    wanted = keywords or ("kettle",)
    return Digest(
        email="reader@example.org",
        name="A Reader",
        planned_at=datetime(2026, 6, 16, 7, tzinfo=UTC),
        dated_on=date(2026, 6, 16),
        keywords=wanted,
        entries=tuple(
            Entry(
                paper=replace(one, id=ArxivId(f"2606.{number:05}")), keywords=(wanted[number % len(wanted)],)
            )
            for number in range(papers)
        ),
        length=length,
    )


def words(mail: Rendered) -> int:
    return len(Page(mail.html).text.split())


def shown(mail: Rendered) -> list[int]:
    """How many papers are shown whole, short and as a line, and how many are only counted."""
    cards = re.split(r'<h[23] dir="auto"', mail.html)[1:]
    whole = sum("Abstract</a>" in card for card in cards)
    lines = mail.html.count('<p class="title"')
    counted = sum(map(int, re.findall(r"And (\d+) more:", mail.html)))
    return [whole, len(cards) - whole, lines, counted]


def told(mail: Rendered) -> list[int]:
    """The same as the HTML says it at its top."""
    words = ("in full", "in short", "by title", "only counted")
    found = [re.search(rf"(\d+) {what}", Page(mail.html).text) for what in words]
    return [int(one[1]) if one else 0 for one in found]


@pytest.mark.parametrize("papers", [1, 5, 20, 35, 60, 120, 250, 500])
@pytest.mark.parametrize("links", [NO_LINKS, ONLINE])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("keywords", [("kettle",), ("kettle", "tea", "pot"), tuple(map(str, range(40)))])
def test_the_mail_keeps_its_budget_and_accounts_for_every_paper(
    papers: int, links: Links, length: Length, keywords: tuple[str, ...]
) -> None:
    mail = WRITER.rendered(digest(papers, *keywords, length=length), links)
    assert len(quoted_printable(mail.html)) <= HTML_LIMIT == 90_000
    assert words(mail) <= WORDS[length]
    found = shown(mail)
    assert sum(found) == papers
    assert told(mail)[1:] == found[1:]
    assert told(mail)[0] == (found[0] if found[0] < papers else 0)
    named = [mail.text.count(f"https://arxiv.org/abs/2606.{number:05}\n") for number in range(papers)]
    left_out = re.search(r"And (\d+) more, on the web:", mail.text)
    assert named.count(1) == papers - (int(left_out[1]) if left_out else 0)
    assert named.count(0) + named.count(1) == papers
    assert links.online or not left_out


@pytest.mark.parametrize("papers", [60, 150, 700])
@pytest.mark.parametrize("links", [NO_LINKS, ONLINE])
@pytest.mark.parametrize("length", LENGTHS)
def test_the_text_never_has_three_times_the_words_of_the_html(
    papers: int, links: Links, length: Length
) -> None:
    """SpamAssassin gives up to 2.8 points to such a mail (MPART_ALT_DIFF_COUNT)."""
    mail = WRITER.rendered(digest(papers, "kettle", "tea", length=length), links)
    assert len(mail.text.split()) < 3 * words(mail)


def test_a_few_papers_are_whole_and_then_cards_become_short_and_then_titles() -> None:
    kinds = [[number > 0 for number in shown(WRITER.rendered(digest(papers)))] for papers in (4, 9, 40, 500)]
    assert kinds == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [False, True, True, True],
    ]


@pytest.mark.parametrize("length", LENGTHS)
def test_each_group_has_a_card(length: Length) -> None:
    mail = WRITER.rendered(digest(120, "kettle", "tea", "pot", length=length))
    for group in mail.html.split('<h2 class="group"')[1:]:
        assert '<h3 dir="auto"' in group


def test_a_longer_mail_shows_no_paper_less() -> None:
    found = [shown(WRITER.rendered(digest(80, length=length))) for length in LENGTHS]
    assert found[0][3] > found[1][3] == found[2][3] == 0
    assert found[1][0] < found[2][0]


def test_the_rest_is_on_the_web_or_in_the_text() -> None:
    assert f'<a href="{ONLINE.online}"' in WRITER.rendered(digest(500), ONLINE).html.partition(" more:")[2]
    assert "the plain-text part of this mail has them all" in WRITER.rendered(digest(500)).html


def test_with_the_first_papers_whole_the_next_are_short() -> None:
    """The first paper is not cut for the sake of the fiftieth."""
    mail = WRITER.rendered(digest(30, "kettle", "tea"))
    assert mail.html.index("Abstract</a>") < mail.html.index('<p class="title"')


@pytest.mark.parametrize("papers", [1, 100, 500])
@pytest.mark.parametrize("length", LENGTHS)
def test_monstrous_papers_fit_too(papers: int, length: Length) -> None:
    monster = digest(
        papers,
        title="深" * 2000,
        abstract="<&>\"' 深度 " * 900,
        authors=("م" * 200,) * 3000,
        comment="&" * 900,
        length=length,
    )
    mail = WRITER.rendered(monster)
    assert len(quoted_printable(mail.html)) <= HTML_LIMIT
    assert sum(shown(mail)) == papers


COST = st.builds(Cost, st.integers(0, 60), st.integers(0, 300))


def sum_of(*costs: Cost) -> Cost:
    return Cost(sum(one.words for one in costs), sum(one.size for one in costs))


class Piece(NamedTuple):
    cost: Cost


def paper_costs(parts: Sequence[Cost]) -> dict[Level, Piece]:
    """A paper that costs more with each level."""
    return {level: Piece(sum_of(*parts[:level])) for level in Level if level}


GROUPS = st.lists(
    st.builds(
        GroupCosts,
        COST,
        st.lists(
            st.tuples(COST, COST, COST).map(paper_costs),
            min_size=1,
            max_size=15,
        ),
    ),
    max_size=6,
)


def spent(groups: list[GroupCosts], found: list[list[Level]]) -> Cost:
    parts = [
        cost
        for group, row in zip(groups, found, strict=True)
        if any(row)
        for cost in (
            group.heading,
            *(paper[level].cost for paper, level in zip(group.papers, row, strict=True) if level),
        )
    ]
    return sum_of(*parts)


@given(GROUPS, st.builds(Cost, st.integers(0, 3000), st.integers(0, 20_000)), st.sampled_from(LENGTHS))
def test_levels_keep_the_room_and_go_down_from_paper_to_paper(
    groups: list[GroupCosts], room: Cost, length: Length
) -> None:
    found, words, _, _ = plan(groups, room, length)
    total = spent(groups, found)
    assert total.words == words <= room.words
    assert total.size <= room.size
    for row in found:
        assert row == sorted(row, reverse=True)


@given(
    GROUPS, st.builds(Cost, st.integers(0, 3000), st.integers(0, 20_000)), st.sampled_from(LENGTHS), st.data()
)
def test_a_plan_says_for_which_room_it_is_the_same(
    groups: list[GroupCosts], room: Cost, length: Length, data: st.DataObject
) -> None:
    found = plan(groups, room, length)
    assert found.least <= room.size <= found.most
    least, most = max(0, found.least), min(30_000, found.most)
    size = data.draw(st.sampled_from([least, most]) | st.integers(least, most))
    assert plan(groups, Cost(room.words, size), length)[:2] == found[:2]


@given(GROUPS, st.sampled_from(LENGTHS))
def test_with_room_for_all_everything_is_whole(groups: list[GroupCosts], length: Length) -> None:
    everything = [[Level.WHOLE] * len(group.papers) for group in groups]
    assert plan(groups, spent(groups, everything), length).levels == everything


def test_the_text_says_at_its_top_what_the_text_shows() -> None:
    many = WRITER.rendered(digest(250))
    assert re.search(r"\d+ in short, \d+ by title, about \d+ minutes to read", many.text)
    assert "only counted" in Page(many.html).text
    assert "only counted" not in many.text
    assert "only counted" in WRITER.rendered(digest(700), ONLINE).text


def test_the_text_without_a_web_page_says_how_many_papers_it_shows_by_their_address() -> None:
    mail = WRITER.rendered(digest(1_200))
    paper = re.findall(r"^     https://arxiv\.org/abs/\S+$", mail.text, re.MULTILINE)
    numbered = re.findall(r"^ *\d+\. ", mail.text, re.MULTILINE)
    assert f"{len(paper) - len(numbered)} by address" in mail.text.replace("\n", " ")
    assert len(paper) == 1_200 > len(numbered)
    assert "only counted" not in mail.text

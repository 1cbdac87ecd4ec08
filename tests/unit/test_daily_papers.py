"""A page shows what its papers say, and can be read again."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.cli.daily_papers.matching import alike, judge, keyword_for
from digest.cli.daily_papers.page import MOST_PAPERS, Page, Section, build_section, dated
from digest.cli.daily_papers.parser import Listing, parse_page
from digest.cli.daily_papers.writer import is_page, says_the_same, write_html, write_markdown
from digest.keywords.query import parse
from digest.model.paper import ArxivId, Paper, month_of, one_line
from digest.subscribers.subscriber import Keyword
from tests.factories import invented_paper, moment
from tests.pages import Shown, shown_github, shown_html, shown_markdown

JUNE = date(2026, 6, 16)
HEADER = ["Title", "Date", "Abstract", "Comment"]
FORMS: tuple[Callable[[Page], Shown], ...] = (
    lambda page: shown_markdown(write_markdown(page)),
    lambda page: shown_github(write_markdown(page)),
    lambda page: shown_html(write_html(page)),
)
ORDINARY_TAGS = set(
    "html head meta title style body h1 p h2 table thead tbody tr th td strong a details summary span".split()  # noqa: SIM905
)

ADDRESSES = ("https://exam", "http://www.exam")

HARD_TEXTS = [
    "A | B: \\| pipes || everywhere |",
    "Is a<b and c>d, or <b>bold</b> & <script>alert(1)</script>?",
    '<img src=x onerror="alert(1)"> and </p></details></td></table><h2>x</h2>',
    "[link](javascript:alert(1)) and ![i](http://example.org/x.png) ][ [x]: y",
    "<!-- hidden --> <?php ?> <![CDATA[x]]> &lt;b&gt; &amp;amp; &#36;",
    "Costs of $O(n \\log n)$ and $$x_1^{*}$$, $5 or \\$10, \\(x\\), $`x`$",
    "*emphasis* **strong** _under_ __dunder__ snake_case ~~gone~~ `code` ``more``",
    "https://example.org/a_b_c?x=1&y=~z*2 <https://example.org> www.example.org",
    'Erd\\H{o}s, \\"o, back\\\\slash and a last \\',
    "# heading ## 1. - + > ``` ~~~ --- *** ===",
    "“Schrödinger” 𝒪 α_β 中文 \u200f",
]


def keyword(text: str = "tea") -> Keyword:
    return Keyword(text=text, query=parse(text))


def page_of(*papers: Paper, text: str = "tea") -> Page:
    return Page(sections=(Section(keyword=keyword(text), papers=papers),), updated_on=JUNE)


def saying(title: str, abstract: str = "On tea.", comment: str | None = None) -> Paper:
    return replace(invented_paper("2606.00001"), title=title, abstract=abstract, comment=comment)


# Which papers


def test_only_papers_that_match_their_heading_are_shown_the_latest_first_and_at_most_a_hundred() -> None:
    old, new = (invented_paper(f"2606.0000{n}", "On tea", submitted=f"2026-06-0{n} 10:00") for n in (1, 2))
    revised = replace(old, version=2, updated_at=moment("2026-06-09 10:00"))
    stray = invented_paper("2606.00003", "On milk")
    assert build_section(keyword(), [revised, stray, new]).papers == (revised, new)
    many = [invented_paper(f"2606.{n:05}", "On tea") for n in range(1, 120)]
    shown = build_section(keyword(), many).papers
    assert [paper.id for paper in shown] == [paper.id for paper in reversed(many)][:MOST_PAPERS]


def test_the_date_is_that_of_the_version_or_the_month_of_the_id() -> None:
    paper = replace(invented_paper("2606.00001"), updated_at=moment("2026-06-20 23:30"))
    assert dated(paper) == "2026-06-20"
    assert dated(replace(paper, updated_at=None)) == "2026-06-15"
    assert dated(replace(paper, updated_at=None, submitted_at=None)) == "2026-06"
    months = {"math/0309136": "2003-09", "hep-th/9108001": "1991-08", "0704.0001": "2007-04"}
    assert {one: month_of(invented_paper(one).id) for one in months} == months


# What is seen


@pytest.mark.parametrize("written", [write_markdown, write_html])
def test_a_paper_without_a_title_is_called_by_its_identifier(written: Callable[[Page], str]) -> None:
    paper = saying("")
    assert re.search(rf"\[{paper.id}\]\(|>{paper.id}</a>", written(page_of(paper)))


def test_a_page_is_a_daily_papers_readme() -> None:
    paper = replace(
        saying("On tea", "Tea is\n hot.", "Twelve pages, all of them on tea"),
        version=3,
        updated_at=moment("2026-06-15 10:00"),
    )
    lines = write_markdown(page_of(paper, replace(paper, comment="Twelve pages of tea."))).splitlines()
    assert lines[0] == "# Daily Papers"
    assert "Last update: 2026-06-16" in lines
    start = lines.index("## tea")
    assert lines[start + 1 : start + 3] == [
        "| **Title** | **Date** | **Abstract** | **Comment** |",
        "| --- | --- | --- | --- |",
    ]
    row = (
        "| **[On tea](https://arxiv.org/abs/2606.00001v3)** | 2026-06-15"
        " | <details><summary>Show</summary><p>Tea is hot.</p></details> | "
    )
    folded = "<details><summary>Twelv...</summary><p>Twelve pages, all of them on tea</p></details> |"
    assert lines[start + 3 :] == [f"{row}{folded}", f"{row}Twelve pages of tea. |"]


@pytest.mark.parametrize("shown", FORMS)
def test_a_comment_is_folded_where_it_has_more_than_twenty_characters(shown: Callable[[Page], Shown]) -> None:
    seen = shown(page_of(saying("A", comment="x" * 20), saying("B", comment="y" * 21), saying("C")))
    assert seen.summaries == ["Show", "Show", "yyyyy...", "Show"]


@pytest.mark.parametrize("shown", FORMS)
@pytest.mark.parametrize("text", HARD_TEXTS)
def test_every_text_shows_as_it_is_written_and_as_nothing_else(
    shown: Callable[[Page], Shown], text: str
) -> None:
    seen = shown(page_of(saying(text, text, text), saying("x", "y", text[:12])))
    header, first, second = seen.tables[0]
    assert header == HEADER
    assert first == [one_line(text), "2026-06-15", one_line(text), one_line(text)]
    assert second[3] == one_line(text[:12])
    assert seen.summaries == ["Show", f"{one_line(text)[:5]}...", "Show"]
    links = [link for link in seen.links if not link.startswith(ADDRESSES)]
    assert links == ["https://arxiv.org/abs/2606.00001v1"] * 2
    assert set(seen.tags) <= ORDINARY_TAGS


@pytest.mark.parametrize("shown", FORMS)
@given(text=st.text(st.sampled_from("a1 $*_`[]()<>&|\\~#!-=+.:/'\"\n{}^@") | st.characters()))
def test_any_text_shows_as_it_is_written(shown: Callable[[Page], Shown], text: str) -> None:
    text = f"t{text}t"
    title, _, abstract, _ = shown(page_of(saying(text, text))).tables[0][1]
    assert title == abstract == one_line(text)


def test_no_dollar_signs_stand_in_one_text_where_github_would_see_a_formula() -> None:
    text = write_markdown(page_of(saying("On $x$ and \\$y\\$", "$z$", "$1 + 2 + 3 + 4 + 5$ tea")))
    assert text.count("$") == text.count("<span>$</span>") == 9


@pytest.mark.parametrize(
    "text", ['ti:"C* algebra" ANDNOT cat:cs.*', "=compiler", "tea | <b>", "C# and #", "$x$"]
)
def test_a_heading_shows_the_keyword_as_it_is_written_and_is_read_as_that(text: str) -> None:
    page = page_of(saying("On tea"), text=text)
    for shown in FORMS:
        assert shown(page).headings == [text]
    (listing,) = parse_page(write_markdown(page)).listings
    assert listing.heading == text


def test_only_the_day_of_the_last_update_is_no_change() -> None:
    for form in (write_markdown, write_html):
        one = form(page_of(saying("On tea", "Last update: 2026-01-01")))
        later = form(
            replace(page_of(saying("On tea", "Last update: 2026-01-01")), updated_on=date(2026, 6, 17))
        )
        assert one != later
        assert says_the_same(one, later)
        assert is_page(one)
        assert not says_the_same(one, form(page_of(saying("On tea", "Last update: 2026-01-02"))))


# Reading pages


def ids(listings: Iterable[Listing]) -> dict[str, list[str]]:
    return {one.heading: [listed.id for listed in one.papers] for one in listings}


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_what_was_written_is_read_again(text: str) -> None:
    (listing,) = parse_page(write_markdown(page_of(saying(text, text, text)))).listings
    (listed,) = listing.papers
    assert (listed.title, listed.abstract, listed.comment) == (one_line(text),) * 3
    assert (listed.id, listing.unread) == ("2606.00001", ())


FORKS = """\
# Daily Papers
Last update: 2026-06-16

## Getting Started
| step | what |
| --- | --- |
| 1 | read [a paper](http://arxiv.org/abs/2606.00099v1) |

## Black Tea
| **Title** | **Date** | **Comment** |
| --- | --- | --- |
| **[Tea | Milk](http://arxiv.org/abs/2606.00001v2)** | 2026-06-15 |  |
| **[Again](http://arxiv.org/abs/2606.00001v1)** | 2026-06-14 |  |
| **[Elsewhere](https://example.org/tea)** | 2026-06-14 |  |

### Green tea ###
No new papers.

## **Herbal** [Tea](https://example.org) &amp; C\\*

|Publish Date|Title|Authors|PDF|Code|
|:---------|:---:|-----|:-|--:|
|**2026-06-14**|**On herbal tea**|Ada Example et.al.|[2606.00002](http://arxiv.org/pdf/2606.00002v1.pdf)|null|
|**2026-06-13**|**Old herbs**|Bo Sample|[math.GT/0309136](https://www.arxiv.org/abs/math.GT/0309136)|**[link](https://example.org)**|

```
## Example
| **Title** |
| --- |
| [x](http://arxiv.org/abs/2606.00098) |
```

## White tea
| Title | Abstract | Link |
|---|---|---|
| On white tea | As https://arxiv.org/abs/2601.00001 has it. | [PDF](https://arxiv.org/pdf/2606.00003) |

## Empty tea
| **Title** | **Date** |
| --- | --- |
"""


def test_pages_with_other_columns_are_read() -> None:
    listings = parse_page(FORKS).listings
    assert ids(listings) == {
        "Black Tea": ["2606.00001"],
        "Herbal Tea & C*": ["2606.00002", "math/0309136"],
        "White tea": ["2606.00003"],
        "Empty tea": [],
    }
    assert [len(one.unread) for one in listings] == [1, 0, 0, 0]
    assert [one.line for one in parse_page(FORKS).unread] == [7, 30]
    assert listings[0].papers[0].title == ""
    assert "Tea | Milk" in listings[0].papers[0].abstract
    herbal, white = listings[1].papers[0], listings[2].papers[0]
    assert (herbal.title, herbal.abstract) == ("On herbal tea", "")
    assert (white.title, white.abstract) == (
        "On white tea",
        "As https://arxiv.org/abs/2601.00001 has it.",
    )


def test_a_row_ends_where_its_line_does_and_nowhere_else() -> None:
    row = "| [On\u2028 tea\x0c](https://arxiv.org/abs/2606.00001) | Hot. |"
    for end in ("\n", "\r\n", "\r"):
        (listing,) = parse_page(end.join(["## Tea", "| Title | Abstract |", "|---|---|", row, row])).listings
        assert [(one.title, one.abstract) for one in listing.papers] == [("On tea", "Hot.")]


LINK = "https://arxiv.org/abs/2606.00001"


@pytest.mark.parametrize(
    "row",
    [
        f"| [On tea]({LINK}) | Hot.<br>And<br/>good. |",
        f"| [On\ntea]({LINK}) | Hot.\nAnd\ngood. |",
        f"| [On tea]({LINK}) | Hot.\nAnd good.\n|",
        f"| [On tea]({LINK}) | <details><summary>Show</summary><p>Hot.\n\nAnd good.\n</p></details> |",
        f"| [On tea]({LINK}) | <details><summary>Show</summary>\n<div>Hot.\nAnd good.</div></details> |",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_cell_may_go_on_in_the_next_line(row: str, end: str) -> None:
    milk = "| [Milk](https://arxiv.org/abs/2606.00002) | x |"
    page = f"## Tea\n| Title | Abstract |\n|---|---|\n{row}\n{milk}\n\nEnd\n"
    contents = parse_page(page.replace("\n", end))
    (listing,) = contents.listings
    assert [(one.id, one.title, one.abstract) for one in listing.papers] == [
        ("2606.00001", "On tea", "Hot. And good."),
        ("2606.00002", "Milk", "x"),
    ]
    assert contents.unread == listing.unread == ()


HTML_TABLE = f"""\
<h2 align="center">Black &amp; green tea</h2>

<table width="100%">
<thead><tr><th>Title</th><th>Date</th>
<th>Abstract</th></tr></thead>
<tr>
  <td><a class="x"
         href="{LINK}v2">On<br>tea &lt; milk</a></td>
  <td>2026-06-15</td><td>Hot
and good.</td>
</tr>
<tr><td>

[On **milk**](https://arxiv.org/pdf/2606.00002v2.pdf)

</td><td></td><td>Cold.
<tr><td><a href="https://example.org/">Elsewhere</a></td></tr>
</TABLE>
"""


def test_a_table_of_html_is_read() -> None:
    (listing,) = parse_page(HTML_TABLE).listings
    assert listing.heading == "Black & green tea"
    assert [(one.id, one.title, one.abstract) for one in listing.papers] == [
        ("2606.00001", "On tea < milk", "Hot and good."),
        ("2606.00002", "On milk", "Cold."),
    ]
    assert [(one.line, one.text) for one in listing.unread] == [(17, "Elsewhere")]


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_the_page_as_html_is_read_as_the_markdown_is(text: str) -> None:
    page = page_of(saying(text, text, text), text="black tea")
    assert parse_page(write_html(page)).listings == parse_page(write_markdown(page)).listings


FENCES = ["```", "````", "`````", "~~~", "~~~~", "``` md", "~~~ a`b", "``` a`b", "   ```", "````  ", "```` x"]
TABLE = "## Tea\n\n| Title |\n|---|\n| [x](https://arxiv.org/abs/2606.0000{}) |\n"


@given(parts=st.lists(st.sampled_from([*FENCES, "tea"]) | st.integers(1, 9).map(TABLE.format), max_size=8))
def test_what_is_fenced_is_not_read_by_the_rules_of_markdown(parts: list[str]) -> None:
    text = "\n\n".join(parts)
    contents = parse_page(f"{text}\n")
    read = [f"https://arxiv.org/abs/{one.id}" for listing in contents.listings for one in listing.papers]
    assert read == shown_markdown(text).links == shown_github(text).links
    assert len(read) + len(contents.unread) == text.count("arxiv.org")


@pytest.mark.parametrize(
    "link",
    [
        "[x](https://arxiv.org/abs/2606.00001/)",
        "[x](<https://arxiv.org/abs/2606.00001v2>)",
        '[x](https://arxiv.org/html/2606.00001v1#S2 "On tea")',
        "[x](http://www.arxiv.org/pdf/2606.00001v2.pdf)",
        "[x](https://arxiv.org/abs/2606.00001?context=cs.LG&amp;x=1)",
        "[x](arxiv.org/abs/2606.00001)",
        "[x](https://doi.org/10.48550/arXiv.2606.00001)",
        "[x](https://doi.org/10.48550%2FarXiv.2606.00001)",
        "[x](https://ar5iv.labs.arxiv.org/html/2606.00001)",
        "[list](https://arxiv.org/list/cs.LG/new) [x](https://arxiv.org/abs/2606.00001)",
        "<a href='https://arxiv.org/abs/2606.00001'>x</a>",
        "<https://arxiv.org/abs/2606.00001>",
        "arxiv.org/abs/2606.00001, 10 pages",
        "doi:10.48550/arXiv.2606.00001",
    ],
)
def test_every_address_of_a_paper_is_read(link: str) -> None:
    contents = parse_page(f"## Tea\n| Title | Link |\n|---|---|\n| On tea | {link} |\n")
    assert ids(contents.listings) == {"Tea": ["2606.00001"]}
    assert contents.unread == contents.listings[0].unread == ()


def test_what_seems_to_be_a_paper_and_is_not_read_is_told_with_its_line() -> None:
    contents = parse_page(
        f"""\
- [Before any heading]({LINK})
## Tea
| Title | Link |
|---|---|
| No link | - |
| Another [archive](https://notarxiv.org/abs/2606.00002) | |
| [Mistyped](https://arxiv.org/abs/26.1) |

- [In a list](https://doi.org/10.48550/arXiv.2606.00003), found at [arXiv](https://arxiv.org/)
```
[In code]({LINK})
```
"""
    )
    assert [(one.line, one.text) for one in contents.unread] == [
        (1, "- Before any heading"),
        (9, "- In a list, found at arXiv"),
        (11, "In code"),
    ]
    assert [(one.line, one.text) for one in contents.listings[0].unread] == [
        (5, "No link | -"),
        (6, "Another archive |"),
        (7, "Mistyped"),
    ]


def test_a_page_that_breaks_off_loses_no_more_than_its_last_row() -> None:
    whole = write_markdown(page_of(*(replace(saying("On tea"), id=ArxivId(f"2606.0000{n}")) for n in (1, 2))))
    last = whole.index("2606.00002")
    for end in range(last, len(whole)):
        (listing,) = parse_page(whole[:end]).listings
        assert {one.id for one in listing.papers} <= {"2606.00001", "2606.00002"}
        assert len(listing.papers) + len(listing.unread) == 2
    for written in ("https://arxiv.org/abs/2606.0000", "<a href='https://arxiv.org/abs/2606.0000"):
        (listing,) = parse_page(f"## T\n| Title |\n|---|\n| x | {written}").listings
        assert (listing.papers, len(listing.unread)) == ((), 1)


@pytest.mark.parametrize(
    "text", ["", "# Tea\n", "| Title |\n", "## T\n| Title |\n", "## T\n\nx | y\n--- | ---\n"]
)
def test_what_is_no_page_has_no_headings(text: str) -> None:
    assert parse_page(text).listings == ()


@given(text=st.text(st.sampled_from("|-# \n[]()*\\`<>a$") | st.sampled_from(FORKS), max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    for listing in parse_page(f"## T\n| Title |\n| --- |\n{text}").listings:
        judge(listing)


# Judging them


def listing_of(heading: str, *rows: str, columns: str = "| Title | Abstract |\n|---|---|") -> Listing:
    table = "\n".join(
        f"| [{row.partition(': ')[0]}](https://arxiv.org/abs/2606.{n:05}) | {row.partition(': ')[2]} |"
        for n, row in enumerate(rows, start=1)
    )
    (listing,) = parse_page(f"## {heading}\n{columns}\n{table}\n").listings
    return listing


def test_what_matches_its_heading_is_told_from_what_does_not() -> None:
    verdict = judge(listing_of("Green Tea", "Green teas: x", "On milk: of green tea", "On milk: tea, green"))
    assert verdict.keyword == keyword("Green Tea")
    assert [one.id[-1] for one in verdict.matching] == ["1", "2"]
    assert [one.id[-1] for one in verdict.strays] == ["3"]
    assert verdict.unclear == ()


@pytest.mark.parametrize(
    "heading", ["tea", "cat:cs.LG AND milk", "milk ANDNOT au:noether", "jr:tea", "all:tea"]
)
def test_nothing_is_said_of_papers_that_the_page_tells_too_little_of(heading: str) -> None:
    rows = ("On coffee: " if heading == "tea" else "On coffee: without sugar",)
    verdict = judge(listing_of(heading, *rows))
    assert (verdict.matching, verdict.strays, len(verdict.unclear)) == ((), (), 1)


@pytest.mark.parametrize(
    ("heading", "meant"),
    [
        ("Time Series", "Time Series"),
        ("LLM AND attack", "LLM AND attack"),
        ("Disordered Proteins (IDR)", '"Disordered Proteins (IDR)"'),
        ("AND gates", '"AND gates"'),
        ('The "AND" of it (all', '"The  AND  of it (all"'),
        ("the of and", '"the of and"'),
        ("!!!", None),
        ("x" * 600, None),
    ],
)
def test_a_heading_is_a_keyword_or_a_phrase_in_quotes_or_none(heading: str, meant: str | None) -> None:
    found = keyword_for(heading)
    assert (found and found.text) == (meant and one_line(meant))
    if found is None:
        listing = listing_of(heading, "On tea: x")
        assert judge(listing).unclear == listing.papers


def test_headings_over_the_very_same_papers_are_found() -> None:
    same = [judge(listing_of(heading, "On tea: x", "On milk: y")) for heading in ("tea", "milk", "salt")]
    other, single, also = (
        judge(listing_of("rice", "On rice: x")),
        judge(listing_of("a b", "A: x")),
        judge(listing_of("c d", "A: x")),
    )
    assert alike([same[0], other, *same[1:], single, also]) == (tuple(same),)


def test_one_keyword_in_two_writings_has_the_same_papers_rightly() -> None:
    written = [judge(listing_of(heading, "On tea: x", "On milk: y")) for heading in ("tea", "Teas")]
    assert alike(written) == ()


def test_headings_that_all_of_the_same_papers_match_are_right() -> None:
    rightly = [judge(listing_of(heading, "On tea: x", "On teas: y")) for heading in ("tea", "te*")]
    assert alike(rightly) == ()

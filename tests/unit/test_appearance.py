"""The page can be read in both themes, at any width, and without its style sheet."""

import re
from itertools import chain

import pytest

from digest.config.package_data import templates_folder
from tests.unit.rendered import RENDERED_STYLE, REVISIONS, Page, entry, render

LIGHT_SHEET, DARK_SHEET = "#ffffff", "#1e1d1b"
HTML = render(
    entry(1, comment="Accepted at TeaConf; 3 pages", doi="10.1234/x"),
    is_first=True,
    revisions=REVISIONS,
    keywords=("compilers", "silence"),
).html
COLOUR = re.compile(r"(?<![-\w])color:\s*(#[0-9a-f]{3,6})")
GROUND = re.compile(r"background:\s*(#[0-9a-f]{3,6})")


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    lighter, darker = sorted((luminance(a), luminance(b)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def light_pairs() -> set[tuple[str, str]]:
    """Colours of text with what is behind them: the sheet, and a chip's ground where there is one."""
    inline = re.findall(
        r'style="([^"]*)"', "".join(path.read_text() for path in templates_folder().glob("*.html.j2"))
    )
    texts = set(chain.from_iterable(map(COLOUR.findall, inline)))
    chip = "#9c1717", next(GROUND.search(style)[1] for style in inline if "9px" in style)  # type: ignore[index]
    return {*((text, LIGHT_SHEET) for text in texts), chip}


def dark_pairs() -> set[tuple[str, str]]:
    rules = RENDERED_STYLE.partition("prefers-color-scheme: dark")[2]
    texts = set(COLOUR.findall(rules))
    chip = re.search(r"\.chip \{ background: (\S+) !important; color: (\S+) !", rules)
    assert chip
    return {*((text, DARK_SHEET) for text in texts), (chip[2], chip[1])}


@pytest.mark.parametrize("pair", sorted(light_pairs() | dark_pairs()))
def test_every_text_stands_out_from_its_ground(pair: tuple[str, str]) -> None:
    assert contrast(*pair) >= 4.5  # WCAG 2.2, 1.4.3, level AA


def test_the_sheets_are_those_that_contrast_is_computed_for() -> None:
    assert re.search(r'class="sheet" style="[^"]*background:#fff;', HTML)
    assert f".sheet {{ background: {DARK_SHEET} !important;" in RENDERED_STYLE


def test_the_dark_theme_has_a_colour_for_whatever_has_one_in_the_light() -> None:
    dark = RENDERED_STYLE.partition("prefers-color-scheme: dark")[2]
    for tag in (
        "h1",
        "h2",
        "h2 a",
        "p span",
        "p a",
        "h3",
        "h3 a",
        ".title a",
        ".accent",
        ".band",
        ".chip",
        ".ground",
        ".sheet",
    ):
        assert re.search(rf"(^|[ ,]){re.escape(tag)}[ ,]", dark, re.MULTILINE), tag


def test_what_matters_is_inline_and_the_style_sheet_is_for_themes_and_small_screens() -> None:
    page = Page(HTML)
    for tag in ("h1", "h2", "p", "table"):
        assert all(
            "style" in attributes
            for name, attributes in page.tags
            if name == tag and "role" not in attributes
        )
    assert all("color" in str(attributes["style"]) for name, attributes in page.tags if name == "a")
    assert len(RENDERED_STYLE) < 3_000
    assert HTML.index("</style>") < HTML.index("<body")


def test_nothing_is_wider_than_a_small_screen_and_lines_stay_short_on_a_big_one() -> None:
    widths = [int(width) for width in re.findall(r'(?<!-)width="(\d+)"(?! cellpadding)', HTML)]
    assert max(widths, default=0) <= 320
    assert "max-width:660px" in HTML
    assert "overflow-wrap:anywhere" in HTML


def test_headings_go_down_one_step_at_a_time() -> None:
    found = [int(tag[1]) for tag, _ in Page(HTML).tags if re.fullmatch("h[1-6]", tag)]
    assert found == [1, 2, 2]


def test_names_from_right_to_left_do_not_turn_their_neighbours() -> None:
    html = render(entry(1, authors=("مريم الحداد", "Ada Marlow"))).html
    assert "<bdi>مريم الحداد</bdi> and Ada Marlow\n" in html

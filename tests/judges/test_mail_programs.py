"""What mail programs support, by caniemail.com's data, and by a list of our own of what it leaves out."""

import re
from html.parser import HTMLParser

import pytest

from tests.judges.correspondence import Correspondence
from tests.judges.on_node import ask
from tests.judges.presence import requires

pytestmark = pytest.mark.long

CLIENTS = (
    "gmail.android",
    "gmail.desktop-webmail",
    "gmail.ios",
    "gmail.mobile-webmail",
    "outlook.windows",
    "outlook.macos",
    "outlook.outlook-com",
    "apple-mail.ios",
    "apple-mail.macos",
    "thunderbird.macos",
    "thunderbird.windows",
    "yahoo.android",
    "yahoo.desktop-webmail",
    "yahoo.ios",
)

_EXTRA = "an extra of the style sheet: without it the mail is light, wide and as readable"
_BREAKING = "only breaks words that are too long for a line; most programs know one of the two"
_HIDING = "hides the preheader, each program by what it knows of this; shown, it reads as a first line"

EXCEPTIONS = {
    "<style> element": _EXTRA,
    "@media": _EXTRA,
    ":hover": _EXTRA,
    "Class selector": _EXTRA,
    "Descendant combinator": _EXTRA,
    "Type selector": _EXTRA,
    "Local anchors": "lead from a count to its papers; elsewhere they do nothing",
    "color-scheme CSS property": "tells that there are colours for the dark; others use their own",
    "color-scheme meta tag": "the same, for Apple Mail",
    "display:none": _HIDING,
    "max-height property": _HIDING,
    "overflow": _HIDING,
    "overflow-wrap": _BREAKING,
    "word-break": _BREAKING,
    "table-layout": "bounds what is too long for a line; Outlook on Windows has a fixed width instead",
    "<bdi> element": "keeps names of other scripts apart from their neighbours; else they are text as ever",
    "<body> element": "becomes another element; the ground is coloured once more by the table in it",
    "aria-label attribute": "names the article for screen readers; the subject has the same words",
    "border-radius": "corners are square instead",
    "height property": "only of the red band, which has the attribute too",
}
"""Features that not every program supports, and why the mail has them all the same."""

MISSED_ELEMENTS = """
    applet area audio base button canvas datalist details dialog embed fieldset form frame frameset
    iframe img input link map marquee math noscript object option param picture portal script select slot
    source summary svg template textarea track video
"""
MISSED_PROPERTIES = """
    all animation aspect-ratio backdrop-filter behavior clip-path column-gap columns container
    content-visibility filter flex float gap grid inset isolation mask mix-blend-mode object-fit order
    place-items position row-gap scroll-snap-type transform transition translate zoom
"""
MISSED_VALUES = re.compile(
    r"url\(|var\(|calc\(|env\(|clamp\(|expression\(|\d(?:rem|vw|vh|ch)\b|\b(?:inline-)?(?:flex|grid)\b|@import|@font-face"
)
LINKS = re.compile(r"https?://|mailto:|#g\d+$")


class _Used(HTMLParser):
    """The elements, attributes, links and styles of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.styles: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}
        self.styles += [value or "" for name, value in attrs if name == "style"]

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.styles.append(data)

    @property
    def properties(self) -> set[str]:
        return set(re.findall(r"(?:^|[;{]\s*)([a-z-]+)\s*:", "\n".join(self.styles), re.MULTILINE))


def _faults(document: str) -> list[str]:
    """What a document uses of what is on the list of our own."""
    used = _Used(document)
    return [
        *sorted(used.elements & {*MISSED_ELEMENTS.split()}),
        *sorted(
            name
            for name in used.attributes
            if name.startswith("on") or name in {"src", "srcset", "background"}
        ),
        *sorted(used.properties & {*MISSED_PROPERTIES.split()}),
        *sorted(set(MISSED_VALUES.findall("\n".join(used.styles)))),
        *sorted(link for link in used.links if not LINKS.match(link)),
    ]


def test_every_mail_program_supports_what_the_mail_needs(correspondence: Correspondence) -> None:
    requires(is_on_node=True)
    mails = [{"name": mail.name, "html": mail.part("html")} for mail in correspondence.mails]
    found = ask("caniemail", {"mails": mails, "clients": CLIENTS})
    assert [one for one in found if one["feature"] not in EXCEPTIONS] == []
    assert EXCEPTIONS.keys() == {one["feature"] for one in found}


def test_nothing_of_our_own_list_is_used(correspondence: Correspondence) -> None:
    assert {mail.name: _faults(mail.part("html")) for mail in correspondence.mails} == {
        mail.name: [] for mail in correspondence.mails
    }


@pytest.mark.parametrize(
    "fault",
    [
        "<details>",
        "<svg>",
        "<math>",
        "<script>",
        "<img>",
        '<p onclick="x">',
        '<td background="x">',
        '<p style="gap:1px">',
        '<p style="margin:0; position:absolute">',
        '<p style="display:inline-flex">',
        '<p style="width:2rem">',
        '<p style="color:var(--x)">',
        "<style>p { background: url(x) }</style>",
        '<a href="javascript:x">',
        '<a href="#top">',
    ],
)
def test_our_own_list_sees_it(fault: str) -> None:
    assert len(_faults(f"<p style='color:red'>a{fault}b")) == 1

"""Programs for terminals: all papers are there, and nothing that only makes sense with styles."""

import re
from html import unescape

import pytest

from tests.judges.correspondence import Correspondence, Mail
from tests.judges.presence import requires
from tests.judges.terminals import html_in, text_in_neomutt

pytestmark = pytest.mark.long

_TITLE = re.compile(r'<(?:h[23]|p class="title") dir="auto"[^>]*><a [^>]*>(.*?)</a>')
_KEYWORDS = re.compile(r'class="chip"[^>]*>(.*?)</span>')
_LONGEST_LINE = 78


@pytest.mark.parametrize("program", ["lynx", "w3m"])
def test_the_html_reads_as_text(correspondence: Correspondence, program: str) -> None:
    requires(program)
    for mail in correspondence.mails:
        shown = html_in(program, mail)
        assert _titles(mail) != [], mail.name
        assert [title for title in _titles(mail) if title not in _flowing(shown)] == [], mail.name
        assert not re.search(r"&[a-z]+;|</|style=|\[if mso", shown), mail.name
        assert max(map(len, shown.splitlines())) <= 80, mail.name


@pytest.mark.parametrize("program", ["lynx", "w3m"])
def test_keywords_beside_each_other_are_told_apart(correspondence: Correspondence, program: str) -> None:
    requires(program)
    pairs = 0
    for mail in correspondence.mails:
        shown = _flowing(html_in(program, mail))
        for line in re.findall(r'(?:<span class="chip".*\n){2,}', mail.part("html")):
            pairs += 1
            assert " · ".join(unescape(one) for one in _KEYWORDS.findall(line)) in shown, mail.name
    assert pairs or "cartography" not in correspondence.longest.part(
        "plain"
    )  # of the real papers none may have three


def test_neomutt_shows_the_text_as_it_was_written(correspondence: Correspondence) -> None:
    requires("neomutt")
    for mail in correspondence.mails:
        shown = text_in_neomutt(mail)
        headers, _, body = shown.partition("\n\n")
        assert mail.message["Subject"] in _flowing(headers), mail.name
        assert body.strip() == mail.part("plain").strip(), mail.name
        lines = [line for line in body.splitlines() if len(line.split()) > 1]
        assert max(map(len, lines)) <= _LONGEST_LINE, mail.name


def _titles(mail: Mail) -> list[str]:
    """As programs for terminals show them: raised letters have a `^`, lowered ones are in brackets."""
    found = []
    for title in _TITLE.findall(mail.part("html")):
        flat = re.sub(r"<sub>(.*?)</sub>", r"[\1]", title.replace("<sup>", "^"))
        found.append(_flowing(unescape(re.sub("<[^>]*>", "", flat))))
    return found


def _flowing(text: str) -> str:
    return " ".join(text.split())

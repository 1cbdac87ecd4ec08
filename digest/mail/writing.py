"""From mailings to messages, many in a row: what several of them share is rendered and encoded once.

A paper is rendered and put into quoted-printable once, around a line that stands for its keywords; these are
so once for all papers that match the same ones. The frame around the papers is rendered for each reader,
around a line that stands for them all, and encoded line by line: most of its lines are everybody's.
Texts of whole lines can be encoded apart and joined (RFC 2045, section 6.7). So the bytes are those that
`build_message` makes of the whole, whatever was written before.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

from jinja2 import TemplateError

from digest.digests import Digest
from digest.errors import Unwritable
from digest.mail import Outgoing
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Letterhead, join_message, quoted_printable
from digest.mail.rendering import Block, Renderer
from digest.papers import Paper
from digest.store import Mailing

_PAPERS_KEPT = 4_000
"""About 5 KB each, encoded: 20 MB."""

_KEYWORDS_KEPT = 8_000
_LINES_KEPT = 4_000

_PLACE = "\0\n"
"""The line that stands for something else. No value that templates are given holds a control character."""

_ELSEWHERE = Block(text=_PLACE, html=_PLACE)
_NOTHING = Block()


def _no_links(mailing: Mailing) -> Links:
    return NO_LINKS


class Writer:
    """Builds messages by one set of templates. Several threads may use it at once.

    `links` tells where a mailing leads on the web; it must give the same each time.
    """

    def __init__(
        self, renderer: Renderer, letterhead: Letterhead, links: Callable[[Mailing], Links] = _no_links
    ) -> None:
        self._renderer = renderer
        self._letterhead = letterhead
        self._links = links
        self._paper = lru_cache(maxsize=_PAPERS_KEPT)(self._encoded_paper)
        self._keywords = lru_cache(maxsize=_KEYWORDS_KEPT)(self._encoded_keywords)

    def write(self, mailing: Mailing) -> Outgoing:
        """The message of a mailing. Raises `Unwritable` where a template does not fit it."""
        digest = mailing.digest
        try:
            subject, text, html = self._pieces(digest)
        except TemplateError as error:
            raise Unwritable(f"the templates do not fit this digest: {error}; mend them") from error
        links = self._links(mailing)
        message = join_message(
            digest, subject, self._letterhead, mailing.token, text=text, html=html, links=links
        )
        return Outgoing(
            sender=self._letterhead.sender, recipient=digest.email, message=message, token=mailing.token
        )

    def _pieces(self, digest: Digest) -> tuple[str, Iterable[bytes], Iterable[bytes]]:
        """The subject, and the encoded pieces of text and HTML."""
        papers = _ELSEWHERE if digest.entries else _NOTHING
        frame = self._renderer.frame(digest, papers, letterhead=self._letterhead)
        text_above, text_below = _cut("digest.txt.j2", frame.text, papers.text)
        html_above, html_below = _cut("digest.html.j2", frame.html, papers.html)
        text, html = [*_encoded_lines(text_above)], [*_encoded_lines(html_above)]
        for entry in digest.entries:
            in_text, in_html = self._keywords(entry.keywords)
            above_text, below_text, above_html, below_html = self._paper(entry.paper, bool(entry.keywords))
            text += (above_text, in_text, below_text)
            html += (above_html, in_html, below_html)
        text += _encoded_lines(text_below)
        html += _encoded_lines(html_below)
        return frame.subject, text, html

    def _encoded_keywords(self, keywords: tuple[str, ...]) -> tuple[bytes, bytes]:
        lines = self._renderer.keywords(keywords)
        return quoted_printable(lines.text), quoted_printable(lines.html)

    def _encoded_paper(self, paper: Paper, has_keywords: bool) -> tuple[bytes, bytes, bytes, bytes]:
        """The text above and below the keywords, then the HTML above and below them."""
        keywords = _ELSEWHERE if has_keywords else _NOTHING
        block = self._renderer.paper(paper, keywords)
        text_above, text_below = _cut("paper.txt.j2", block.text, keywords.text)
        html_above, html_below = _cut("paper.html.j2", block.html, keywords.html)
        return (
            quoted_printable(text_above),
            quoted_printable(text_below),
            quoted_printable(html_above),
            quoted_printable(html_below),
        )


def _cut(template: str, rendered: str, place: str) -> tuple[str, str]:
    """What stands above and below `place`."""
    if not place:
        return rendered, ""
    above, found, below = rendered.partition(place)
    if not found or above[-1:] not in {"", "\n"} or place in below:
        raise Unwritable(f"{template} has to print what it is given once, on lines of its own; mend it")
    return above, below


def _encoded_lines(text: str) -> Iterable[bytes]:
    """Each line encoded, with its line end; `text` ends in one."""
    return map(_encoded_line, text.split("\n")[:-1])


@lru_cache(maxsize=_LINES_KEPT)
def _encoded_line(line: str) -> bytes:
    return quoted_printable(f"{line}\n")

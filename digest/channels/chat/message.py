"""One message of a chat: titles, first authors and links, as many as the service takes, in its own markup."""

import html
import json
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from digest.channels.base import Post
from digest.model.paper import Paper, one_line

_ZERO_WIDTH = "\u200b"
_MENTION = re.compile(r"@(?=\w)")
_EMOJI = re.compile(r":(?=[\w+-]+:)")
_SHORTEST_TITLE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A paper in a message."""

    title: str
    byline: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a message says: a heading, the papers, and where all of them are."""

    heading: str
    items: tuple[Item, ...]
    page: str | None = None

    def as_object(self) -> dict[str, Any]:
        items = [[one.title, one.byline, one.url] for one in self.items]
        return {"heading": self.heading, "items": items, "page": self.page}


def message_from(found: Any) -> Message:
    """The message of an `as_object`."""
    items = tuple(Item(title=title, byline=byline, url=url) for title, byline, url in found["items"])
    return Message(heading=found["heading"], items=items, page=found["page"])


def message_of(post: Post) -> Message:
    """The message about a digest: it is the same for every service."""
    digest = post.digest
    papers = len(digest.entries)
    count = "1 paper" if papers == 1 else f"{papers:,} papers"
    day = f"{digest.dated_on.day} {digest.dated_on:%B %Y}"
    new = [_item(entry.paper) for entry in digest.entries]
    revised = [_item(one.paper, f"Version {one.paper.version}: ") for one in digest.revisions]
    return Message(heading=f"{one_line(post.title)}, {day}: {count}", items=(*new, *revised), page=post.page)


def _item(paper: Paper, before: str = "") -> Item:
    from digest.mail.rendering.richtext import RichText  # late: the tables of TeX are large

    authors = [one_line(str(RichText(author))) for author in paper.authors]
    byline = authors[0] if authors else ""
    if len(authors) > 1:
        byline = f"{byline} and {authors[1]}" if len(authors) == 2 else f"{byline} et al."
    return Item(title=before + one_line(str(RichText(paper.title))), byline=byline, url=paper.abs_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a service wants text: `escape` makes it show as it is, `size` counts as the service does.

    `most` is the longest message, if it is shorter than apprise knows; `form` is the format of apprise.
    """

    escape: Callable[[str], str]
    size: Callable[[str], int]
    form: str = "text"
    most: int | None = None


def write(message: Message, dialect: Dialect, most: int) -> str:
    """The longest message of at most `most` units. It always has the heading, and says what is missing."""
    room = min(most, dialect.most or most)
    parts = [_part(item, dialect) for item in message.items]
    if dialect.size(whole := _joined(message, parts, dialect)) <= room:
        return whole

    def is_too_long(shown: int) -> bool:
        return dialect.size(_joined(message, parts[:shown], dialect)) > room

    if shown := bisect_left(range(1, len(parts)), True, key=is_too_long):
        return _joined(message, parts[:shown], dialect)
    first = message.items[:1]
    while first and len(first[0].title) > _SHORTEST_TITLE:
        title = first[0].title[: len(first[0].title) * 3 // 4].rstrip()
        first = (Item(title=f"{title.rstrip('…')}…", byline=first[0].byline[:80], url=first[0].url),)
        text = _joined(message, [_part(first[0], dialect)], dialect)
        if dialect.size(text) <= room:
            return text
    return _joined(message, [], dialect)


def _part(item: Item, dialect: Dialect) -> str:
    byline = f"{dialect.escape(item.byline)}: " if item.byline else ""
    return f"{dialect.escape(item.title)}\n{byline}{item.url}"


def _joined(message: Message, parts: Sequence[str], dialect: Dialect) -> str:
    """The message with these papers, which says how many are missing."""
    left = len(message.items) - len(parts)
    end = [f"{left:,} more" + (f": {message.page}" if message.page else "")] if left else [message.page]
    return "\n\n".join(filter(None, [dialect.escape(message.heading), *parts, *end]))


def _plain(text: str) -> str:
    return text


def _as_html(text: str) -> str:
    return html.escape(text, quote=False)


def _backslashed(text: str) -> str:
    r"""Markdown in which ASCII punctuation loses its meaning by a backslash, the rest by a zero-width space.

    A mention would notify people, and an address would become a link to a stranger's page.
    """
    safe = re.sub(r"([\\`*_\[\]~|#$])", r"\\\1", text)
    safe = re.sub(r"<", f"<{_ZERO_WIDTH}", safe)
    safe = re.sub(r"^([-+>]|\d+(?=[.)]))", rf"{_ZERO_WIDTH}\1", safe)
    safe = _MENTION.sub(f"@{_ZERO_WIDTH}", safe)
    return _unlinked(_EMOJI.sub(f":{_ZERO_WIDTH}", safe))


def _as_entities(text: str) -> str:
    """Markdown without backslashes, but with entities."""
    safe = re.sub(r"[&<>\\`*_\[\]#~$@:|]", lambda found: f"&#{ord(found[0])};", text)
    return re.sub(r"^([-+]|\d+(?=[.)]))", rf"{_ZERO_WIDTH}\1", safe)


def _unlinked(text: str) -> str:
    text = text.replace("://", f":{_ZERO_WIDTH}//")
    return re.sub(r"(?<=www)\.", f"{_ZERO_WIDTH}.", text, flags=re.IGNORECASE)


def _characters(text: str) -> int:
    return len(text)


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _utf16_in_crlf(text: str) -> int:
    return _utf16(text.replace("\n", "\r\n"))  # as apprise sends it


def _bytes(text: str) -> int:
    return len(text.encode())


def _json_bytes(text: str) -> int:
    return len(json.dumps(text).encode())


def _html_characters(text: str) -> int:
    return len(_as_html(text))


DIALECTS = {
    # apprise escapes for Slack, and switches its markup off.
    "slack": Dialect(escape=_plain, size=_html_characters),
    "mmost": Dialect(escape=_backslashed, size=_characters),
    "matrix": Dialect(escape=_plain, size=_json_bytes, most=60_000),
    "zulip": Dialect(escape=_as_entities, size=_characters),
    "discord": Dialect(escape=_backslashed, size=_utf16),
    "workflow": Dialect(escape=_backslashed, size=_bytes, form="markdown"),
    "tgram": Dialect(escape=_as_html, size=_utf16_in_crlf, form="html"),
    "ntfy": Dialect(escape=_plain, size=_bytes, most=4_096),
}
"""The services, by the scheme of their address."""


def service_in(url: str) -> str | None:
    """Which of `DIALECTS` an address is for; `None` if it is for no known one."""
    scheme = url.partition("://")[0].lower()
    return scheme if scheme in DIALECTS else scheme.removesuffix("s") if scheme[:-1] in DIALECTS else None

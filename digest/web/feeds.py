"""Atom feeds (RFC 4287) of papers and of digests."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from digest.mail.rendering.paper_view import build_card
from digest.model.paper import Paper, month_of

_ATOM = "http://www.w3.org/2005/Atom"
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow (section 2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry; `url` is its page and its permanent identifier."""

    url: str
    title: str
    summary: str
    updated_at: datetime
    published_at: datetime | None = None
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


def paper_item(paper: Paper) -> Item:
    card = build_card(paper)
    return Item(
        url=card.abs_url,
        title=str(card.title),
        summary=str(card.abstract or ""),
        updated_at=dated_at(paper),
        published_at=paper.submitted_at,
        authors=tuple(map(str, card.authors)),
        categories=paper.categories,
    )


def dated_at(paper: Paper) -> datetime:
    """The time of this version; if the source has none, the month of its id."""
    if known := paper.updated_at or paper.submitted_at:
        return known
    year, month = map(int, month_of(paper.id).split("-"))
    return datetime(year, min(max(month, 1), 12), 1, tzinfo=UTC)


def atom(*, url: str, page: str | None, title: str, items: Sequence[Item], updated_at: datetime) -> bytes:
    """The document at `url`; `page` is its HTML form. Without items `updated_at` is used."""
    feed = Element("feed", {"xmlns": _ATOM})
    _add(feed, "id", url)
    _add(feed, "title", title)
    _add(feed, "updated", _moment(max((item.updated_at for item in items), default=updated_at)))
    SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": url})
    if page:
        SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": page})
    _add(SubElement(feed, "author"), "name", "arXiv digest")
    _add_items(feed, items)
    document: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return document


def _add_items(feed: Element, items: Iterable[Item]) -> None:
    for item in items:
        entry = SubElement(feed, "entry")
        _add(entry, "id", item.url)
        _add(entry, "title", item.title)
        _add(entry, "updated", _moment(item.updated_at))
        if item.published_at:
            _add(entry, "published", _moment(item.published_at))
        SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": _fit(item.url)})
        for author in item.authors:
            _add(SubElement(entry, "author"), "name", author)
        for category in item.categories:
            SubElement(entry, "category", {"term": _fit(category)})
        _add(entry, "summary", item.summary)


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = _fit(text)


def _fit(text: str) -> str:
    return _NO_XML.sub(" ", text)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

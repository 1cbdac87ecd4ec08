"""A small arXiv on this machine: the search API over given announcements, with an adjustable clock."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from xml.etree import ElementTree as ET

from aiohttp import web

from digest.demo.search_syntax import BadSearch, BrokenSearch, parse_search
from digest.model.paper import ArxivId, Paper

_PATH = "/api/query"
_LAST_RESULT = 10_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NAMESPACES = {
    "xmlns": "http://www.w3.org/2005/Atom",
    "xmlns:arxiv": "http://arxiv.org/schemas/atom",
    "xmlns:opensearch": "http://a9.com/-/spec/opensearch/1.1/",
}
_SORT_KEYS: Mapping[str, Callable[[Paper], datetime]] = {
    "relevance": lambda paper: _LONG_AGO,
    "submittedDate": lambda paper: paper.submitted_at or _LONG_AGO,
    "lastUpdatedDate": lambda paper: paper.updated_at or _LONG_AGO,
}
_SORT_ORDERS = ("ascending", "descending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One version of a paper, and when arXiv announced it. Before that time the version does not exist."""

    paper: Paper
    announced_at: datetime


class LocalArxiv:
    """Serves the search API at `url`, on a free port of 127.0.0.1, inside its `async with`.

    It shows the latest version of each paper announced up to `now`, which may be set at any time. While
    `is_overloaded` is set, every answer is a 503. Fields and errors are those of
    https://info.arxiv.org/help/api/user-manual.html, without `id_list`.
    """

    def __init__(self, announcements: Sequence[Announcement], now: datetime) -> None:
        self.now = now
        self.is_overloaded = False
        self._announcements = sorted(announcements, key=lambda one: (one.announced_at, one.paper.version))
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=2**22)
        application.router.add_get(_PATH, self._answer)
        application.router.add_post(_PATH, self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        if self._runner is None:
            raise RuntimeError("LocalArxiv has an address only inside of its `async with`")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}{_PATH}"

    async def _answer(self, request: web.Request) -> web.Response:
        if self.is_overloaded:
            return web.Response(status=503, text="Service Unavailable")
        fields = {**request.query, **(await request.post())}
        try:
            status, feed = 200, self._search({name: str(value) for name, value in fields.items()})
        except BadSearch as error:
            status, feed = 400, _error_feed(str(error), self.now)
        except BrokenSearch:
            status, feed = 500, _error_feed("The server encountered an internal error.", self.now)
        document = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
        return web.Response(status=status, body=document, content_type="application/atom+xml")

    def _search(self, fields: Mapping[str, str]) -> ET.Element:
        start, size = _number(fields, "start", 0), _number(fields, "max_results", 10)
        sort_key = _choice(fields, "sortBy", tuple(_SORT_KEYS))
        order = _choice(fields, "sortOrder", _SORT_ORDERS[::-1])
        query = fields.get("search_query", "").strip()
        wanted = set(filter(None, fields.get("id_list", "").split(",")))
        if not query and not wanted:
            raise BadSearch("one of search_query or id_list must be provided")
        if size == 0 or start + size > _LAST_RESULT:
            raise BrokenSearch(f"results {start} to {start + size}")
        known = [paper for paper in self._known() if not wanted or paper.id in wanted]
        found = sorted(
            filter(parse_search(query), known) if query else known,
            key=_SORT_KEYS[sort_key],
            reverse=order == "descending",
        )
        feed = _feed(f"search_query={query}", self.now, total=len(found), start=start, size=size)
        feed.extend(_entry(paper) for paper in found[start : start + size])
        return feed

    def _known(self) -> tuple[Paper, ...]:
        latest: dict[ArxivId, Paper] = {}
        for announcement in self._announcements:
            if announcement.announced_at <= self.now:
                latest[announcement.paper.id] = announcement.paper
        return tuple(latest.values())


def _number(fields: Mapping[str, str], name: str, default: int) -> int:
    text = fields.get(name, "") or str(default)
    if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        raise BadSearch(f"{name} must be an integer")
    if int(text) < 0:
        raise BadSearch(f"{name} must be non-negative")
    return int(text)


def _choice(fields: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    """The field's value, or the first of `allowed` if it is missing."""
    value = fields.get(name, allowed[0])
    if value not in allowed:
        raise BadSearch(f"{name} must be in: {', '.join(allowed)}")
    return value


def _feed(title: str, updated_at: datetime, *, total: int, start: int, size: int) -> ET.Element:
    feed = ET.Element("feed", _NAMESPACES)
    _add(feed, "id", "https://arxiv.org/api/local")
    _add(feed, "title", f"arXiv Query: {title}")
    _add(feed, "updated", _stamp(updated_at))
    _add(feed, "opensearch:itemsPerPage", str(size))
    _add(feed, "opensearch:totalResults", str(total))
    _add(feed, "opensearch:startIndex", str(start))
    return feed


def _entry(paper: Paper) -> ET.Element:
    entry = ET.Element("entry")
    name = f"{paper.id}v{paper.version}"
    _add(entry, "id", f"http://arxiv.org/abs/{name}")
    _add(entry, "title", paper.title)
    _add(entry, "updated", _stamp(paper.updated_at or _LONG_AGO))
    _add(entry, "link", href=f"https://arxiv.org/abs/{name}", rel="alternate", type="text/html")
    _add(
        entry,
        "link",
        href=f"https://arxiv.org/pdf/{name}",
        rel="related",
        type="application/pdf",
        title="pdf",
    )
    _add(entry, "summary", paper.abstract)
    for category in paper.categories:
        _add(entry, "category", term=category, scheme=_NAMESPACES["xmlns:arxiv"])
    _add(entry, "published", _stamp(paper.submitted_at or _LONG_AGO))
    if paper.comment:
        _add(entry, "arxiv:comment", paper.comment)
    _add(entry, "arxiv:primary_category", term=paper.primary_category)
    if paper.journal_ref:
        _add(entry, "arxiv:journal_ref", paper.journal_ref)
    for author in paper.authors:
        _add(_add(entry, "author"), "name", author)
    if paper.doi:
        _add(entry, "arxiv:doi", paper.doi)
    return entry


def _error_feed(reason: str, now: datetime) -> ET.Element:
    """arXiv reports an error as a feed with one entry, whose title is `Error`."""
    feed = _feed("", now, total=1, start=0, size=1)
    entry = _add(feed, "entry")
    _add(entry, "id", "https://arxiv.org/api/errors")
    _add(entry, "title", "Error")
    _add(entry, "updated", _stamp(now))
    _add(entry, "summary", reason)
    _add(_add(entry, "author"), "name", "arXiv api core")
    return feed


def _add(parent: ET.Element, tag: str, text: str | None = None, /, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

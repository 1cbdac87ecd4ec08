"""OAI-PMH and the daily feeds on loopback: documents of invented papers, and a server that has a day's."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html import escape
from urllib.parse import parse_qs, quote, unquote
from zoneinfo import ZoneInfo

from aiohttp import web

from digest.demo.arxiv import Announcement
from tests.integration.arxiv_server import Reply

RESPONDED_AT = "2026-06-16T12:00:00Z"
EASTERN = ZoneInfo("America/New_York")


def versions_of(*received: str) -> str:
    """The version elements of `arXivRaw`, one for each date."""
    return "".join(
        f'<version version="v{number}"><date>{text}</date><size>22kb</size></version>'
        for number, text in enumerate(received, 1)
    )


def raw_record(
    identifier: str = "2606.00001",
    *,
    title: str = "On the walks of lost gnomes",
    abstract: str = "  We follow gnomes.\n",
    authors: str = "Ada Example and Bo Sample",
    categories: str = "math.CO cs.DM",
    versions: str = versions_of("Mon, 01 Jun 2026 12:00:00 GMT"),
    datestamp: str = "2026-06-16",
    extra: str = "",
) -> str:
    """A record as OAI-PMH lists it; texts are escaped, `versions` and `extra` are XML."""
    return f"""<record><header><identifier>oai:arXiv.org:{identifier}</identifier>
    <datestamp>{datestamp}</datestamp><setSpec>math:math:CO</setSpec></header>
    <metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>{identifier}</id>
    <submitter>Ada Example</submitter>{versions}<title>{escape(title)}</title>
    <authors>{escape(authors)}</authors><categories>{categories}</categories>{extra}
    <license>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</license>
    <abstract>{escape(abstract)}</abstract></arXivRaw></metadata></record>"""


def deleted_record(identifier: str = "2606.09999") -> str:
    return (
        f'<record><header status="deleted"><identifier>oai:arXiv.org:{identifier}</identifier>'
        "<datestamp>2026-06-16</datestamp></header></record>"
    )


def record_page(*records: str, token: str | None = None, size: int | None = None) -> str:
    """An answer to `ListRecords`; with `token` "" it is the last of several pages."""
    count = "" if size is None else f' completeListSize="{size}"'
    resumption = "" if token is None else f"<resumptionToken{count}>{escape(token)}</resumptionToken>"
    return _oai(f"<ListRecords>{''.join(records)}{resumption}</ListRecords>")


def oai_error(code: str, words: str = "Reason: none of yours.") -> str:
    return _oai(f"<error code='{code}'>{escape(words)}</error>")


def _oai(inner: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<responseDate>{RESPONDED_AT}</responseDate><request verb="ListRecords">http://oaipmh.arxiv.org/oai</request>
{inner}</OAI-PMH>"""


def feed_entry(
    name: str = "2606.00001v1",
    *,
    kind: str = "new",
    title: str = "On the walks of lost gnomes",
    abstract: str = "We follow gnomes.",
    authors: str = "Ada Example, Bo Sample",
    categories: Sequence[str] = ("math.CO", "cs.DM"),
    day: str = "2026-06-16",
) -> str:
    """A paper as a daily feed lists it; texts are escaped."""
    summary = f"arXiv:{name} Announce Type: {kind} \nAbstract: {abstract}"
    return f"""<entry><id>oai:arXiv.org:{name}</id><title>{escape(title)}</title>
    <updated>2026-06-16T04:00:19.899254+00:00</updated>
    <link href="https://arxiv.org/abs/{name.partition("v")[0]}" rel="alternate" type="text/html"/>
    <summary>{escape(summary)}</summary>{"".join(f'<category term="{term}"/>' for term in categories)}
    <published>{day}T00:00:00-04:00</published><arxiv:announce_type>{kind}</arxiv:announce_type>
    <dc:rights>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</dc:rights>
    <dc:creator>{escape(authors)}</dc:creator></entry>"""


def daily_feed(
    *entries: str,
    made_at: str = "2026-06-16T04:00:19.866337+00:00",
    title: str = "math updates on arXiv.org",
    subtitle: str = "math updates on the arXiv.org e-print archive.",
) -> str:
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"
      xmlns="http://www.w3.org/2005/Atom" xml:lang="en-us">
<id>http://rss.arxiv.org/atom/math</id><title>{escape(title)}</title><updated>{made_at}</updated>
<subtitle>{escape(subtitle)}</subtitle>{"".join(entries)}</feed>"""


@dataclass(slots=True)
class HarvestServer:
    """Gives each request the next of `replies`, and the last of them for ever."""

    url: str
    replies: list[Reply]
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.query)))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return await reply(request)


@asynccontextmanager
async def harvest_server(*replies: Reply) -> AsyncIterator[HarvestServer]:
    """Serves at any path under `url` until the block is left."""
    server = HarvestServer("", list(replies))
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What arXiv knows at `now`: OAI-PMH at `/oai`, the daily feeds at `/atom/…`."""

    announcements: Sequence[Announcement]
    now: datetime
    oai_page: int = 2_500
    most_entries: int = 2_000

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/oai":
            document = self._records(request.query).replace(RESPONDED_AT, f"{self.now:%FT%TZ}")
            return web.Response(text=document, content_type="text/xml")
        parts = request.path.removeprefix("/atom/").split("+")
        return web.Response(text=self._feed(parts), content_type="application/atom+xml")

    def _known(self) -> Mapping[str, Sequence[Announcement]]:
        """The announced versions of each paper, in order."""
        known: dict[str, list[Announcement]] = {}
        for one in sorted(self.announcements, key=lambda one: one.paper.version):
            if one.announced_at <= self.now:
                known.setdefault(one.paper.id, []).append(one)
        return known

    def _records(self, fields: Mapping[str, str]) -> str:
        skip = 0
        if "resumptionToken" in fields:
            assert set(fields) == {"verb", "resumptionToken"}
            fields = {name: value[0] for name, value in parse_qs(unquote(fields["resumptionToken"])).items()}
            skip = int(fields["skip"])
        listed = sorted(
            (_datestamp(versions[-1]), identifier)
            for identifier, versions in self._known().items()
            if _datestamp(versions[-1]) >= fields["from"]
        )
        if not listed:
            return oai_error("noRecordsMatch")
        page = listed[skip : skip + self.oai_page]
        token = "" if skip else None
        if len(listed) > skip + self.oai_page:
            token = quote(f"from={fields['from']}&skip={skip + self.oai_page}", safe="")
        return record_page(*(_record(self._known()[identifier]) for _, identifier in page), token=token)

    def _feed(self, parts: Sequence[str]) -> str:
        today = self.now.astimezone(EASTERN).date()

        def is_inside(category: str) -> bool:
            return category in parts or category.partition(".")[0] in parts

        rows = [
            _entry(one, is_inside, today)
            for one in self.announcements
            if _listed_on(one) == today
            and one.announced_at <= self.now
            and any(map(is_inside, one.paper.categories))
        ]
        # New papers come last, and are what is cut.
        shown = [text for _, text in sorted(rows, reverse=True)][: self.most_entries]
        return daily_feed(*shown, made_at=self.now.isoformat())


def _datestamp(one: Announcement) -> str:
    return f"{(one.announced_at + timedelta(hours=2, minutes=30)).astimezone(UTC):%F}"


def _listed_on(one: Announcement) -> date:
    return one.announced_at.astimezone(EASTERN).date() + timedelta(days=1)


def _record(versions: Sequence[Announcement]) -> str:
    paper = versions[-1].paper
    received = [one.paper.updated_at or one.announced_at for one in versions]
    return raw_record(
        paper.id,
        title=paper.title,
        abstract=f"  {paper.abstract}\n",
        authors=" and ".join([", ".join(paper.authors[:-1]), paper.authors[-1]]).removeprefix(" and "),
        categories=" ".join(paper.categories),
        versions=versions_of(*(f"{at:%a, %d %b %Y %H:%M:%S} GMT" for at in received)),
        datestamp=_datestamp(versions[-1]),
        extra=f"<comments>{escape(paper.comment)}</comments>" if paper.comment else "",
    )


def _entry(one: Announcement, is_inside: Callable[[str], bool], today: date) -> tuple[int, str]:
    """How late in the feed it comes, and its text."""
    paper = one.paper
    kinds = ("new", "cross") if paper.version == 1 else ("replace", "replace-cross")
    kind = kinds[not is_inside(paper.primary_category)]
    text = feed_entry(
        f"{paper.id}v{paper.version}",
        kind=kind,
        title=paper.title,
        abstract=paper.abstract,
        authors=", ".join(paper.authors),
        categories=paper.categories,
        day=f"{today}",
    )
    return ("new", "cross", "replace", "replace-cross").index(kind), text

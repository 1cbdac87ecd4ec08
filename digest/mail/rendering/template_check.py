"""Digests with every possible content, to test templates before a real digest needs them."""

from dataclasses import replace
from datetime import UTC, date, datetime

from digest.errors import ConfigurationError, Unwritable
from digest.mail.links import Links
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest, Entry, Outlook, Revision
from digest.model.paper import ArxivId, Paper
from digest.storage.values import Mailing

_FULL = Paper(
    id=ArxivId("2606.99001"),
    version=2,
    title="On <Trial> & Error",
    abstract="We try a template out. " * 80,
    authors=tuple(f"Author {number}" for number in range(12)),
    categories=("cs.PL", "cs.LG", "stat.ML"),
    submitted_at=datetime(2026, 6, 15, tzinfo=UTC),
    comment="Accepted at the Trial Workshop; 12 pages",
    journal_ref="Trials 1 (2026) 1-12",
    doi="10.9999/trial",
)
_BARE = Paper(id=ArxivId("2606.99002"), version=1, title="", abstract="", authors=(), categories=())
_USUAL = Digest(
    email="reader@example.org",
    name=None,
    planned_at=datetime(2026, 6, 16, 7, tzinfo=UTC),
    dated_on=date(2026, 6, 16),
    keywords=("template", "trial", "silence"),
    entries=(Entry(paper=_FULL, keywords=("template", "trial")), Entry(paper=_BARE, keywords=())),
    is_first=True,
    revisions=(Revision(paper=_FULL, from_version=1),),
    outlook=Outlook(papers_a_day=2, busiest="trial", busiest_a_day=1, narrower=(("trial AND error", 1),)),
    near=(replace(_FULL, id=ArxivId("2606.99003")),),
)
_LONG = replace(
    _USUAL,
    entries=tuple(
        Entry(
            paper=replace(_FULL, id=ArxivId(f"2606.{number:05}")),
            keywords=("template", "trial")[number % 2 :],
        )
        for number in range(500)
    ),
)
_PAGE = "https://example.org/page"
_LINKS = Links(
    unsubscribe=_PAGE,
    manage=_PAGE,
    online=_PAGE,
    bibtex=_PAGE,
    ris=_PAGE,
    judging=_PAGE,
    keyword_pages=dict.fromkeys(_USUAL.keywords, _PAGE),
)


def try_out(writer: Writer) -> None:
    """Writes a usual digest, one with only new versions, and one that is too long, and shows all with links.

    Raises `ConfigurationError` if the templates do not work for one of them.
    """
    for number, digest in enumerate((_USUAL, replace(_USUAL, entries=()), _LONG)):
        try:
            writer.write(Mailing(number=number, token=f"trial-{number}", attempts=0, digest=digest))
            writer.rendered(digest, _LINKS)
        except Unwritable as error:
            raise ConfigurationError(str(error)) from error

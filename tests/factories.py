"""Invented papers and subscribers, and a mail made whole."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from digest.keywords.query import parse
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Rendered, SenderIdentity, join_message, quoted_printable
from digest.model.digest import Digest, Length
from digest.model.paper import ArxivId, Paper
from digest.subscribers.subscriber import Filters, Keyword, Replacements, SendSchedule, Subscriber


def moment(text: str) -> datetime:
    """`2026-06-16 12:30` as a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def invented_paper(
    arxiv_id: str,
    title: str = "On nothing in particular",
    *,
    version: int = 1,
    submitted: str = "2026-06-15 10:00",
    categories: tuple[str, ...] = ("cs.LG", "stat.ML"),
) -> Paper:
    return Paper(
        id=ArxivId(arxiv_id),
        version=version,
        title=title,
        abstract="We say little, and show less.",
        authors=("Ada Example", "Bo Sample"),
        categories=categories,
        submitted_at=moment(submitted),
        updated_at=moment(submitted),
    )


def make_subscriber(
    email: str = "ada@example.org",
    *keywords: str,
    at: time = time(7),
    timezone: str = "UTC",
    weekly: int | None = None,
    paused_until: date | None = None,
    exclude: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    crosslists: bool = True,
    replacements: Replacements = "never",
    length: Length = "normal",
    discover: int = 0,
) -> Subscriber:
    return Subscriber(
        email=email,
        name=None,
        keywords=_keywords(*keywords or ("tea",)),
        send_schedule=SendSchedule(
            send_at=at, timezone=ZoneInfo(timezone), weekly=weekly, paused_until=paused_until
        ),
        filters=Filters(
            exclude=_keywords(*exclude),
            categories=categories,
            crosslists=crosslists,
            replacements=replacements,
        ),
        length=length,
        discover=discover,
    )


def at_other_times(subscriber: Subscriber, **changes: Any) -> Subscriber:
    """The same subscriber with a changed rhythm."""
    return replace(subscriber, send_schedule=replace(subscriber.send_schedule, **changes))


def _keywords(*texts: str) -> tuple[Keyword, ...]:
    return tuple(Keyword(text=text, query=parse(text)) for text in texts)


def message_of(
    digest: Digest, rendered: Rendered, sender_identity: SenderIdentity, token: str, links: Links = NO_LINKS
) -> bytes:
    """The mail whose parts were each encoded as one piece."""
    text, html = ([quoted_printable(part)] for part in (rendered.text, rendered.html))
    return join_message(digest, rendered.subject, sender_identity, token, text=text, html=html, links=links)

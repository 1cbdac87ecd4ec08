"""What the frame of a digest says: the values of its templates, from the digest alone."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import accumulate, chain

from digest.keywords.display_names import keyword_names
from digest.mail.links import Links
from digest.mail.message import SenderIdentity, contact_url, leave_url
from digest.mail.rendering.headlines import (
    NAME_LENGTH,
    KeywordCount,
    expected,
    headline,
    inbox_line,
    subject_line,
)
from digest.mail.rendering.paper_view import build_card, line_for, shortened
from digest.model.digest import Digest, Group, Length
from digest.model.paper import one_line
from digest.sources.arxiv.calendar import earliest_announcement, last_announcement, next_announcement
from digest.sources.plausibility import INDEX_LAG

COUNTS_SHOWN = 20
_SILENT_SHOWN = 12
_REVISIONS_SHOWN: dict[Length, int] = {"short": 5, "normal": 20, "full": 60}
_NEAR_SHOWN: dict[Length, int] = {"short": 3, "normal": 10, "full": 10}
_NAMES_ROOM: dict[Length, int] = {"short": 300, "normal": 600, "full": 600}
"""Characters of all names of keywords that are counted at the top, so that papers have room below."""

_MANY = 60
"""Papers after which a digest offers ways to get fewer."""

_NAMES_KEPT = 500
"""Mails to the same keywords come one after another."""

_ANNOUNCEMENTS_KEPT = 500


def frame_values(
    digest: Digest,
    found: Sequence[Group],
    names: Mapping[str, str],
    *,
    sender_identity: SenderIdentity,
    links: Links,
) -> dict[str, object]:
    """What the templates print around the papers. `found` are the groups, `names` those of the keywords."""
    counts = _counts(found, names, links)
    papers = [entry.paper for group in found for entry in group.entries]
    papers = papers or [revision.paper for revision in digest.revisions]
    return {
        "subject": subject_line(digest, counts, papers),
        "sender_name": one_line(sender_identity.sender_name),
        "dated_on": digest.dated_on,
        "announced_on": _announced_on(digest),
        "is_first": digest.is_first,
        "outlook": expected(digest.outlook, names) if digest.outlook else "",
        "headline": headline(len(digest.entries), len(digest.revisions)),
        "inbox_line": inbox_line(papers),
        "papers_found": len(digest.entries),
        "is_long": len(digest.entries) > _MANY,
        **_keyword_values(digest, found, names, counts),
        **_revision_values(digest),
        **_near_values(digest, links),
        "email": one_line(digest.email),
        "contact": one_line(sender_identity.contact),
        "leave_url": leave_url(links) or contact_url(digest, sender_identity),
        "links": links,
    }


def anchor(place: int) -> str:
    """The id of the group at `place`, from 1 on."""
    return f"g{place}"


def names_for(digest: Digest) -> dict[str, str]:
    """The name of each keyword of the digest, of limited length."""
    matched = chain.from_iterable([entry.keywords for entry in digest.entries])
    return _names(tuple(dict.fromkeys(chain(digest.keywords, matched))), digest.names)


@lru_cache(maxsize=_NAMES_KEPT)
def _names(keywords: tuple[str, ...], own: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {
        keyword: shortened(name, NAME_LENGTH) for keyword, name in keyword_names(keywords, dict(own)).items()
    }


def fitting(names: Sequence[str], most: int, room: int) -> int:
    """How many of the first `names` are shown: at most `most`, and of at most `room` characters together.

    The first one is always shown.
    """
    totals = accumulate(map(len, names[:most]))
    return max(sum([total <= room for total in totals]), len(names[:1]))


def _counts(found: Sequence[Group], names: Mapping[str, str], links: Links) -> list[KeywordCount]:
    counts = [
        KeywordCount(names.get(group.keyword, ""), len(group.entries), f"#{anchor(place)}")
        for place, group in enumerate(found, start=1)
        if group.keyword
    ]
    if len(found) == 1 and counts:
        pages = links.keyword_pages or {}
        return [counts[0]._replace(url=pages.get(found[0].keyword))]
    return counts


def _keyword_values(
    digest: Digest, found: Sequence[Group], names: Mapping[str, str], counts: Sequence[KeywordCount]
) -> dict[str, object]:
    """The keywords with a group, those that matched nothing, and those whose papers all stand elsewhere."""
    grouped = {group.keyword for group in found}
    others = [keyword for keyword in digest.keywords if keyword not in grouped]
    matched = {one for entry in digest.entries for one in entry.keywords} if others else grouped
    silent = [names[keyword] for keyword in others if keyword not in matched]
    covered = [names[keyword] for keyword in others if keyword in matched]
    room = _NAMES_ROOM[digest.length]
    counted = fitting([count.name for count in counts], COUNTS_SHOWN, room)
    quiet, hidden = (fitting(some, _SILENT_SHOWN, room // 2) for some in (silent, covered))
    return {
        "counts": counts[:counted],
        "more_counts": len(counts) - counted,
        "silent_keywords": silent[:quiet],
        "more_silent": len(silent) - quiet,
        "covered_keywords": covered[:hidden],
        "more_covered": len(covered) - hidden,
    }


def _revision_values(digest: Digest) -> dict[str, object]:
    lines = tuple(map(line_for, digest.revisions))
    shown = _REVISIONS_SHOWN[digest.length]
    return {"revisions": lines[:shown], "more_revisions": len(lines[shown:]), "all_revisions": lines}


def _near_values(digest: Digest, links: Links) -> dict[str, object]:
    near = [
        (build_card(paper), links.more_like(paper.id), links.less_like(paper.id)) for paper in digest.near
    ]
    shown = _NEAR_SHOWN[digest.length]
    return {"near": near[:shown], "more_near": len(near[shown:]), "all_near": near}


def _announced_on(digest: Digest) -> date:
    """The date (UTC) of arXiv's list for the last announcement that was fetched for all keywords.

    An announcement of the last hours, which arXiv's index may not have yet, counts if the digest has a paper
    that was announced then at the earliest.
    """
    submitted = [entry.paper.submitted_at for entry in digest.entries if entry.paper.submitted_at]
    return _last_announced(digest.covered_at or digest.planned_at, max(submitted, default=None))


@lru_cache(maxsize=_ANNOUNCEMENTS_KEPT)
def _last_announced(covered_at: datetime, newest: datetime | None) -> date:
    certain = last_announcement(covered_at - INDEX_LAG)
    following = next_announcement(certain)
    is_there = newest is not None and earliest_announcement(newest) == following
    return (following if is_there else certain).date()

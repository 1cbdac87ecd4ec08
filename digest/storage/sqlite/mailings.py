"""Reads mailings from their rows."""

import json
from collections.abc import Sequence
from dataclasses import astuple
from datetime import date
from typing import Any

from digest.config.parsing import address_key
from digest.model.digest import Digest, Entry, Outlook, Revision
from digest.storage.entry_json import read_entries
from digest.storage.sqlite.editions import Editions
from digest.storage.sqlite.row_mapping import moment_of
from digest.storage.tokens import Kind, seal, subscriber_links
from digest.storage.values import Mailing, Pages

MAILING_COLUMNS = (
    "number, subscriber, token, attempts, email, name, planned_at, dated_on, is_first, keywords, entries,"
    " revisions, names, outlook, length, near, covered_at, has_merged,"
    " (SELECT links FROM subscriber WHERE subscriber.number = mailing.subscriber)"
)


def read_mailing(row: Sequence[Any], editions: Editions, secret: str) -> Mailing:
    """Builds the mailing from a row of `MAILING_COLUMNS`, with the tokens of its pages."""
    (mailing,) = read_mailings([row], editions, secret)
    return mailing


def read_mailings(rows: Sequence[Sequence[Any]], editions: Editions, secret: str) -> tuple[Mailing, ...]:
    """Builds mailings as `read_mailing`. What they have in common is read once."""
    shared = read_entries(((row[9], row[10]) for row in rows), editions.read)
    return tuple([_read(row, *shared[row[9], row[10]], editions, secret) for row in rows])


def _read(
    row: Sequence[Any], keywords: tuple[str, ...], entries: tuple[Entry, ...], editions: Editions, secret: str
) -> Mailing:
    number, subscriber, token, attempts, email, name, planned_at, dated_on, is_first, *rest = row
    _, _, revised_text, names, outlook, length, near, covered_at, has_merged, links = rest
    revised = json.loads(revised_text)
    papers = editions.read({edition for edition, _ in revised})
    digest = Digest(
        email=email,
        name=name,
        planned_at=moment_of(planned_at),
        dated_on=date.fromisoformat(dated_on),
        keywords=keywords,
        entries=entries,
        is_first=bool(is_first),
        revisions=tuple(
            Revision(paper=papers[edition], from_version=version) for edition, version in revised
        ),
        names=tuple((keywords[place], name) for place, name in json.loads(names or "[]")),
        length=length,
        outlook=_outlook(outlook),
        near=editions.listed(json.loads(near)) if near else (),
        covered_at=covered_at and moment_of(covered_at),
    )
    about = subscriber_links(address_key(email), links)
    pages = Pages(
        leave=seal(secret, Kind.LEAVING, subscriber, about),
        subscriber=seal(secret, Kind.SUBSCRIBER, subscriber, about),
        digest=seal(secret, Kind.DIGEST, number, token),
        interest=seal(secret, Kind.INTEREST, number, f"{token} {about}"),
    )
    return Mailing(
        number=number,
        token=token,
        attempts=attempts,
        digest=digest,
        has_merged=bool(has_merged),
        pages=pages,
    )


def outlook_text(outlook: Outlook | None) -> str | None:
    """Returns the text of an outlook in its row."""
    return None if outlook is None else json.dumps(astuple(outlook), ensure_ascii=False)


def _outlook(text: str | None) -> Outlook | None:
    if text is None:
        return None
    papers_a_day, busiest, busiest_a_day, narrower = json.loads(text)
    return Outlook(
        papers_a_day=papers_a_day,
        busiest=busiest,
        busiest_a_day=busiest_a_day,
        narrower=tuple((keyword, papers) for keyword, papers in narrower),
    )

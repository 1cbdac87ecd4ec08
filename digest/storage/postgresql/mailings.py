"""Reads mailings from their rows."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from psycopg.types.json import Jsonb

from digest.config.parsing import address_key
from digest.model.digest import Digest, Entry, Outlook, Revision
from digest.storage.entry_json import read_entries
from digest.storage.postgresql.editions import Editions
from digest.storage.tokens import Kind, seal, subscriber_links
from digest.storage.values import Mailing, Pages

MAILING_COLUMNS = (
    "mailing.number, mailing.subscriber, token, attempts, mailing.email, name, planned_at, dated_on,"
    " is_first, keywords::text, entries::text, revisions, names, outlook, length, near, covered_at,"
    " has_merged, (SELECT links FROM subscriber WHERE subscriber.number = mailing.subscriber)"
)


def read_mailings(rows: Sequence[Sequence[Any]], editions: Editions, secret: str) -> tuple[Mailing, ...]:
    """Builds the mailings from rows of `MAILING_COLUMNS`. What they have in common is read once."""
    shared = read_entries(((row[9], row[10]) for row in rows), editions.read)
    editions.read({edition for row in rows for edition, _ in row[11]})
    return tuple([_read(row, *shared[row[9], row[10]], editions, secret) for row in rows])


def _read(
    row: Sequence[Any], keywords: tuple[str, ...], entries: tuple[Entry, ...], editions: Editions, secret: str
) -> Mailing:
    number, subscriber, token, attempts, email, name, planned_at, dated_on, is_first, *rest = row
    _, _, revised, names, outlook, length, near, covered_at, has_merged, links = rest
    papers = editions.read({edition for edition, _ in revised})
    digest = Digest(
        email=email,
        name=name,
        planned_at=planned_at,
        dated_on=dated_on,
        keywords=keywords,
        entries=entries,
        is_first=is_first,
        revisions=tuple(
            Revision(paper=papers[edition], from_version=version) for edition, version in revised
        ),
        names=tuple((keywords[place], name) for place, name in names or ()),
        length=length,
        outlook=_outlook(outlook),
        near=editions.listed(near) if near else (),
        covered_at=covered_at,
    )
    about = subscriber_links(address_key(email), links)
    pages = Pages(
        leave=seal(secret, Kind.LEAVING, subscriber, about),
        subscriber=seal(secret, Kind.SUBSCRIBER, subscriber, about),
        digest=seal(secret, Kind.DIGEST, number, token),
        interest=seal(secret, Kind.INTEREST, number, f"{token} {about}"),
    )
    return Mailing(
        number=number, token=token, attempts=attempts, digest=digest, has_merged=has_merged, pages=pages
    )


def outlook_json(outlook: Outlook | None) -> Jsonb | None:
    """Returns an outlook as its row has it."""
    return None if outlook is None else Jsonb(astuple(outlook))


def _outlook(values: Sequence[Any] | None) -> Outlook | None:
    if values is None:
        return None
    papers_a_day, busiest, busiest_a_day, narrower = values
    return Outlook(
        papers_a_day=papers_a_day,
        busiest=busiest,
        busiest_a_day=busiest_a_day,
        narrower=tuple((keyword, papers) for keyword, papers in narrower),
    )

"""Reads mailings from their rows."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from digest.config.parsing import address_key
from digest.model.digest import Digest, Entry, Revision
from digest.storage.sqlite.editions import Editions
from digest.storage.sqlite.row_mapping import moment_of
from digest.storage.tokens import Kind, seal, subscriber_links
from digest.storage.values import Mailing, Pages

MAILING_COLUMNS = (
    "number, subscriber, token, attempts, email, name, planned_at, dated_on, is_first, keywords, entries,"
    " revisions, (SELECT links FROM subscriber WHERE subscriber.number = mailing.subscriber)"
)


def read_mailing(row: Sequence[Any], editions: Editions, secret: str) -> Mailing:
    """Builds the mailing from a row of `MAILING_COLUMNS`, with the tokens of its pages."""
    number, subscriber, token, attempts, email, name, planned_at, dated_on, is_first, *lists, links = row
    texts, placed, revised = map(json.loads, lists)
    papers = editions.read({edition for edition, _ in (*placed, *revised)})
    digest = Digest(
        email=email,
        name=name,
        planned_at=moment_of(planned_at),
        dated_on=date.fromisoformat(dated_on),
        keywords=tuple(texts),
        entries=tuple(
            [Entry(papers[edition], tuple([texts[place] for place in places])) for edition, places in placed]
        ),
        is_first=bool(is_first),
        revisions=tuple(
            Revision(paper=papers[edition], from_version=version) for edition, version in revised
        ),
    )
    about = subscriber_links(address_key(email), links)
    pages = Pages(
        leave=seal(secret, Kind.LEAVING, subscriber, about),
        subscriber=seal(secret, Kind.SUBSCRIBER, subscriber, about),
        digest=seal(secret, Kind.DIGEST, number, token),
    )
    return Mailing(number=number, token=token, attempts=attempts, digest=digest, pages=pages)

"""All that a state has about one person: which tables, the values, and the protocol of the store."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digest.model.digest import Digest
from digest.storage.neutral import Kind
from digest.storage.signups import SignupStore
from digest.storage.subscriber_stores import (
    InterestStore,
    PageChangeStore,
    PageStore,
    PreferenceStore,
    RenameStore,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The rows about one person: those of `source` whose `key` is their address, or their number."""

    source: str
    key: str
    columns: Mapping[str, Kind]


_SUBSCRIPTIONS = """
(SELECT subscriber, query.key AS query, ended_after IS NULL AS is_followed
FROM subscription JOIN query ON query.number = subscription.query) AS followed
"""
_SEEN = """
(SELECT address, arxiv_id FROM seen_elsewhere JOIN paper ON paper.number = seen_elsewhere.paper) AS seen
"""

_JOINED = """
(SELECT address, joined_at FROM subscriber_entry WHERE joined_at IS NOT NULL) AS joined
"""

SECTIONS: Mapping[str, Section] = {
    "subscriber": Section(
        source="subscriber",
        key="number",
        columns={
            "email": Kind.TEXT,
            "since_at": Kind.MOMENT,
            "last_digest_at": Kind.MOMENT,
            "is_enrolled": Kind.FLAG,
        },
    ),
    "queries": Section(
        source=_SUBSCRIPTIONS, key="subscriber", columns={"query": Kind.TEXT, "is_followed": Kind.FLAG}
    ),
    "papers_known_from_elsewhere": Section(source=_SEEN, key="address", columns={"arxiv_id": Kind.ID}),
    "returned_mails": Section(
        source="returned", key="subscriber", columns={"returned_at": Kind.MOMENT, "concern": Kind.TEXT}
    ),
    "suppression": Section(
        source="suppression", key="address", columns={"since_at": Kind.MOMENT, "cause": Kind.TEXT}
    ),
    "doubt": Section(
        source="doubt", key="address", columns={"since_at": Kind.MOMENT, "last_at": Kind.MOMENT}
    ),
    "notices": Section(
        source="confirmation",
        key="subscriber",
        columns={
            "change": Kind.TEXT,
            "written_at": Kind.MOMENT,
            "sent_at": Kind.MOMENT,
            "recipient": Kind.TEXT,
            "former": Kind.JSON,
        },
    ),
    "joined": Section(source=_JOINED, key="address", columns={"joined_at": Kind.MOMENT}),
    "signup": Section(
        source="signup",
        key="address",
        columns={
            "email": Kind.TEXT,
            "content": Kind.TEXT,
            "written_at": Kind.MOMENT,
            "mailed_at": Kind.MOMENT,
            "confirmed_at": Kind.MOMENT,
            "sent_at": Kind.MOMENT,
        },
    ),
    "administration": Section(
        source="audit",
        key="address",
        columns={"at": Kind.MOMENT, "action": Kind.TEXT, "details": Kind.TEXT},
    ),
    "profile": Section(
        source="profile", key="address", columns={"version": Kind.NUMBER, "content": Kind.BYTES}
    ),
}
"""What can be downloaded, beside the entry, the preferences, the judgements and the mailings."""

UNREAD_MAILS = "unread_mails"
"""The section of returned mails that name the person, without what they say: links, and others' addresses."""


def is_named(text: str, addresses: Collection[str]) -> bool:
    """Whether one of these addresses is in a text, and not only as the end or begin of another one."""
    folded = text.casefold()
    return any(re.search(rf"(?<![\w.+-]){re.escape(one)}(?![\w-]|\.\w)", folded) for one in addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMailing:
    """A digest of a person, and what became of it."""

    digest: Digest
    state: str
    concluded_at: datetime | None
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData:
    """The rows of each of `SECTIONS` and of `UNREAD_MAILS`, by the names of their columns.

    The digests are listed with the oldest first.
    """

    sections: Mapping[str, tuple[Mapping[str, object], ...]]
    mailings: tuple[StoredMailing, ...]


class PersonalDataStore(PreferenceStore, InterestStore, Protocol):
    """What is stored about one person."""

    def personal_data(self, email: str) -> PersonalData:
        """Returns all that is stored about the person with this address, apart from secrets."""
        ...

    def erase(self, email: str, *, keeps_mark: bool, now: datetime) -> bool:
        """Deletes all that is stored about a person, also their entry in the database.

        Rows that count mails stay, without anything about the person. With `keeps_mark`, and if the address
        is suppressed, the `left_mark` is kept: they get no mail until they subscribe again. Returns whether
        anything was known.
        """
        ...


class OwnDataStore(PersonalDataStore, PageStore, Protocol):
    """What the pages about a subscriber's own data read."""


class LinkMailStore(SignupStore, PageChangeStore, Protocol):
    """What is needed to mail somebody the link to their preferences."""


class OwnDataChangeStore(PersonalDataStore, PageChangeStore, RenameStore, SignupStore, Protocol):
    """What they change, also by the links of mails."""

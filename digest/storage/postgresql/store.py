"""The store in a PostgreSQL database, with all parts over one pool of connections."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Self

from digest.config.database_url import DatabaseUrl
from digest.storage.base import Store
from digest.storage.postgresql.address_changes import Renaming
from digest.storage.postgresql.administration import Administration
from digest.storage.postgresql.channels import Channels
from digest.storage.postgresql.confirmations import Confirmations
from digest.storage.postgresql.connection import Connection
from digest.storage.postgresql.editions import Editions
from digest.storage.postgresql.entries import SubscriberEntries
from digest.storage.postgresql.fetch_cache import FetchCache
from digest.storage.postgresql.fetches import Fetches
from digest.storage.postgresql.holders import Claims
from digest.storage.postgresql.interests import Interests
from digest.storage.postgresql.listed_papers import ListedPapers
from digest.storage.postgresql.mailing_history import MailingHistory
from digest.storage.postgresql.news import NewsReader
from digest.storage.postgresql.outbox import Outbox
from digest.storage.postgresql.papers import Papers
from digest.storage.postgresql.personal_data import PersonalDataOfOne
from digest.storage.postgresql.preferences import SavedPreferences
from digest.storage.postgresql.previews import Previews
from digest.storage.postgresql.rate_limit import RateLimit
from digest.storage.postgresql.rehearsal import RehearsalConnection
from digest.storage.postgresql.reports import Reports
from digest.storage.postgresql.restore_detection import RestoreDetection
from digest.storage.postgresql.serving import Serving
from digest.storage.postgresql.signups import Invites, Signups
from digest.storage.postgresql.subscriptions import Subscriptions
from digest.storage.postgresql.suppressions import Suppressions
from digest.storage.postgresql.web_pages import WebPages


class PostgresqlStore(
    Papers,
    FetchCache,
    Fetches,
    Subscriptions,
    NewsReader,
    SavedPreferences,
    Confirmations,
    Interests,
    ListedPapers,
    SubscriberEntries,
    Invites,
    Signups,
    Renaming,
    Suppressions,
    Serving,
    Outbox,
    Channels,
    Reports,
    MailingHistory,
    Administration,
    PersonalDataOfOne,
    WebPages,
    Claims,
    RateLimit,
    Previews,
    RestoreDetection,
):
    """The PostgreSQL `Store`. Its methods may be called from any thread, and run at the same time.

    It inherits from its parts, so that no method must be forwarded by hand. The parts do not inherit from
    each other.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, Editions(connection))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()


def open_store(url: DatabaseUrl, *, patience: float | None = None) -> AbstractContextManager[Store]:
    """Opens the state, and creates or converts it if it must."""
    return PostgresqlStore(Connection(url, patience=patience))


def open_beside(url: DatabaseUrl) -> AbstractContextManager[Store]:
    """Opens the state for reading. Raises `StateError` for an older format: converting is left to a run."""
    return PostgresqlStore(Connection(url, may_migrate=False))


def open_copy(url: DatabaseUrl, emails: Collection[str] | None) -> AbstractContextManager[Store]:
    """Opens a temporary copy of the state, with no effect on it: of these subscribers, or of all."""
    return PostgresqlStore(RehearsalConnection(url, emails))

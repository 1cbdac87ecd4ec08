"""The store in one SQLite file, with all parts over one connection."""

from pathlib import Path
from typing import Self

from digest.storage.sqlite.address_changes import Renaming
from digest.storage.sqlite.administration import Administration
from digest.storage.sqlite.archive import Archive
from digest.storage.sqlite.channels import Channels
from digest.storage.sqlite.confirmations import Confirmations
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Editions
from digest.storage.sqlite.entries import SubscriberEntries
from digest.storage.sqlite.fetch_cache import FetchCache
from digest.storage.sqlite.fetches import Fetches
from digest.storage.sqlite.interests import Interests
from digest.storage.sqlite.listed_papers import ListedPapers
from digest.storage.sqlite.mailing_history import MailingHistory
from digest.storage.sqlite.news import NewsReader
from digest.storage.sqlite.outbox import Outbox
from digest.storage.sqlite.papers import Papers
from digest.storage.sqlite.personal_data import PersonalDataOfOne
from digest.storage.sqlite.preferences import SavedPreferences
from digest.storage.sqlite.previews import Previews
from digest.storage.sqlite.rate_limit import RateLimit
from digest.storage.sqlite.reports import Reports
from digest.storage.sqlite.restore_detection import RestoreDetection
from digest.storage.sqlite.serving import Serving
from digest.storage.sqlite.signups import Invites, Signups
from digest.storage.sqlite.subscriptions import Subscriptions
from digest.storage.sqlite.suppressions import Suppressions
from digest.storage.sqlite.web_pages import WebPages


class SqliteStore(
    Papers,
    Archive,
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
    RateLimit,
    Previews,
    Reports,
    MailingHistory,
    Administration,
    PersonalDataOfOne,
    WebPages,
    RestoreDetection,
):
    """The SQLite `Store`. Its methods may be called from any thread; only one runs at a time.

    It inherits from its parts, so that no method must be forwarded by hand. The parts do not inherit from
    each other.
    """

    def __init__(self, path: Path, *, patience: float | None = None, keeps_former: bool = True) -> None:
        """Takes the same arguments as `Connection`."""
        connection = Connection(path, patience=patience, keeps_former=keeps_former)
        super().__init__(connection, Editions(connection))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

"""The directory of subscribers that the settings name: a file and who signed up, or the database."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

from digest.config.database_url import DatabaseUrl
from digest.config.settings import Settings
from digest.errors import StateError
from digest.storage.factory import open_entries, open_store
from digest.subscribers.combined import CombinedDirectory
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.file import SubscribersFile
from digest.subscribers.stored import LABEL, SIGNED_UP, EntryStore, StoredSubscribers
from digest.subscribers.subscriber import Subscriber


def directory_of(
    settings: Settings, store: EntryStore | None = None, *, converts: bool = False
) -> SubscriberDirectory:
    """The directory of the subscribers. The state is `store`, else it is opened when needed.

    With `converts`, a database on a server is made or converted to the current format to read it.
    """
    stored = stored_subscribers(settings, store, converts=converts)
    if isinstance(settings.subscribers, Path):
        return CombinedDirectory(SubscribersFile(settings.subscribers, settings.defaults), stored)
    return stored


def load_readable(directory: SubscriberDirectory) -> tuple[tuple[Subscriber, ...], StateError | None]:
    """The subscribers; without those who signed up, and why, if the state cannot be read.

    Raises `StateError` if all of them are in the database.
    """
    try:
        return directory.load(), None
    except StateError as error:
        if not isinstance(directory, CombinedDirectory):
            raise
        return directory.file.load(), error


def stored_subscribers(
    settings: Settings, store: EntryStore | None = None, *, converts: bool = False
) -> StoredSubscribers:
    """Those whose entries are in the state: who signed up or, without a file, all. See `directory_of`."""
    signed_up = isinstance(settings.subscribers, Path)
    if store is not None:
        return StoredSubscribers(
            settings.defaults,
            reading=lambda: nullcontext(store),
            changing=lambda: nullcontext(store),
            signed_up=signed_up,
        )
    is_made = converts and isinstance(settings.state, DatabaseUrl)
    return StoredSubscribers(
        settings.defaults,
        reading=partial(open_store if is_made else open_entries, settings.state),
        changing=partial(open_store, settings.state),
        signed_up=signed_up,
    )


def place_of(settings: Settings, subscriber: Subscriber | None = None) -> str:
    """Where entries are, or that of `subscriber`, for messages; a file with its whole path."""
    if subscriber is not None and subscriber.is_signed_up:
        return SIGNED_UP
    return str(settings.subscribers.absolute()) if isinstance(settings.subscribers, Path) else LABEL

"""The directory of subscribers that the settings name: a file, or the database of the state."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

from digest.config.database_url import DatabaseUrl
from digest.config.settings import Settings
from digest.storage.factory import open_beside, open_store
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.file import SubscribersFile
from digest.subscribers.stored import LABEL, EntryStore, StoredSubscribers


def directory_of(
    settings: Settings, store: EntryStore | None = None, *, converts: bool = False
) -> SubscriberDirectory:
    """The directory of the subscribers. The database is that of `store`, else it is opened when needed.

    With `converts`, a database on a server is made or converted to the current format to read it.
    """
    place = settings.subscribers
    if isinstance(place, Path):
        return SubscribersFile(place, settings.defaults)
    if store is not None:
        return StoredSubscribers(
            settings.defaults, reading=lambda: nullcontext(store), changing=lambda: nullcontext(store)
        )
    is_made = converts and isinstance(settings.state, DatabaseUrl)
    return StoredSubscribers(
        settings.defaults,
        reading=partial(open_store if is_made else open_beside, settings.state),
        changing=partial(open_store, settings.state),
    )


def place_of(settings: Settings) -> str:
    """Where the subscribers are, for messages: the whole path of the file, or the database."""
    return str(settings.subscribers.absolute()) if isinstance(settings.subscribers, Path) else LABEL

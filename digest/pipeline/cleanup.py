"""Makes room in the state, when the day's work is done."""

from datetime import datetime, timedelta

from digest.storage.pipeline_stores import CleanupStore


def clean_up(store: CleanupStore, *, now: datetime, lookback: timedelta) -> None:
    """Puts old papers away, and forgets the mailings that ended long ago.

    Raises `StateError` when the state cannot be read or written.
    """
    store.archive(now=now, lookback=lookback)
    while store.prune(now=now):
        pass

"""Frees space in the state at the end of a cycle."""

from datetime import datetime, timedelta

from digest.storage.pipeline_stores import CleanupStore


def clean_up(store: CleanupStore, *, now: datetime, lookback: timedelta) -> None:
    """Archives old papers, and deletes mailings that ended long ago.

    Raises `StateError` if the state cannot be read or written.
    """
    store.archive(now=now, lookback=lookback)
    while store.prune(now=now):
        pass

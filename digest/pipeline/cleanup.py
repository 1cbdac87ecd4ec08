"""Frees space in the state, and erases people who signed up and left."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from digest.config.parsing import address_key
from digest.storage.limits import CHANGES_UNDONE_WITHIN
from digest.storage.pipeline_stores import CleanupStore
from digest.subscribers.subscriber import Subscriber


def clean_up(
    store: CleanupStore, subscribers: Sequence[Subscriber], *, now: datetime, lookback: timedelta
) -> None:
    """Archives old papers, and deletes mailings that ended long ago, and sign-ups that nobody confirmed.

    `subscribers` are as in their entries. Raises `StateError` if the state cannot be read or written.
    """
    store.archive(now=now, lookback=lookback)
    store.forget_signups(now=now)
    _erase_former(store, subscribers, now)
    while store.prune(now=now):
        pass


def _erase_former(store: CleanupStore, subscribers: Sequence[Subscriber], now: datetime) -> None:
    """Erases those whom no link of a mail brings back any more. An entry in the file is its operator's."""
    signed_up = [one for one in subscribers if one.is_signed_up]
    if not signed_up:
        return
    preferences = store.preferences()
    for one in signed_up:
        chosen = preferences.get(address_key(one.email))
        if chosen and chosen.left_at and chosen.left_at <= now - CHANGES_UNDONE_WITHIN:
            store.erase(one.email, keeps_mark=False, now=now)

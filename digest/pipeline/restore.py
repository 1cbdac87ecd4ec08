"""Goes on from an older copy of the state, where one was put in its place."""

import logging
from datetime import datetime

from digest.storage.base import Store

_log = logging.getLogger(__name__)


def take_up_restored(store: Store, *, now: datetime) -> tuple[str, ...]:
    """What to tell the operator of it, once. To be called before anything is composed or sent.

    Raises `StateError` when the state cannot be read or written.
    """
    found = store.take_up_restored(now=now)
    if found is None:
        return ()
    made = f" (of {found.copied_at:%Y-%m-%d %H:%M} UTC)" if found.copied_at else ""
    note = (
        f"an older copy of the state{made} was put in its place: papers that were mailed since then may come"
        " once more, and what readers chose since then is not known (digest docs delivery)"
    )
    _log.warning(note)
    return (note,)

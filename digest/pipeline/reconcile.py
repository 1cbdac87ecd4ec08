"""Handles changes from outside of a cycle: a restored state, a new address in subscribers.toml."""

import logging
from collections.abc import Sequence
from datetime import datetime

from digest.storage.pipeline_stores import EnrolStore, RestoreStore
from digest.storage.values import AddressChange, OtherFile
from digest.subscribers.subscriber import Subscriber

_log = logging.getLogger(__name__)


def take_up_restored(store: RestoreStore, *, now: datetime) -> tuple[str, ...]:
    """Detects a restored state, once. Returns notes for the operator.

    Call it before anything is composed or sent. Raises `StateError` if the state cannot be read or written.
    """
    found = store.take_up_restored(now=now)
    if found is None:
        return ()
    made = f" (of {found.copied_at:%Y-%m-%d %H:%M} UTC)" if found.copied_at else ""
    note = (
        f"an older copy of the state{made} was put in its place: papers that were mailed since then may come"
        " once more, and the preferences that subscribers saved since then are lost (digest docs delivery)"
    )
    _log.warning("older state in place note=%s", note)
    return (note,)


def take_up_file(store: EnrolStore, host: str, content: str, *, now: datetime) -> tuple[str, ...]:
    """Detects that another host has a later subscribers.toml. Then the entries of this one are not used.

    Returns notes for the operator; none if the file is in force. Raises `StateError`.
    """
    other = store.take_up_file(host, content, now=now)
    if other is None:
        return ()
    note = explain_other_file(other)
    _log.warning("another file of subscribers in force note=%s", note)
    return (note,)


def explain_other_file(other: OtherFile) -> str:
    """What is not done on this host, and how to end that."""
    since = f"{other.since_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"subscribers.toml of this host differs from that of {other.host}, which is in force since {since}:"
        " this host only sends. Copy that file here, and the tables [[channel]] of digest.toml; or change"
        " this one, a comment is enough, and it is in force everywhere"
    )


def take_up_entries(
    store: EnrolStore,
    subscribers: Sequence[Subscriber],
    *,
    file: str | None = None,
    finds_renames: bool = True,
    now: datetime,
) -> tuple[str, ...]:
    """Detects changed addresses in subscribers.toml (`finds_renames`). Returns notes for the operator.

    Call it before these subscribers are enrolled. `subscribers` are as written, and `file` identifies the
    file, or the entries in the database, and the version. Those in the database are renamed by command only.
    The log contains no address. Raises `StateError` if the state cannot be read or
    written.
    """
    change = store.take_up_entries(subscribers, file=file, finds_renames=finds_renames, now=now)
    if change is None:
        return ()
    if change.is_rename:
        _log.warning(
            "an address was changed in subscribers.toml: the subscriber is known (digest docs configuration)"
        )
        return (_renamed(change),)
    remedy = "if one only has another address, use `digest rename OLD NEW`"
    _log.warning(
        "entries replaced in subscribers.toml gone=%d new=%d remedy=%s", change.gone, change.came, remedy
    )
    return (_apart(change),)


def _renamed(change: AddressChange) -> str:
    return (
        f"the address of {change.old} in subscribers.toml is {change.new} now: no paper comes again, and what"
        f" they chose stays. If {change.new} is somebody else:"
        f" `digest rename {change.new} {change.old} --keep-file`"
    )


def _apart(change: AddressChange) -> str:
    if change.old:
        return (
            f"{change.old} is gone from subscribers.toml and {change.new} is new: taken for two people."
            f" If they are one: `digest rename {change.old} {change.new}`"
        )
    return (
        f"entries gone from subscribers.toml: {change.gone}, new: {change.came}. They are taken for different"
        " people; `digest rename OLD NEW` joins two that are one"
    )

"""The seam between the store and everything else: all that a back end has to do."""

from typing import Protocol

from digest.storage.pipeline_stores import CleanupStore, ComposeStore, DeliverStore, EnrolStore, FetchStore
from digest.storage.report_stores import FiguresStore, HistoryStore, OperatorStore, PaperStore
from digest.storage.subscriber_stores import (
    BounceStore,
    ConfirmStore,
    PageChangeStore,
    PageStore,
    RenameStore,
)


class Store(
    EnrolStore,
    FetchStore,
    ComposeStore,
    DeliverStore,
    CleanupStore,
    ConfirmStore,
    PageStore,
    PageChangeStore,
    BounceStore,
    RenameStore,
    FiguresStore,
    OperatorStore,
    HistoryStore,
    PaperStore,
    Protocol,
):
    """All that jobs ask of the store; each of them names the narrow protocol that it uses.

    Each method is one intent and one transaction: it happens whole or not at all. Subscribers are named by
    any address that has the `address_key` of theirs. Every method raises `StateError` when the state cannot
    be read or written.
    """

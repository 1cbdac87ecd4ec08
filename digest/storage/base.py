"""The interface of the store: everything that a back end must implement."""

from typing import Protocol

from digest.storage.admin_stores import AdminStore
from digest.storage.channel_stores import ChannelStore
from digest.storage.delivery_stores import DeliverStore
from digest.storage.mailing_history import MailingHistoryStore
from digest.storage.personal_data import PersonalDataStore
from digest.storage.pipeline_stores import (
    CleanupStore,
    ComposeStore,
    EnrolStore,
    FetchScheduleStore,
    FetchStore,
    LeaseStore,
)
from digest.storage.previews import PreviewRequestStore, PreviewStore
from digest.storage.report_stores import FiguresStore, HistoryStore, OperatorStore, PaperStore
from digest.storage.signups import SignupStore
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
    FetchScheduleStore,
    LeaseStore,
    ComposeStore,
    DeliverStore,
    ChannelStore,
    CleanupStore,
    ConfirmStore,
    PageStore,
    PageChangeStore,
    BounceStore,
    RenameStore,
    FiguresStore,
    OperatorStore,
    HistoryStore,
    MailingHistoryStore,
    PaperStore,
    AdminStore,
    PreviewStore,
    PreviewRequestStore,
    SignupStore,
    PersonalDataStore,
    Protocol,
):
    """The whole store. Each job uses only the narrow protocol that it needs.

    Each method is one transaction: it happens completely or not at all. A subscriber is identified by any
    address with the same `address_key`. Every method raises `StateError` if the state cannot be read or
    written.
    """

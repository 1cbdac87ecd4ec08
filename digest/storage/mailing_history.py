"""The protocol of the store for what was mailed to whom, and its value."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from digest.model.paper import ArxivId
from digest.storage.values import MailingState


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMailing:
    """A mailing and what became of it: the last `reply`, and the time of that, `concluded_at`.

    `email` is where it went, also after the subscriber got another address. `ids` are those of its papers, if
    they were asked for. `due_at` is the next attempt, `bounced_at` when it came back.
    """

    number: int
    email: str
    token: str
    planned_at: datetime
    dated_on: date
    papers: int
    new_versions: int
    state: MailingState
    attempts: int
    reply: str
    concluded_at: datetime | None
    due_at: datetime | None
    bounced_at: datetime | None
    ids: tuple[ArxivId, ...] = ()


class MailingHistoryStore(Protocol):
    """The mailings that are kept: those that wait, and those that ended in the last 90 days."""

    def past_mailings(
        self, *, since: datetime | None, email: str | None, after: int, limit: int
    ) -> tuple[PastMailing, ...]:
        """Returns the first mailings whose numbers are higher than `after`, composed `since` then, in order.

        With `email` only those to this subscriber, also under a former address, and with their `ids`.
        """
        ...

    def send_again(self, number: int, *, now: datetime) -> bool:
        """Makes a sent mailing due again, to the present address of its subscriber.

        It is never merged, since it has arrived once, and no cursor moves. Its attempts are counted anew, so
        that it does not count as deferred. Returns false and does nothing if it was not sent, is not kept,
        or its subscriber gets no mail.
        """
        ...

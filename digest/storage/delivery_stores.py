"""The protocols of the store for a delivery: the outbox, who sends what, and the limits of a provider."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from digest.storage.rate_limit import Limits, Turn
from digest.storage.values import Delay, DeliveryResult, Mailing


class KeepStore(Protocol):
    """Keeps what a process holds."""

    def keep_claims(self, holder: str, *, lasting: timedelta) -> bool:
        """Extends the time for which it holds. False if that had ended and another process took over."""
        ...


class ClaimStore(KeepStore, Protocol):
    """Which mailings are going on, over all hosts that use the state.

    `holder` names one. Each of its processes claims mailings as the same holder, or as `HOLDER/NUMBER`.
    """

    def begin_claims(self, holder: str, *, lasting: timedelta) -> int:
        """Stores that this holder works, for so long by the clock of the database.

        Returns how many hosts share the connections to the mail server, this one included.
        """
        ...

    def others_at_work(self) -> Mapping[str, datetime]:
        """Returns until when other processes that hold mailings, or serve a channel, have their leases.

        Each has a name, and renews its lease long before it ends, by the clock of the database.
        """
        ...

    def end_claims(self, holder: str, *, now: datetime) -> None:
        """Stores that this holder has ended. Reclaims what it holds still."""
        ...

    def reclaim_abandoned(self, *, now: datetime) -> int:
        """Reclaims, as unknown, the mailings of holders whose time ended, and returns their number."""
        ...


class RenderStore(Protocol):
    """Claims the mailings to write."""

    def claim(
        self, *, now: datetime, until: datetime, limit: int, holder: str | None = None
    ) -> tuple[Mailing, ...]:
        """Marks up to `limit` due mailings as being sent, the longest due first, and returns them.

        Nobody gets what a living `holder` has claimed, whatever a clock says. Other claims end at `until`.
        Mailings of a subscriber who pauses are put off to the end of the pause.
        """
        ...


class QueueStore(Protocol):
    """The waiting mailings of the outbox, and why they wait."""

    def sending(self, *, now: datetime) -> int:
        """Returns how many unfinished mailings a process holds right now, to send them."""
        ...

    def waiting(self) -> int:
        """Returns the number of unfinished mailings, without those put off by a pause."""
        ...

    def next_due_at(self) -> datetime | None:
        """Returns when the first unfinished mailing is due."""
        ...

    def blocked(self, *, now: datetime) -> Delay:
        """Returns the mailings that wait because the whole server failed, or called too many addresses dead.

        If there are any, all due mailings count. Those that wait for the end of a pause never count.
        """
        ...

    def refused(self, *, least: int) -> Delay:
        """Returns the mailings that a server refused one by one, tried at least `least` times."""
        ...


class RateStore(Protocol):
    """Counts mails for the limits of a provider, over all processes that use the state."""

    def resume_sending(self, *, now: datetime) -> None:
        """Counts what the last 24 hours sent without `reserve_sending`: before a limit was set."""
        ...

    def reserve_sending(self, limits: Limits, *, now: datetime) -> Turn:
        """Counts a mail that is handed over from `now` on, unless the limits make it wait.

        Call it for every attempt: providers count attempts, whatever their result.
        """
        ...

    def conclude_sending(self, *, now: datetime) -> None:
        """Stores that the server answered to one of the counted mails, or that its session failed."""
        ...

    def clock_lead(self) -> tuple[timedelta, timedelta]:
        """Returns how far the clock of all hosts is ahead of this host's clock, at least and at most."""
        ...


class DeliverStore(RenderStore, QueueStore, RateStore, ClaimStore, Protocol):
    """The results of a delivery, and the data for its decisions.

    With a `holder`, a method changes only mailings that this one holds still. A mail that was sent is always
    stored as sent.
    """

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        """Reclaims all mailings that are being sent, as unknown, and returns their number.

        Call it while no other process of this host can send. Where several hosts use the state, those that
        another one may be sending are left until the end of their lease. A mailing that is due after `latest`
        was put off while the clock was wrong: it is made due now. An unknown one may wait for twice the time
        since it was planned, up to 24 days.
        """
        ...

    def reclaim_from(self, holder: str, *, now: datetime) -> int:
        """Reclaims all mailings that this holder is sending, as unknown, and returns their number.

        Call it after the holder has died.
        """
        ...

    def retry_now(self, *, now: datetime) -> None:
        """Makes every mailing that waits for another attempt due at `now`."""
        ...

    def renew(self, numbers: Sequence[int], *, until: datetime, holder: str | None = None) -> None:
        """Extends the lease of claimed mailings."""
        ...

    def record_results(
        self, conclusions: Sequence[DeliveryResult], *, now: datetime, holder: str | None = None
    ) -> None:
        """Stores the results of claimed mailings. The address of a `SUPPRESSED` one is suppressed."""
        ...

    def release(
        self,
        numbers: Sequence[int],
        *,
        now: datetime,
        reply: str | None = None,
        holder: str | None = None,
        due_at: Mapping[int, datetime] | None = None,
    ) -> None:
        """Releases claimed mailings without an attempt, if the server is to blame. `reply` is its reply.

        They are due `now`, or at their `due_at`.
        """
        ...

    def doubted(self) -> Mapping[str, datetime]:
        """Returns since when addresses, by `address_key`, are in doubt: called dead, but not suppressed."""
        ...

    def accepted_since(self, moment: datetime) -> int:
        """Returns the number of mailings that a server accepted since then and did not bounce."""
        ...

    def record_of(self, domain: str, *, since: datetime) -> tuple[int, int]:
        """Returns how many mailings to a domain were accepted, and how many of its addresses suppressed.

        Both are since `since`. If no mailing was accepted since then, the suppressed addresses are counted
        since the last accepted one.
        """
        ...

    def forget(self) -> None:
        """Frees the papers that are cached in memory."""
        ...

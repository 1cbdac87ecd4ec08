"""What a cycle says of itself: its result, and who was enrolled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from digest.pipeline.coordinator import DeliveryReport
from digest.pipeline.fetch import FetchReport
from digest.pipeline.progress import OutboxStatus
from digest.pipeline.serve_channel import ChannelReport
from digest.subscribers.preferences import Preferences
from digest.subscribers.subscriber import Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """The result of a cycle. `digest run --json` prints the counts, `errors` and `notes`.

    - `digests_deferred`: all digests that wait when the cycle ends; `waits` has the details.
    - `digests_failed`: given up, because the subscriber has left.
    - `digests_suppressed`: not sent, because the address turned out to be dead.
    - `subscribers_not_due`: they have something new, but got their digest already or wait for their weekday.
    - `subscribers_suppressed`: their address is dead.
    - `missing_news`: why nothing is new, if the calendar explains it.
    - `channels_composed`, `channels_sent`, `channels_waiting`: digests for channels, which no other number
      counts.
    - `brakes`: those of the deliveries; `errors` contains them too.
    - `failed_steps`: arXiv did not answer, or the mail server could not be used. A mail that was refused is
      no such failure.
    """

    papers_new: int
    digests_composed: int
    digests_sent: int
    digests_deferred: int
    digests_failed: int
    digests_suppressed: int
    subscribers_nothing_new: int
    subscribers_not_due: int
    subscribers_suppressed: int
    errors: tuple[str, ...]
    notes: tuple[str, ...]
    missing_news: str | None
    is_unreached: bool
    channels_composed: int = 0
    channels_sent: int = 0
    channels_waiting: int = 0
    brakes: tuple[str, ...] = ()
    failed_steps: tuple[str, ...] = ()
    waits: OutboxStatus = field(default_factory=OutboxStatus)

    @property
    def exit_code(self) -> int:
        """0: done. 1: a part failed. 3: arXiv could not be reached at all."""
        if self.is_unreached:
            return 3
        return 1 if self.errors or self.digests_deferred else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The enrolled subscribers: those of the directory, with their preferences applied.

    `given_up` counts the mailings that ended because their subscriber has left. `notes` are for the operator.
    `is_other_file`: another host has a later file; there are no subscribers and no channels then.
    """

    subscribers: tuple[Subscriber, ...]
    preferences: Mapping[str, Preferences]
    given_up: int
    notes: tuple[str, ...]
    is_other_file: bool = False
    channels: tuple[Subscriber, ...] = ()

    @property
    def followers(self) -> tuple[Subscriber, ...]:
        """All whose keywords are fetched: subscribers and channels."""
        return (*self.subscribers, *self.channels)


def run_report(
    enrolled: Enrolled,
    fetched: FetchReport | None,
    mailed: tuple[DeliveryReport, DeliveryReport],
    served: Sequence[ChannelReport],
    waits: OutboxStatus,
    *,
    notes: Sequence[str],
    missing_news: str | None,
) -> CycleReport:
    """The result of `digest run`: `mailed` are the deliveries of what waited, and of what was composed."""
    earlier, later = mailed
    stopped = () if fetched is not None else ("stopped before arXiv had answered; the next run asks again",)
    return CycleReport(
        papers_new=fetched.papers_new if fetched else 0,
        digests_composed=later.composed.composed,
        digests_sent=earlier.sent + later.sent,
        digests_deferred=waits.waiting,
        digests_failed=enrolled.given_up,
        digests_suppressed=earlier.suppressed + later.suppressed,
        subscribers_nothing_new=later.composed.nothing_new,
        subscribers_not_due=later.composed.not_due,
        subscribers_suppressed=later.composed.suppressed,
        channels_composed=sum(one.composed.composed for one in served),
        channels_sent=sum(one.sent for one in served),
        channels_waiting=sum(one.waiting for one in served if not one.is_resting),
        errors=(
            *(fetched.errors if fetched else stopped),
            *earlier.errors,
            *later.errors,
            *(f"channel {one.name}: {one.error}" for one in served if one.error and not one.is_resting),
        ),
        notes=(
            *notes,
            *enrolled.notes,
            *(fetched.notes if fetched else ()),
            *dict.fromkeys((*earlier.notes, *later.notes)),
            *(f"channel {one.name} {one.error}" for one in served if one.is_resting),
        ),
        missing_news=missing_news,
        brakes=(*earlier.brakes, *later.brakes),
        failed_steps=_failed_steps(fetched, mailed),
        waits=waits,
        is_unreached=fetched is not None and fetched.is_unreached and not fetched.is_clock_wrong,
    )


def _failed_steps(fetched: FetchReport | None, mailed: Sequence[DeliveryReport]) -> tuple[str, ...]:
    """The steps that failed as a whole."""
    failed = {
        "fetch": fetched is not None and bool(fetched.errors),
        "mail": any(report.is_server_down for report in mailed),
    }
    return tuple(step for step, is_failed in failed.items() if is_failed)

"""What a cycle says of itself: its result, and who was enrolled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from digest.pipeline.progress import OutboxStatus
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

"""What a daemon uses now: the setup, who is enrolled by it, and the cycle that is built from both."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from digest.config.parsing import counted
from digest.mail.links import links_for
from digest.pipeline.cycle import Cycle
from digest.pipeline.policy import QuotaReplies
from digest.pipeline.serve_channel import ChannelJob
from digest.service.bootstrap import Setup, build_cycle
from digest.sources.http_client import PoliteClient
from digest.storage.base import Store
from digest.subscribers.preferences import Preferences, apply_preferences
from digest.subscribers.subscriber import Subscriber


class CurrentSetup:
    """The setup in use. `subscribers` are those of it who are enrolled, with their `preferences` applied.

    `is_other_file`: another host has a later file, and nobody is enrolled here. `composing` is held while
    digests for subscribers are composed, `composing_for_channels` while one for a channel is.
    `limited_until`: when the limits of the settings allow mails again.
    """

    def __init__(
        self, setup: Setup, store: Store, clock: Callable[[], datetime], stop: asyncio.Event
    ) -> None:
        self.setup = setup
        self.subscribers = setup.subscribers
        self.preferences: Mapping[str, Preferences] = {}
        self.is_other_file = False
        self.limited_until: datetime | None = None
        self.composing = asyncio.Lock()
        self.composing_for_channels = asyncio.Lock()
        self._store, self._clock, self._stop = store, clock, stop
        self._quota_replies = QuotaReplies()
        self._links = links_for(setup.settings.web.base_url, store)

    def cycle(self, client: PoliteClient | None = None) -> Cycle:
        cycle = build_cycle(
            self.setup,
            self._store,
            clock=self._clock,
            client=client,
            links=self._links,
            stop=self._stop,
            composing=lambda: self.composing_for_channels,
        )
        return replace(cycle, quota_replies=self._quota_replies)

    async def enrol(self, setup: Setup | None = None) -> int:
        """Makes a setup the current one, and returns how many mailings ended because subscribers left.

        Waits while digests are composed: they use the former one.
        """
        async with self.composing, self.composing_for_channels:
            self.setup = setup or self.setup
            enrolled = await self.cycle().enrol()
            self.preferences, self.subscribers = enrolled.preferences, enrolled.subscribers
            self.is_other_file = enrolled.is_other_file
            self.limited_until = None
            self._quota_replies = QuotaReplies()
        return enrolled.given_up

    def prefer(self, preferences: Mapping[str, Preferences]) -> None:
        """Applies other preferences, which change nothing of who is enrolled."""
        self.preferences = preferences
        self.subscribers = apply_preferences(
            () if self.is_other_file else self.setup.subscribers, preferences
        )

    @property
    def followers(self) -> tuple[Subscriber, ...]:
        """Everybody whose keywords are fetched: subscribers and channels."""
        return (*self.subscribers, *(job.channel.follower for job in self.channel_jobs()))

    def channel_jobs(self) -> Sequence[ChannelJob]:
        return () if self.is_other_file else self.cycle().channels

    def status(self) -> str:
        return counted(len(self.setup.subscribers), "subscriber")

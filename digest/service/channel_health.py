"""How the channels of an installation are: what is next, what waits, and which rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from digest.channels.channel import Channel
from digest.config.parsing import address_key, counted
from digest.pipeline.schedule import mailing_after
from digest.storage.channel_stores import ChannelStatus, ChannelStatusStore
from digest.storage.pipeline_stores import NewsStore

_ATTEMPTS = 3
"""A service that failed this often is not just busy: the attempts take over an hour."""


class _Store(ChannelStatusStore, NewsStore, Protocol):
    """What is known of channels, also as followers of keywords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHealth:
    """A channel, when it is served next if there is something new, and what the state knows of it."""

    channel: Channel
    next_at: datetime
    status: ChannelStatus

    @property
    def is_resting(self) -> bool:
        """A channel whose address was changed since rests no more, which the next run stores."""
        return self.status.rest is not None and self.status.rest.target == self.channel.target

    def line(self) -> str:
        """For a person, in one line."""
        name, status = self.channel.name, self.status
        if self.is_resting and status.rest:
            return f"{name}: rests since {status.rest.since_at:%F %H:%M %Z}: {status.rest.cause}"
        waits = f"; {counted(status.waiting, 'digest')} waiting" if status.waiting else ""
        cause = f": {status.reply}" if waits and status.reply else ""
        return f"{name}: {self.next_at:%F %H:%M %Z}{waits}{cause}"

    def problems(self) -> Iterator[str]:
        """What needs a person."""
        name, status = self.channel.name, self.status
        if self.is_resting and status.rest:
            yield (
                f"the channel {name} rests since {status.rest.since_at:%F}, because its service said that it"
                f" is gone ({status.rest.cause}): set another url, or run digest channels resume {name}"
            )
        elif status.attempts >= _ATTEMPTS:
            yield f"the channel {name} was tried {status.attempts} times, last: {status.reply}"

    def as_object(self) -> dict[str, Any]:
        """The fields of `--json`. Where its digests go is a secret."""
        channel, status = self.channel, self.status
        rest = status.rest if self.is_resting else None
        return {
            "name": channel.name,
            "kind": channel.kind.value,
            "title": channel.title,
            "keywords": [keyword.text for keyword in channel.follower.keywords],
            "next_at": self.next_at.isoformat(),
            "sent_at": status.sent_at and status.sent_at.isoformat(),
            "waiting": status.waiting,
            "attempts": status.attempts,
            "reply": status.reply or None,
            "due_at": status.due_at and status.due_at.isoformat(),
            "rests_since": rest and rest.since_at.isoformat(),
            "rest_cause": rest and rest.cause,
        }


def examine_channels(
    store: _Store, channels: Sequence[Channel], *, now: datetime
) -> tuple[ChannelHealth, ...]:
    """Raises `StateError`."""
    emails = [one.follower.email for one in channels]
    statuses, followers = store.channel_statuses(emails), store.subscriber_statuses(emails)
    return tuple(
        ChannelHealth(
            channel=one,
            next_at=mailing_after(now, one.follower, followers.get(address_key(one.follower.email))),
            status=statuses[one.follower.email],
        )
        for one in channels
    )

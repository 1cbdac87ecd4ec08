"""What subscribers choose, see and send back: what their pages, mails and bounces ask of the store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from digest.model.digest import Digest
from digest.storage.values import (
    Bounced,
    Confirmation,
    KeywordPage,
    KnownSubscriber,
    Mailing,
    PageChange,
    Suppression,
    UnreadMail,
)
from digest.subscribers.preferences import Preferences


class PreferenceStore(Protocol):
    """What subscribers chose for themselves; who left, and came back."""

    def preferences(self) -> Mapping[str, Preferences]:
        """The choices of those subscribers who made any, by `address_key`."""
        ...

    def preferences_of(self, email: str) -> Preferences:
        """The choices of one subscriber."""
        ...

    def save_preferences(self, email: str, preferences: Preferences) -> None:
        """Replaces a subscriber's choices; `left_at` alone stays as it is. Nothing where nobody is called
        so.
        """
        ...

    def leave(self, email: str, *, now: datetime) -> None:
        """The subscriber unsubscribed themselves: they are enrolled no more, and what waits for them is given
        up.

        Their choices are kept, and so is what was given up, for when they return. Once is as good as twice.
        """
        ...

    def rejoin(self, email: str) -> bool:
        """Takes a `leave` back, from the next enrolment on; false if there was none."""
        ...


class ConfirmStore(PreferenceStore, Protocol):
    """The mails about changes that were made on pages."""

    def confirmations(self, *, now: datetime) -> tuple[Confirmation, ...]:
        """The mails about changes of the last days that were not sent yet, and may be sent now."""
        ...

    def note_confirmed(self, number: int, *, now: datetime) -> None:
        """One of them was sent, or needs not be."""
        ...


class LinkStore(Protocol):
    """The tokens in links to the pages of keywords."""

    def keyword_tokens(self, keys: Mapping[str, str], *, make: bool = True) -> Mapping[str, str]:
        """The tokens of the pages of keywords, which `keys` has with the keys of their queries.

        One without a query that was ever enrolled has no page; without `make`, nor has one that never had a
        token, and nothing is written.
        """
        ...


class TokenStore(Protocol):
    """Whose page a token opens."""

    def subscriber_for(self, token: str) -> KnownSubscriber | None:
        """Whose preferences `token` opens; `None` if nobody's."""
        ...

    def unsubscribed_for(self, token: str) -> KnownSubscriber | None:
        """Whose page to leave `token` opens, and no other one; `None` if nobody's."""
        ...


class PageStore(PreferenceStore, TokenStore, LinkStore, Protocol):
    """What the pages show."""

    def confirmation_of(self, token: str, *, now: datetime) -> Confirmation | None:
        """The one that has this token, for 90 days."""
        ...

    def keyword_page(self, token: str) -> KeywordPage | None:
        """The newest hundred papers that a keyword found, the one that was seen last first."""
        ...

    def digest_page(self, token: str) -> Digest | None:
        """The digest that was sent under this token, as it was written down."""
        ...

    def digests_of(self, feed: str) -> tuple[Mailing, ...] | None:
        """The last twenty digests of the subscriber whose feed this is, the newest first; `None` if
        nobody's.
        """
        ...


class PageChangeStore(PreferenceStore, Protocol):
    """What subscribers do on their pages."""

    def leave_and_tell(self, email: str, *, now: datetime) -> None:
        """As `leave`, and the subscriber is to be told by mail."""
        ...

    def save_preferences_and_tell(self, email: str, preferences: Preferences, *, now: datetime) -> None:
        """As `save_preferences`, and the subscriber is to be told by mail: once of all changes of an hour."""
        ...

    def tell(self, email: str, change: PageChange, *, now: datetime) -> None:
        """The subscriber is to be told of this by mail; of each kind of change once a day.

        But again of what comes after they took it back.
        """
        ...

    def renew_links(self, email: str) -> None:
        """From now on other tokens open this subscriber's own pages and feed, and all of before open nothing.

        Pages of digests keep theirs. Nothing where nobody is called so.
        """
        ...


class SuppressionStore(Protocol):
    """The addresses that get no mail."""

    def suppress(self, email: str, *, cause: str, now: datetime) -> None:
        """No more mail to this address. What waits for it is suppressed, and kept until `resume`."""
        ...

    def suppressions(self) -> tuple[Suppression, ...]:
        """The addresses that get no mail, the latest last."""
        ...

    def resume(self, email: str, *, now: datetime) -> bool:
        """Mails this address again, first what was suppressed; false if it was not suppressed."""
        ...

    def resume_since(self, moment: datetime | None, *, now: datetime) -> tuple[str, ...]:
        """As `resume`, all addresses that were suppressed since then, or at any time; returns them."""
        ...


class UnreadStore(Protocol):
    """Returned mails that nobody could read."""

    def keep_unread(self, mail: UnreadMail, content: bytes) -> None:
        """Keeps a mail, whose number is given anew, and of all those kept the last fifty."""
        ...

    def unread_mails(self) -> tuple[UnreadMail, ...]:
        """Those kept, the oldest first."""
        ...

    def unread_content(self, number: int) -> bytes | None:
        """What is kept of one of them; `None` where it is not kept."""
        ...

    def clear_unread(self) -> None:
        """Forgets those kept."""
        ...


class BounceStore(PreferenceStore, TokenStore, SuppressionStore, UnreadStore, Protocol):
    """What mails that come back tell."""

    def note_bounce(
        self,
        token: str,
        *,
        recipient: str | None,
        concern: str,
        reply: str,
        now: datetime,
        retry_at: datetime,
    ) -> Bounced | None:
        """Counts a mailing as come back; `None` if none is called so, or `recipient` is not its subscriber.

        Where `recipient` is given, the mailing did not arrive: it goes again at
        `retry_at`, or before in the next digest if it can.
        `concern` is "dead", "doubtful" or "full" where the mailbox is why, else "other", which counts not.
        """
        ...

    def subscriber_of_mailing(self, tokens: Sequence[str]) -> str | None:
        """The address of whom the first of these tokens that names a mailing was mailed to."""
        ...


class RenameStore(Protocol):
    """One subscriber under two addresses."""

    def rename(self, email: str, new: str, *, now: datetime) -> bool:
        """Gives a subscriber another address: what they had, chose and wait for stays.

        The links of earlier mails end, since the old mailbox may be somebody else's now. Where `new` stands
        in the file in place of `email` already, what was mailed there is not repeated either.

        False, and nothing is done, where `email` is not known or `new` was mailed as somebody else.
        """
        ...

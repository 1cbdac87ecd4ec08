"""The protocols of the store for preferences, web pages, confirmations, bounces and renames."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from digest.model.digest import Digest
from digest.storage.confirmations import Confirmation, PageChange
from digest.storage.values import Bounced, KeywordPage, KnownSubscriber, Mailing, Suppression, UnreadMail
from digest.subscribers.interest.judgements import Example, Judgement, Origin
from digest.subscribers.preferences import Preferences


class PreferenceStore(Protocol):
    """The preferences of subscribers, and who unsubscribed."""

    def preferences(self) -> Mapping[str, Preferences]:
        """Returns the preferences of all subscribers who saved any, by `address_key`.

        Of those who left and had all else erased, only the `left_mark` is known.
        """
        ...

    def preferences_of(self, email: str) -> Preferences:
        """Returns the preferences of one subscriber."""
        ...

    def save_preferences(self, email: str, preferences: Preferences) -> None:
        """Replaces a subscriber's preferences, except `left_at`. Does nothing for an unknown address."""
        ...

    def leave(self, email: str, *, now: datetime) -> None:
        """Stores that a subscriber unsubscribed. They are no longer enrolled; waiting mailings are given up.

        Idempotent. Their preferences and the mailings that were given up are kept, in case they return.
        """
        ...

    def rejoin(self, email: str) -> bool:
        """Undoes `leave`, from the next enrolment on. Returns false if there was none.

        Also somebody who had everything erased is a subscriber again, without what was erased.
        """
        ...


class ConfirmStore(PreferenceStore, Protocol):
    """The confirmations: mails about changes that were made on web pages."""

    def subscriber_token(self, email: str) -> str | None:
        """Returns the token that opens this subscriber's preferences; `None` for an unknown address."""
        ...

    def confirmations(self, *, now: datetime) -> tuple[Confirmation, ...]:
        """Returns the confirmations of the last days that are not sent yet and may be sent now."""
        ...

    def note_confirmed(self, number: int, *, now: datetime) -> None:
        """Stores that a confirmation was sent, or is not needed."""
        ...


class LinkStore(Protocol):
    """The tokens in links to keyword pages."""

    def keyword_tokens(self, keys: Mapping[str, str], *, make: bool = True) -> Mapping[str, str]:
        """Returns the tokens of keyword pages. `keys` maps keywords to query keys.

        A keyword has no page if its query was never enrolled. With `make` false nothing is written, and a
        keyword that never had a token has no page either.
        """
        ...


class TokenStore(Protocol):
    """Finds the subscriber whose page a token opens."""

    def subscriber_for(self, token: str) -> KnownSubscriber | None:
        """Returns the subscriber whose preferences `token` opens, if any."""
        ...

    def unsubscribed_for(self, token: str) -> KnownSubscriber | None:
        """Returns the subscriber whose unsubscribe page `token` opens, if any. It opens no other page."""
        ...


class PageStore(PreferenceStore, TokenStore, LinkStore, Protocol):
    """The content of the web pages."""

    def is_mailed(self, email: str) -> bool:
        """Whether a subscriber with this address is enrolled, or was ever mailed."""
        ...

    def confirmation_of(self, token: str, *, now: datetime) -> Confirmation | None:
        """Returns the confirmation with this token, for 90 days; a request, unless stopped, for 48 hours."""
        ...

    def keyword_page(self, token: str) -> KeywordPage | None:
        """Returns the last hundred papers that a keyword found, the one seen last first."""
        ...

    def digest_page(self, token: str) -> Digest | None:
        """Returns the digest with this token, as it was composed."""
        ...

    def digest_to_judge(self, token: str) -> Digest | None:
        """Returns the digest whose subscriber may say with this token which of its papers they like."""
        ...

    def digests_of(self, feed: str) -> tuple[Mailing, ...] | None:
        """Returns the last twenty digests of the feed, the newest first; `None` for an unknown feed."""
        ...


class InterestStore(Protocol):
    """What subscribers liked and disliked. An address need not be known to the store yet."""

    def judgements(self, email: str) -> tuple[Judgement, ...]:
        """Returns the judgements of a subscriber, the oldest first."""
        ...

    def judge(
        self, email: str, examples: Iterable[Example], *, is_liked: bool, origin: Origin, now: datetime
    ) -> int:
        """Stores that a subscriber likes or dislikes these papers. Returns how many that changes.

        A paper has one judgement, the last one. The same judgement again changes nothing.
        """
        ...

    def withdraw(self, email: str, names: Iterable[str]) -> int:
        """Deletes the judgements of the examples with these names. Returns how many there were."""
        ...

    def forget_interest(self, email: str) -> int:
        """Deletes all judgements of a subscriber and what was learned. Returns how many there were."""
        ...


class JudgingStore(PageStore, InterestStore, Protocol):
    """The pages on which subscribers judge papers."""


class PageChangeStore(PreferenceStore, Protocol):
    """The changes that subscribers make on their pages."""

    def leave_and_confirm(self, email: str, *, now: datetime) -> None:
        """Does `leave`, and queues a confirmation."""
        ...

    def save_preferences_and_confirm(self, email: str, preferences: Preferences, *, now: datetime) -> None:
        """Does `save_preferences`, and queues a confirmation: one mail for all changes within an hour."""
        ...

    def confirm(self, email: str, change: PageChange, *, now: datetime) -> None:
        """Queues a confirmation, at most one a day for each kind of change.

        After the subscriber undid a change, the next one is confirmed again. Does nothing for an unknown
        address.
        """
        ...

    def may_ask_address(self, email: str, *, now: datetime) -> bool:
        """Whether `ask_address` would return true: the subscriber has not asked too often today."""
        ...

    def ask_address(self, email: str, new: str, *, is_free: bool, now: datetime) -> bool:
        """Queues an `ADDRESS` to the new address if it is free, and a `MOVING` to the present one.

        Returns false, and does nothing, if the subscriber asked for too many addresses today. Each address
        gets one such mail a day from all of them. An earlier request of the subscriber becomes invalid.
        """
        ...

    def stop_address(self, email: str) -> None:
        """Makes all requests of this subscriber for a new address invalid."""
        ...

    def renew_links(self, email: str) -> None:
        """Replaces the tokens of this subscriber's own pages and feed. The former tokens become invalid.

        The pages of digests keep their tokens. Does nothing for an unknown address.
        """
        ...


class SuppressionStore(Protocol):
    """The suppressed addresses."""

    def suppress(self, email: str, *, cause: str, now: datetime) -> None:
        """Suppresses an address: it gets no more mail. Its waiting mailings are kept until `resume`."""
        ...

    def suppressions(self) -> tuple[Suppression, ...]:
        """Returns the suppressed addresses, the latest last."""
        ...

    def resume(self, email: str, *, now: datetime) -> bool:
        """Lifts a suppression; its suppressed mailings are sent first. Returns false if there was none."""
        ...

    def resume_since(self, moment: datetime | None, *, now: datetime) -> tuple[str, ...]:
        """Does `resume` for all addresses that were suppressed since then, or ever. Returns them."""
        ...


class UnreadStore(Protocol):
    """Returned mails that were not understood."""

    def keep_unread(self, mail: UnreadMail, content: bytes) -> None:
        """Keeps a mail under a new number. Only the last fifty are kept."""
        ...

    def unread_mails(self) -> tuple[UnreadMail, ...]:
        """Returns the mails that are kept, the oldest first."""
        ...

    def unread_content(self, number: int) -> bytes | None:
        """Returns the kept content of one mail; `None` if it is not kept."""
        ...

    def clear_unread(self) -> None:
        """Deletes the mails that are kept."""
        ...


class BounceStore(PreferenceStore, TokenStore, SuppressionStore, UnreadStore, Protocol):
    """The results of bounces."""

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
        """Stores a bounce. Returns `None` for an unknown token, or if `recipient` is not its subscriber.

        If `recipient` is given, the mailing did not arrive: it is sent again at `retry_at`, or earlier as
        part of the next digest. `concern` is "dead", "doubtful" or "full" if the mailbox is the cause, else
        "other", which does not count.
        """
        ...

    def subscriber_of_mailing(self, tokens: Sequence[str]) -> str | None:
        """Returns the address to which the mailing of the first valid token was mailed."""
        ...


class RenameStore(Protocol):
    """Changes of a subscriber's address."""

    def rename(self, email: str, new: str, *, now: datetime) -> bool:
        """Changes a subscriber's address. Their history, preferences and waiting mailings stay.

        The links in earlier mails become invalid, since the old mailbox may belong to somebody else now. If
        `new` replaces `email` in the file already, papers that were mailed to `new` are not repeated either.

        Returns false and does nothing if `email` is not known, or if `new` was mailed as another subscriber.
        """
        ...

"""The pages behind the links of confirmation mails, and the page to ask for a new address; without HTTP.

All methods read or write the state: call them outside of the event loop.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from digest.config.parsing import address_key, parse_address
from digest.config.web_settings import Web
from digest.errors import ConfigurationError
from digest.storage.confirmations import Confirmation, PageChange
from digest.storage.personal_data import OwnDataChangeStore
from digest.storage.signups import SignupAnswer, TypedMail
from digest.storage.subscriber_stores import PageStore
from digest.subscribers import editor
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.preferences import differences
from digest.web.context import Found, SiteBase, SiteContext, found_page, signup_limits, subscriber_among
from digest.web.keyword_rows import Sent, first_text
from digest.web.link_mail import TOO_MANY as BUSY
from digest.web.pages import Notice

_log = logging.getLogger(__name__)

_BUTTONS = {
    PageChange.LEFT: ("the button subscribes you again.", "Subscribe again"),
    PageChange.RETURN: ("the button subscribes you again.", "Subscribe again"),
    PageChange.PAUSED: ("the button ends the pause.", "End the pause"),
    PageChange.CHANGED: ("the button restores your preferences", "Undo"),
    PageChange.ADDRESS: ("the button sends your digests to this address from now on.", "Use this address"),
    PageChange.ERASE: (
        "the button deletes all that is stored about you, and unsubscribes you. Nothing brings it back.",
        "Delete everything",
    ),
    PageChange.MOVING: ("the button keeps your digests at this address.", "Keep this address"),
}

ASKED = Notice(
    title="Look into your mailbox.",
    text="A mail to the new address asks to confirm it within two days. Until then nothing changes."
    " If no mail comes, the address may be in use already, or was asked for today.",
)
TOO_MANY = Notice(
    title="No mail was sent.",
    text="You asked for several addresses today. Try again tomorrow.",
    is_failure=True,
)
READ_ONLY = Notice(
    title="Your address cannot be changed here.",
    text="It is in a file of the operator that this page cannot write. To ask, answer one of your digests.",
    is_failure=True,
)

ERASED = "All that was stored about you is deleted, and you get no more mail."
STAYS = (
    " Your address is still in a file of the operator, which this page cannot change: ask them to remove it."
    " Until then a hash of the address is kept, so that you get no mail."
)

_ERASED_KEPT = 100
_PRESSED_TWICE = timedelta(minutes=1)


class ConfirmationLinks(SiteBase[PageStore, OwnDataChangeStore]):
    """Each method returns `None` for an unknown or expired token."""

    def __init__(
        self,
        settings: Web,
        context: SiteContext[PageStore, OwnDataChangeStore],
        directory: SubscriberDirectory,
    ) -> None:
        """`directory` has the entries."""
        super().__init__(context)
        self._limits = signup_limits(settings)
        self._directory = directory
        # The last links by which somebody was erased, and what was said then: the state keeps none of it.
        self._erased: dict[str, str] = {}
        # Which address somebody asked for last, and when: the state does not keep those that are in use.
        self._asked_last: dict[str, tuple[str, datetime]] = {}

    def undoing(self, token: str) -> Found | None:
        """The page with the button. Changes nothing."""
        one = self._store.confirmation_of(token, now=self._clock())
        if one is None or one.change not in _BUTTONS:
            return None
        what, button = _BUTTONS[one.change]
        changes = self._restored_by(one) if one.change is PageChange.CHANGED else ()
        if one.change is PageChange.CHANGED:
            same = "" if changes else " They are the same now."
            what = f"{what} from before {one.written_at:%Y-%m-%d %H:%M} UTC.{same}"
        url = f"{self._base_url}/b/{token}"
        return found_page(
            self._pages.undo(email=one.mailed_to, what=what, changes=changes, button=button, url=url)
        )

    def _restored_by(self, one: Confirmation) -> Sequence[str]:
        """The differences from now, in words."""
        subscriber = subscriber_among(self._subscribers(), one.email)
        now = self._store.preferences_of(one.email)
        return differences(subscriber, now, one.former, was="now") if subscriber else ()

    def undo(self, token: str) -> Found | None:
        """Does what the button says. Idempotent."""
        if token in self._erased:  # pressed twice
            return self._done(self._erased[token])
        one = self._store.confirmation_of(token, now=self._clock())
        if one is None or one.change not in _BUTTONS:
            return None
        chosen = self._store.preferences_of(one.email)
        match one.change:
            case PageChange.PAUSED:
                if chosen.paused_until is not None:
                    self._changing.save_preferences(one.email, replace(chosen, paused_until=None))
                return self._done("The pause has ended. Your next digest comes at its usual time.")
            case PageChange.CHANGED:
                self._changing.save_preferences(one.email, one.former)
                return self._done("Your earlier preferences are restored.")
            case PageChange.ADDRESS:
                return self._move(one.email, one.mailed_to)
            case PageChange.ERASE:
                return self._erase(token, one.email)
            case PageChange.MOVING:
                return self._keep(one)
        if chosen.left_at is not None:
            self._changing.rejoin(one.email)
        return self._done("You are subscribed again.")

    def address(self, token: str) -> Found | None:
        """The page that asks for the new address. Changes nothing."""
        known = self._store.subscriber_for(token)
        if known is None:
            return None
        may_edit = self._is_entered(known.email) and self._directory.may_edit(known.email)
        return self._address_page(token, known.email, None if may_edit else READ_ONLY)

    def ask_address(self, token: str, sent: Sent, network: str) -> Found | None:
        """Asks the owner of the new address to confirm it. The answer does not show whether it is in use.

        It is a mail to an address that somebody typed, as that of a sign-up: limits as large count it.
        """
        known = self._store.subscriber_for(token)
        if known is None:
            return None
        if not (self._is_entered(known.email) and self._directory.may_edit(known.email)):
            return self._address_page(token, known.email, READ_ONLY)
        wanted = first_text(sent, "email")
        try:
            new = parse_address(wanted)
        except ValueError as error:
            wrong = f"The address {str(error).rstrip('.')}."
            return self._address_page(token, known.email, wanted=wanted, error=wrong)
        if address_key(new) == address_key(known.email):
            return self._address_page(
                token, known.email, wanted=wanted, error="This is your address already."
            )
        return self._address_page(token, known.email, self._asked(known.email, new, network))

    def _asked(self, email: str, new: str, network: str) -> Notice:
        """A person who asks too often does not use up the limit of all."""
        is_free, now = self._directory.find(new) is None and not self._store.is_mailed(new), self._clock()
        last, asked_at = self._asked_last.get(email, ("", now))
        if last == address_key(new) and now < asked_at + _PRESSED_TWICE:
            return ASKED
        if not self._changing.may_ask_address(email, now=now):
            return TOO_MANY
        limits = self._limits
        answer = self._changing.count_attempt(TypedMail.ADDRESS, network=network, limits=limits, now=now)
        if answer is not SignupAnswer.TAKEN:
            return BUSY
        if not self._changing.ask_address(email, new, is_free=is_free, now=now):
            return TOO_MANY
        lately = {who: one for who, one in self._asked_last.items() if now < one[1] + _PRESSED_TWICE}
        self._asked_last = {**lately, email: (address_key(new), now)}
        return ASKED

    def _address_page(
        self, token: str, email: str, notice: Notice | None = None, *, wanted: str = "", error: str = ""
    ) -> Found:
        url = f"{self._base_url}/p/{token}"
        html = self._pages.address(email=email, url=url, notice=notice, wanted=wanted, error=error)
        return found_page(html, notice, is_refused=bool(error))

    def _is_entered(self, email: str) -> bool:
        return subscriber_among(self._subscribers(), email) is not None

    def _move(self, email: str, new: str) -> Found:
        if address_key(email) == address_key(new):
            return self._done(f"Your digests go to {new}.")

        try:
            self._rename(email, new)
        except ConfigurationError as error:
            _log.warning("an address was not changed cause=%s", _without((email, new), str(error)))
            text = "The address could not be changed. Ask the operator: answer one of your digests."
            return found_page(self._pages.message("Not changed", text), is_refused=True)
        return self._done(
            f"Your digests go to {new}. Earlier links are invalid; the next digest has new ones."
        )

    def _rename(self, email: str, new: str) -> None:
        """As `digest rename` does. A file that cannot be written stops only the subscribers in it."""

        def in_state(email: str, new: str) -> bool:
            if self._changing.rename(email, new, now=self._clock()):
                return True
            raise ConfigurationError(f"{new} was mailed as another subscriber")

        if self._directory.find(new) is not None:
            raise ConfigurationError(f"{new} has an entry")
        editor.rename(self._directory.owner_of(email), email=email, new=new, in_state=in_state)

    def _erase(self, token: str, email: str) -> Found:
        stays = self._directory.is_in_file(email)
        self._asked_last.pop(email, None)
        self._changing.erase(email, keeps_mark=stays, now=self._clock())
        said = ERASED + (STAYS if stays else "")
        self._erased = dict([*self._erased.items(), (token, said)][-_ERASED_KEPT:])
        return self._done(said)

    def _keep(self, one: Confirmation) -> Found:
        """Stops the change, or takes it back: the mailbox of the former address is still its owner's."""
        self._changing.stop_address(one.email)
        self._asked_last.pop(one.email, None)
        return self._move(one.email, one.mailed_to)

    def _done(self, text: str) -> Found:
        return found_page(self._pages.message("Done", text))


def _without(addresses: tuple[str, ...], text: str) -> str:
    """No address is logged."""
    for one in addresses:
        text = text.replace(one, "the address")
    return text

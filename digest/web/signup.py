"""The pages on which people subscribe themselves, without HTTP.

All methods read or write the state: call them outside of the event loop. No answer depends on whether an
address is known: only the mail to it says so.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from digest.config.parsing import address_key, counted
from digest.config.web_settings import Web
from digest.storage.signups import (
    Confirming,
    Invite,
    NewSignup,
    Signup,
    SignupAnswer,
    SignupStore,
)
from digest.subscribers.entry_parser import parse_subscriber
from digest.subscribers.stored import EntryChange, StoredEntry
from digest.subscribers.subscriber import Subscriber
from digest.web.context import Found, SiteBase, SiteContext, found_page, signup_limits, subscriber_among
from digest.web.keyword_rows import Sent
from digest.web.own_forms import FormSigner
from digest.web.pages import Notice
from digest.web.preview import Preview, preview_box
from digest.web.signup_form import (
    LATEST,
    SignupForm,
    as_content,
    blank_subscriber,
    empty_form,
    entry_of,
    is_by_machine,
    is_whole,
    mark_of,
    parse_signup,
    with_keyword_error,
)

if TYPE_CHECKING:
    from digest.config.settings import Defaults

_log = logging.getLogger(__name__)

SENT = (
    "A mail is on its way to {email}. Its link leads to a page with a button: you get nothing else before you"
    " press it. If no mail comes within some minutes, look among your spam. An address gets at most one such"
    " mail a day: if you have one of today, its link leads to these choices too."
)
SUBSCRIBED = (
    "{email} is subscribed. The first digest comes at the next time that you chose, when there are papers."
    " Each digest has links to change it and to unsubscribe."
)
SUBSCRIBED_BEFORE = "{email} is subscribed. Each digest has links to change it and to unsubscribe."
LEFT = "{email} was unsubscribed after this sign-up was confirmed. To get digests again, sign up again."

REFUSED = Notice(title="Nothing was sent.", text="Correct what is marked below.", is_failure=True)
INCOMPLETE = Notice(title="Nothing was sent.", text="The form was incomplete.", is_failure=True)
OLD = Notice(
    title="Nothing was sent.", text="This page was open for long. Press the button again.", is_failure=True
)
TOO_MANY = {
    SignupAnswer.TOO_MANY: Notice(
        title="Nothing was sent.",
        text="Too many people signed up lately. Press the button again in an hour, or tomorrow.",
        is_failure=True,
    ),
    SignupAnswer.TOO_MANY_OF_NETWORK: Notice(
        title="Nothing was sent.",
        text="Too many people of your network signed up within an hour. Press the button again in an hour.",
        is_failure=True,
    ),
}
CHANGED = Notice(
    title="Not yet subscribed.",
    text="This sign-up was changed after you opened the page. Look at them, and press the button again.",
    is_failure=True,
)

_NEEDS_INVITE = "To sign up here, you need an invite link. Ask the person who runs this service for one."
_CLOSED_INVITE = "This invite link is no longer valid. Ask for a new one where you got it."

_WARN_EVERY = timedelta(minutes=10)
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A form that was sent, and the subscriber that it describes, if it has no errors.

    `joins`: the button to sign up was pressed, and nothing speaks against it.
    """

    form: SignupForm
    subscriber: Subscriber
    invite: Invite | None
    joins: bool
    notice: Notice | None = None


class SignupSite(SiteBase[SignupStore, SignupStore]):
    """The pages of sign-up. Methods with a token return `None` for an unknown one."""

    def __init__(
        self,
        settings: Web,
        context: SiteContext[SignupStore, SignupStore],
        *,
        defaults: "Defaults",
        signed_up: Callable[[], None],
    ) -> None:
        """`signed_up` is called after a change."""
        super().__init__(context)
        self._settings = settings
        self._defaults = defaults
        self._blank = blank_subscriber(defaults)
        self._signed_up = signed_up
        self._signer = FormSigner(context.store.form_key(), "sign-up")
        self._warned_at: datetime | None = None

    def joining(self) -> Found:
        """The empty form, or what to do without one."""
        if self._settings.signup == "invite":
            return self._message("Sign up", _NEEDS_INVITE)
        return self._empty(None)

    def joining_by(self, token: str) -> Found | None:
        """The empty form of an invite."""
        invite = self._store.invite_for(token)
        if invite is None:
            return None
        if not invite.is_open(self._clock()):
            return self._message("Sign up", _CLOSED_INVITE)
        return self._empty(invite)

    def is_invite(self, token: str) -> Found | None:
        """An empty page if the token is that of an invite."""
        return Found(body=b"") if self._store.invite_for(token) else None

    def check(self, token: str | None, sent: Sent) -> Found | Checked:
        """Reads a form that was sent. Changes nothing: `answer` and `store` continue with it."""
        invite = self._store.invite_for(token) if token else None
        if invite is None and self._settings.signup == "invite":
            return self._message("Sign up", _NEEDS_INVITE)
        now = self._clock()
        if invite is not None and not invite.is_open(now):
            return self._message("Sign up", _CLOSED_INVITE)
        if not is_whole(sent):
            return self._empty(invite, INCOMPLETE)
        form, subscriber = parse_signup(sent, self._blank, self._signer, self._settings, now)
        checked = Checked(form=form, subscriber=subscriber, invite=invite, joins=False)
        if list(sent.get("do", ())) != ["join"]:  # a preview needs no address
            return replace(checked, form=replace(form, email_error=""))
        if form.has_errors:
            return replace(checked, notice=REFUSED)
        age = self._signer.age(sent["stamp"][0], now)
        if is_by_machine(sent, age):
            return self._sent(subscriber)
        if age is not None and age >= LATEST:
            return replace(checked, notice=OLD)
        return replace(checked, joins=True)

    def answer(self, checked: Checked, preview: Preview | None) -> Found | None:
        """The form with a preview, if there is one; `None` for a sign-up that is to be stored."""
        form = checked.form
        if preview is None or not preview.is_over:
            return None if checked.joins else self._page(form, checked.invite, checked.notice, preview)
        return self._page(with_keyword_error(form, preview.excess), checked.invite, REFUSED, preview)

    def store(self, ready: Checked, network: str) -> Found:
        """Stores a sign-up, and asks for its mail."""
        new = NewSignup(
            email=ready.subscriber.email,
            content=entry_of(ready.subscriber),
            invite=ready.invite.number if ready.invite else None,
        )
        limits = signup_limits(self._settings)
        answer = self._changing.sign_up(new, network=network, limits=limits, now=self._clock())
        if answer is not SignupAnswer.TAKEN:
            self._warn(answer)
            return self._page(ready.form, ready.invite, TOO_MANY[answer])
        self._signed_up()
        return self._sent(ready.subscriber)

    def keywords_of(self, token: str) -> tuple[str, ...]:
        """The keywords of a sign-up; none for an unknown token."""
        signup = self._store.signup_for(token, now=self._clock())
        return tuple(one.text for one in self._wanted(signup).keywords) if signup else ()

    def is_signup(self, token: str) -> Found | None:
        """An empty page if the token is that of a sign-up."""
        return Found(body=b"") if self._store.signup_for(token, now=self._clock()) else None

    def confirming(self, token: str, preview: Preview | None) -> Found | None:
        """The page behind the link of the mail. Changes nothing."""
        signup = self._store.signup_for(token, now=self._clock())
        return self._confirm_page(signup, preview) if signup else None

    def confirm(self, token: str, sent: Sent, preview: Preview | None) -> Found | None:
        """Subscribes the owner of the address. Idempotent."""
        signup = self._store.signup_for(token, now=self._clock())
        if signup is None:
            return None
        is_over = preview is not None and preview.is_over
        if signup.is_confirmed or self._is_subscribed(signup.email) or is_over:
            return self._confirm_page(signup, preview)
        if list(sent.get("mark", ())) != [mark_of(signup.content)]:
            return self._confirm_page(signup, preview, CHANGED)
        if self._settings.signup == "open" and preview is not None and preview.minutes_to_wait:
            return self._confirm_page(signup, preview, _asking(preview))
        return self._confirmed(signup)

    def _confirmed(self, signup: Signup) -> Found:
        outcome = Confirming.CONFLICT
        for _ in range(_ATTEMPTS):
            outcome = self._changing.confirm_signup(signup.number, self._changes(signup), now=self._clock())
            if outcome is not Confirming.CONFLICT:
                break
        if outcome is Confirming.DONE:
            self._signed_up()
            return self._message("You are subscribed", SUBSCRIBED.format(email=signup.email))
        if outcome is Confirming.CLOSED_INVITE:
            return self._message("Sign up", _CLOSED_INVITE)
        return self._message("Not yet subscribed", "Nothing was changed. Open the link in the mail again.")

    def _changes(self, signup: Signup) -> tuple[EntryChange, ...]:
        """The entry of the database; none if the operator has one in the file, which they own."""
        before = self._store.entry_of(signup.email)
        if before is None and self._is_listed(signup.email):
            return ()
        after = StoredEntry(
            address=address_key(signup.email),
            content=as_content(_entry_of(signup)),
            joined_at=self._clock(),
        )
        return (EntryChange(before=before, after=after),)

    def _is_subscribed(self, email: str) -> bool:
        is_known = self._store.entry_of(email) is not None or self._is_listed(email)
        return is_known and self._store.preferences_of(email).left_at is None

    def _is_listed(self, email: str) -> bool:
        return subscriber_among(self._subscribers(), email) is not None

    def _wanted(self, signup: Signup) -> Subscriber:
        return parse_subscriber(_entry_of(signup), "the sign-up", self._defaults)

    def _confirm_page(self, signup: Signup, preview: Preview | None, notice: Notice | None = None) -> Found:
        if signup.is_confirmed and not self._is_subscribed(signup.email):
            return self._message("You are unsubscribed", LEFT.format(email=signup.email))
        if signup.is_confirmed:
            return self._message("You are subscribed", SUBSCRIBED.format(email=signup.email))
        if self._is_subscribed(signup.email):
            return self._message("You are subscribed already", SUBSCRIBED_BEFORE.format(email=signup.email))
        wanted, path = self._wanted(signup), f"/c/{signup.token}"
        texts = [one.text for one in wanted.keywords]
        html = self._pages.confirm_signup(
            wanted,
            mark=mark_of(signup.content),
            url=f"{self._base_url}{path}",
            notice=notice,
            box=preview_box(self._base_url, f"{path}/preview", texts, preview, action=""),
        )
        return self._with_script(html, is_refused=notice is not None)

    def _empty(self, invite: Invite | None, notice: Notice | None = None) -> Found:
        now = self._clock()
        return self._page(empty_form(self._blank, self._signer.stamp(now), now), invite, notice)

    def _page(
        self,
        form: SignupForm,
        invite: Invite | None,
        notice: Notice | None = None,
        preview: Preview | None = None,
    ) -> Found:
        path = f"/join/{invite.token}" if invite else "/join"
        url = f"{self._base_url}{path}"
        html = self._pages.join(
            form=form,
            url=url,
            domains=self._settings.domains,
            notice=notice,
            box=preview_box(self._base_url, f"{path}/preview", form.texts, preview, action=url),
        )
        return self._with_script(html, is_refused=notice is not None or form.has_errors)

    def _with_script(self, html: str, *, is_refused: bool) -> Found:
        return Found(body=html.encode(), is_refused=is_refused, policy=self._pages.policy_with_script)

    def _sent(self, subscriber: Subscriber) -> Found:
        return self._message("Look into your mailbox", SENT.format(email=subscriber.email))

    def _message(self, title: str, text: str) -> Found:
        return found_page(self._pages.message(title, text))

    def _warn(self, answer: SignupAnswer) -> None:
        """Not often: a flood must not fill the log."""
        now = self._clock()
        if self._warned_at is None or not self._warned_at <= now < self._warned_at + _WARN_EVERY:
            self._warned_at = now
            _log.warning("sign-ups refused cause=%s", answer.name.lower().replace("_", " "))


def _asking(preview: Preview) -> Notice:
    """What a form answers that was sent before it is known whether its keywords find too many papers."""
    wait = counted(preview.minutes_to_wait, "minute")
    text = f"arXiv is being asked how many papers your keywords find. Press the button again in {wait}."
    return Notice(title="Not yet subscribed.", text=text, is_failure=True)


def _entry_of(signup: Signup) -> dict[str, Any]:
    """The entry that the owner of the mailbox confirms: a later sign-up may write the address differently."""
    return {**json.loads(signup.content), "email": signup.email}

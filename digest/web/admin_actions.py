"""What administrators can do to a subscription. Each action is logged before it is done.

So nothing is done that is not in the log, even if the process ends in between.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from digest.model.paper import one_line
from digest.storage.admin_stores import AdminPageStore, AuditEntry
from digest.storage.confirmations import PageChange
from digest.storage.limits import MOST_INVITE_USES
from digest.subscribers.preferences import Preferences
from digest.web.pages import Notice

SESSION = timedelta(hours=1)
"""How long an administrator stays signed in: then the provider is asked again, usually without a question."""

LONGEST_PAUSE = timedelta(days=366)
LONGEST_REASON = 200

OF_SUBSCRIBERS = frozenset({"pause", "unpause", "remove", "return", "link"})
OF_ADDRESSES = frozenset({"suppress", "resume"})
OF_NOBODY = frozenset({"invite", "revoke"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An action that an administrator asked for; `fields` are those of its form."""

    who: str
    action: str
    email: str
    fields: Mapping[str, str]


class AdminActions:
    """Makes changes: it may wait for other writers. All actions but `invite` are idempotent."""

    def __init__(self, store: AdminPageStore, base_url: str, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._base_url = base_url
        self._clock = clock

    def do(self, wanted: Wanted) -> Notice:
        """Does it, and says what was done, or why not."""
        if wanted.action in OF_SUBSCRIBERS and not self._store.subscriber_records([wanted.email]):
            return _refused(f"{wanted.email} is no subscriber yet: the service enrols them within a minute.")
        return {
            "suppress": self._suppress,
            "resume": self._resume,
            "pause": self._pause,
            "unpause": self._unpause,
            "remove": self._remove,
            "return": self._return,
            "link": self._link,
            "invite": self._invite,
            "revoke": self._revoke,
        }[wanted.action](wanted)

    def end_session(self, session: str) -> None:
        now = self._clock()
        self._store.end_session(session, until=now + SESSION, now=now)

    def _log(self, wanted: Wanted, details: str = "") -> None:
        self._store.note_action(
            AuditEntry(
                at=self._clock(),
                who=wanted.who,
                action=wanted.action,
                address=wanted.email,
                details=details,
            )
        )

    def _suppress(self, wanted: Wanted) -> Notice:
        reason = one_line(wanted.fields.get("reason", ""))[:LONGEST_REASON]  # terminals show it too
        if self._is_suppressed(wanted.email):
            return Notice(title="Nothing to do.", text=f"{wanted.email} gets no mail already.")
        cause = f"stopped by {wanted.who}{f': {reason}' if reason else ''}"
        self._log(wanted, reason)
        self._store.suppress(wanted.email, cause=cause, now=self._clock())
        return Notice(title="Done.", text=f"{wanted.email} gets no more mail.")

    def _resume(self, wanted: Wanted) -> Notice:
        if not self._is_suppressed(wanted.email):
            return Notice(title="Nothing to do.", text=f"{wanted.email} is not suppressed.")
        self._log(wanted)
        self._store.resume(wanted.email, now=self._clock())
        return Notice(title="Done.", text=f"{wanted.email} gets mail again; digests that waited come first.")

    def _pause(self, wanted: Wanted) -> Notice:
        until, chosen = _day(wanted.fields.get("until", "")), self._store.preferences_of(wanted.email)
        today = self._clock().date()
        if until is None or not today < until <= today + LONGEST_PAUSE:
            return _refused(f"the pause must end after today, and within a year ({wanted.email}).")
        if chosen.paused_until == until:
            return Notice(title="Nothing to do.", text=f"{wanted.email} is paused until {until} already.")
        self._log(wanted, f"until {until}")
        self._save(wanted.email, replace(chosen, paused_until=until))
        return Notice(
            title="Done.", text=f"{wanted.email} gets no digest until {until}, and a mail that says so."
        )

    def _unpause(self, wanted: Wanted) -> Notice:
        chosen = self._store.preferences_of(wanted.email)
        if chosen.paused_until is None:
            return Notice(title="Nothing to do.", text=f"{wanted.email} is not paused.")
        self._log(wanted)
        self._save(wanted.email, replace(chosen, paused_until=None))
        return Notice(title="Done.", text=f"The pause of {wanted.email} has ended. They get a mail about it.")

    def _remove(self, wanted: Wanted) -> Notice:
        if self._store.preferences_of(wanted.email).left_at:
            return Notice(title="Nothing to do.", text=f"{wanted.email} is unsubscribed already.")
        self._log(wanted)
        self._store.leave(wanted.email, now=self._clock())
        return Notice(
            title="Done.", text=f"{wanted.email} is unsubscribed; digests that waited are cancelled."
        )

    def _return(self, wanted: Wanted) -> Notice:
        if not self._store.preferences_of(wanted.email).left_at:
            return Notice(title="Nothing to do.", text=f"{wanted.email} is subscribed already.")
        self._log(wanted)
        self._store.rejoin(wanted.email)
        return Notice(title="Done.", text=f"{wanted.email} is subscribed again; no paper is repeated.")

    def _link(self, wanted: Wanted) -> Notice:
        """At most one such mail a day: the store sees to it."""
        self._log(wanted)
        self._store.confirm(wanted.email, PageChange.LINK, now=self._clock())
        return Notice(
            title="Done.",
            text=f"{wanted.email} gets a mail with the link to their preferences, at most one a day.",
        )

    def _invite(self, wanted: Wanted) -> Notice:
        """The log has no token: with it, every reader of the log could sign up."""
        uses, until = wanted.fields.get("uses", ""), _day(wanted.fields.get("until", ""))
        today = self._clock().date()
        if until is None or not today <= until <= today + LONGEST_PAUSE:
            return _refused("the last day of an invite must be today or later, and within a year.")
        is_number = uses.isascii() and uses.isdigit() and len(uses) < 10
        if uses and not (is_number and 1 <= int(uses) <= MOST_INVITE_USES):
            return _refused(
                f"an invite is for 1 to {MOST_INVITE_USES:,} people, or if left empty for any number."
            )
        self._log(wanted, f"{uses or 'any number of'} uses, until {until}")
        made = self._store.add_invite(
            uses=int(uses) if uses else None,
            until_at=datetime.combine(until + timedelta(days=1), time(), UTC),
            now=self._clock(),
        )
        link = f"{self._base_url}/join/{made.token}"
        return Notice(title="Done.", text=f"The link of invite {made.number}: {link}")

    def _revoke(self, wanted: Wanted) -> Notice:
        number = wanted.fields.get("number", "")
        found = [one for one in self._store.invites() if str(one.number) == number]
        if not found or found[0].revoked_at is not None:
            return Notice(title="Nothing to do.", text="This invite is not valid any more.")
        self._log(wanted, f"invite {number}")
        self._store.revoke_invite(found[0].number, now=self._clock())
        return Notice(title="Done.", text=f"Nobody can join with the link of invite {number} any more.")

    def _is_suppressed(self, email: str) -> bool:
        return self._store.suppression_of(email) is not None

    def _save(self, email: str, chosen: Preferences) -> None:
        """The subscriber gets a mail about it, as about each change of their preferences."""
        self._store.save_preferences_and_confirm(email, chosen, now=self._clock())


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _refused(why: str) -> Notice:
    return Notice(title="Nothing was changed:", text=why, is_failure=True)

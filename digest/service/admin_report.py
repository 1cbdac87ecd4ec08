"""What `digest status` tells, for the page of the administrators."""

from collections.abc import Callable, Sequence
from datetime import datetime

from digest.config.admin_settings import Admin
from digest.config.web_settings import Web
from digest.service.health import examine
from digest.service.operator_mail import report_lines
from digest.storage.factory import State, open_beside
from digest.subscribers.preferences import apply_preferences
from digest.subscribers.subscriber import Subscriber
from digest.web.admin_setup import AdminSetup
from digest.web.admin_site import Report

_SUBJECTS = {
    "announced": "Announced",
    "seen": "Fetched",
    "next": "Next",
    "sources": "Sources",
    "hosts": "Hosts",
    "restored": "Restored",
    "mail": "Next mails",
    "waiting": "Delayed",
}
_LISTED = 20


def admin_setup_for(
    settings: Admin,
    web: Web,
    state: State,
    subscribers: Callable[[], Sequence[Subscriber]],
    clock: Callable[[], datetime],
) -> AdminSetup | None:
    """What the pages of administrators need; `None` if there are none."""
    if not settings.is_on:
        return None
    return AdminSetup(
        settings=settings,
        has_invites=web.signup == "invite",
        report=lambda: _report(state, subscribers(), clock()),
    )


def _report(state: State, everybody: Sequence[Subscriber], now: datetime) -> Report:
    """With a connection of its own: with very many subscribers it takes seconds, and pages must not wait."""
    with open_beside(state) as store:
        subscribers = apply_preferences(everybody, store.preferences())
        health = examine(store, subscribers, now=now)
    return Report(
        at=now,
        lines=tuple(
            (_SUBJECTS[name], tuple(lines)) for name, lines in report_lines(health) if name in _SUBJECTS
        ),
        problems=health.problems(),
        volumes=health.volumes[:_LISTED],
        silent=tuple((one.keyword, one.usual) for one in health.silent[:_LISTED]),
        keywords=health.keywords,
    )

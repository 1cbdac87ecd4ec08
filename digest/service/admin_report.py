"""What `digest status` shows, for the page of the administrators."""

from collections.abc import Callable
from datetime import datetime
from platform import node

from digest.pipeline.reconcile import explain_other_file
from digest.service.bootstrap import Setup
from digest.service.health import examine
from digest.service.operator_mail import report_lines
from digest.storage.factory import open_beside
from digest.subscribers.preferences import apply_preferences
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
    "joined": "Signed up",
    "left": "Unsubscribed",
    "sign-ups": "Sign-ups",
    "channels": "Channels",
}
_LISTED = 20


def admin_setup_for(setup: Callable[[], Setup], clock: Callable[[], datetime]) -> AdminSetup | None:
    """What the pages of administrators need, by the setup as it is now; `None` if there are none."""
    settings = setup().settings
    if not settings.admin.is_on:
        return None
    return AdminSetup(
        settings=settings.admin,
        has_invites=settings.web.signup == "invite",
        report=lambda: _report(setup(), clock()),
    )


def _report(setup: Setup, now: datetime) -> Report:
    """With a connection of its own: with very many subscribers it takes seconds, and pages must not wait."""
    with open_beside(setup.settings.state) as store:
        subscribers = apply_preferences(setup.subscribers, store.preferences())
        health = examine(store, subscribers, now=now, channels=setup.channels)
        other = store.other_file(node(), setup.content) if setup.content else None
    return Report(
        at=now,
        lines=tuple(
            (_SUBJECTS[name], tuple(lines)) for name, lines in report_lines(health) if name in _SUBJECTS
        ),
        problems=(*([explain_other_file(other)] if other else []), *health.problems()),
        volumes=health.volumes[:_LISTED],
        silent=tuple((one.keyword, one.usual) for one in health.silent[:_LISTED]),
        keywords=health.keywords,
    )

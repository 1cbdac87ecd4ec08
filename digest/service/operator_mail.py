"""Describes the health of an installation in words, for the screen and for mails to the operator."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from digest.config.parsing import counted
from digest.mail.message import SenderIdentity
from digest.mail.plain_mail import plain_mail
from digest.mail.transport import Outgoing
from digest.service.health import Health
from digest.storage.signups import SignupFigures, TypedMail
from digest.storage.values import Restored

_MOST_LINES = 8
_MOST_NAMES = 50
"""Of those who came and who left, in a mail: a group that begins has them all in it."""


class OperatorNotice(StrEnum):
    """The kinds of mail to the operator.

    `BRAKE`: too many addresses were called dead, so no address is suppressed. `OUTAGE`: no fetch succeeded
    for over a day. `RECOVERY`: fetching works again. `HEARTBEAT`: the weekly report.
    """

    BRAKE = "brake"
    OUTAGE = "outage"
    RECOVERY = "recovery"
    HEARTBEAT = "heartbeat"


_REQUESTS: Mapping[str, tuple[str, str]] = {
    TypedMail.SIGNUP: ("sign-up", "sign-ups"),
    TypedMail.LINK: ("request for a link", "requests for links"),
    TypedMail.ADDRESS: ("request for another address", "requests for other addresses"),
}
"""In the words of messages: one, and several."""

_AGAIN = timedelta(days=1)
"""The shortest time between two `BRAKE` notices."""

_SUBJECTS = {
    OperatorNotice.BRAKE: "arXiv digest: a mail server calls many addresses dead",
    OperatorNotice.OUTAGE: "arXiv digest: no fetch has succeeded for over a day",
    OperatorNotice.RECOVERY: "arXiv digest: fetching works again",
    OperatorNotice.HEARTBEAT: "arXiv digest: this week",
}


def due_notice(
    health: Health,
    sent_at: Mapping[OperatorNotice, datetime],
    *,
    heartbeat: int | None,
    brakes: Sequence[str] = (),
) -> OperatorNotice | None:
    """Returns the notice that is due now, if any.

    `heartbeat` is the weekday of the weekly mail (0 is Monday, UTC). Each heartbeat, also the first, is due
    on its weekday; if a later one could not be sent on that day, it is sent after it. An outage is reported
    once: `sent_at` contains it until its end is reported. `brakes` say where too many addresses were called
    dead, so that no address is suppressed; they are reported once a day.
    """
    braked_at = sent_at.get(OperatorNotice.BRAKE)
    if brakes and not (braked_at and braked_at <= health.now < braked_at + _AGAIN):
        return OperatorNotice.BRAKE
    if bool(health.unseen) != (OperatorNotice.OUTAGE in sent_at):
        return OperatorNotice.OUTAGE if health.unseen else OperatorNotice.RECOVERY
    if heartbeat is None:
        return None
    last = sent_at.get(OperatorNotice.HEARTBEAT)
    is_due = (
        health.now.astimezone(UTC).weekday() == heartbeat
        if last is None
        else last < last_heartbeat(heartbeat, health.now)
    )
    return OperatorNotice.HEARTBEAT if is_due else None


def last_heartbeat(weekday: int, now: datetime) -> datetime:
    """Returns the beginning, in UTC, of the latest such weekday."""
    now = now.astimezone(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=(now.weekday() - weekday) % 7)


def write_notice(
    notice: OperatorNotice,
    health: Health,
    sender_identity: SenderIdentity,
    operator: str,
    brakes: Sequence[str] = (),
) -> Outgoing:
    """Builds the mail for a notice."""
    token = sha256(f"{notice}/{health.now.isoformat()}/{operator}".encode()).hexdigest()[:24]
    lines = [f"{name:<12}{line}" for name, line in _labelled(health)]
    others = [problem for problem in health.problems() if not any(cause in problem for cause in brakes)]
    problems = [f"needs you: {problem}" for problem in (*brakes, *others)] or [all_clear(health)]
    return plain_mail(
        sender_identity,
        "\n".join((*problems, "", *lines, "")),
        to=operator,
        subject=_SUBJECTS[notice],
        written_at=health.now,
        token=token,
    )


def all_clear(health: Health) -> str:
    """Returns the line that stands in place of problems if there are none."""
    if health.failed_at is None:
        return "all is well"
    return "nothing needs you: the next fetch also asks for what the last one missed"


def _labelled(health: Health) -> Iterator[tuple[str, str]]:
    for name, lines in report_lines(health, names=_MOST_NAMES):
        for number, line in enumerate(lines):
            yield name if number == 0 else "", line


def report_lines(health: Health, *, names: int = _MOST_LINES) -> Iterator[tuple[str, Sequence[str]]]:
    """Yields each subject with its lines; a subject without information has no lines.

    Up to `names` of those are listed who came, and of those who left.
    """
    yield "announced", [_at(health.expected_at, health.now), *([health.quiet] if health.quiet else [])]
    yield "seen", [_seen(health), *_failed(health)]
    yield "next", [_next(health)]
    yield "sources", [f"{name}: {_at(moment, health.now)}" for name, moment in health.sources.items()]
    yield "hosts", [f"{host.name}: seen {_at(host.seen_at, health.now)}" for host in health.hosts]
    yield "restored", [_restored(health.restored, health.now)] if health.restored else []
    yield "mail", _mail(health)
    yield "waiting", _waiting(health)
    yield "joined", _few(_times(health.joined), "address", most=names)
    yield "left", _few(_times(health.left), "address", most=names)
    yield "sign-ups", _signups(health.signups)
    yield "channels", [one.line() for one in health.channels]
    yield "suppressed", _few([f"{one.email}: {one.cause}" for one in health.suppressed], "address")
    yield "keywords", _few(list(_remarks(health)), "remark")


def _seen(health: Health) -> str:
    if health.seen_at is None:
        return "nothing yet" if health.keywords else "no keywords yet"
    behind = "" if health.seen_at >= health.expected_at else ", so not the last announcement yet"
    return f"up to {_at(health.seen_at, health.now)}{behind}"


def _failed(health: Health) -> list[str]:
    if health.failed_at is None:
        return []
    return [f"the last fetch failed, {_at(health.failed_at, health.now)}: digest doctor says why"]


def _next(health: Health) -> str:
    fetch = "at once" if health.fetch_at is None or health.fetch_at <= health.now else _at(health.fetch_at)
    return f"announcement {_at(health.announcement_at)}; the daemon asks arXiv {fetch}"


def _restored(restored: Restored, now: datetime) -> str:
    """See docs/delivery.md for the consequences."""
    made = f"of {_at(restored.copied_at, now)} " if restored.copied_at else ""
    after = f"went on from it {_at(restored.noticed_at, now)}" if restored.noticed_at else "goes on from it"
    run = "a run" if restored.noticed_at else "the next run"
    return f"an older copy of the state {made}was put in its place; {run} {after}"


def _mail(health: Health) -> list[str]:
    """Lists the subscribers if they are few, else the number of subscribers at each time."""
    if len(health.mail_at) <= _MOST_LINES:
        return [f"{_at(moment)}  {email}" for email, moment in health.mail_at] or ["nobody is subscribed"]
    counts: dict[datetime, int] = {}
    for _, moment in health.mail_at:
        counts[moment] = counts.get(moment, 0) + 1
    return _few(
        [f"{_at(moment)}  {counted(count, 'subscriber')}" for moment, count in counts.items()],
        "time",
    )


def _waiting(health: Health) -> list[str]:
    if not health.waiting:
        return []
    lines = [f"{one.email}: {_tried(one.attempts)} {_at(one.due_at)}: {one.reply}" for one in health.troubled]
    now = f", {health.sending} of them being sent now" if health.sending else ""
    return [f"{health.waiting} in all{now}", *_few(lines, "mailing", health.delayed)]


def _times(moments: Sequence[tuple[str, datetime]]) -> list[str]:
    """The latest first."""
    return [f"{_at(at)}  {email}" for email, at in reversed(moments)]


def _signups(figures: SignupFigures) -> list[str]:
    """Nothing where nobody signs up."""
    lines = []
    if figures.waiting or figures.mailed:
        mails = counted(figures.mailed, "mail")
        lines.append(f"{figures.waiting:,} without confirmation; {mails} sent in 24 hours")
    refused = [f"{count:,} {_REQUESTS[kind][count != 1]}" for kind, count in figures.refused.items() if count]
    if refused:
        lines.append(f"{', '.join(refused)} refused in 24 hours, over the limits")
    return lines


def _tried(attempts: int) -> str:
    return f"tried {counted(attempts, 'time')}, again" if attempts else "not tried yet, due"


def _remarks(health: Health) -> Iterator[str]:
    for one in health.silent:
        before = f"{one.usual:,}" if one.usual else "none"
        yield f"{one.keyword}: no new paper for a week, and {before} in the four weeks before"
    for texts in health.alike:
        yield f"{', '.join(texts)}: found exactly the same papers, which looks wrong"


def _few(lines: list[str], noun: str, count: int = 0, *, most: int = _MOST_LINES) -> list[str]:
    """Returns the first lines and the number of the rest. `count` is the total if `lines` are not all."""
    more = max(count, len(lines)) - most
    return lines if more <= 0 else [*lines[:most], f"and {counted(more, f'more {noun}')}: see --json"]


def _at(moment: datetime, now: datetime | None = None) -> str:
    text = f"{moment:%a %Y-%m-%d %H:%M} UTC"
    if now is None:
        return text
    hours = (now - moment).total_seconds() / 3600
    return f"{text} ({hours:.0f} h ago)" if hours < 72 else f"{text} ({hours / 24:.0f} days ago)"

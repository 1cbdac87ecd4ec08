"""What `digest why` answers, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.arxiv.calendar import earliest_announcement
from digest.composing import WELCOME_PAPERS
from digest.explaining import Explanation, Verdict, explain
from digest.notation import address_key
from digest.papers import Paper
from digest.preferences import adapted
from digest.schedule import is_paused, mailing_after
from digest.store import Fate, MailingState, Posting, Sighting, Store
from digest.subscribers import Subscriber

_WORDS_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a paper stands to one reader's keywords, and in a line each what became of it."""

    reader: Subscriber
    explanation: Explanation
    outcome: tuple[str, ...]


def answer_for(
    reader: Subscriber,
    paper: Paper,
    sighting: Sighting | None,
    store: Store,
    *,
    lookback: timedelta,
    now: datetime,
) -> Answer:
    """`reader` is as subscribers.toml has them. Raises `StateError` when the state cannot be read."""
    preferences = store.preferences_of(reader.email)
    reader = adapted(reader, preferences) or reader
    explanation = explain(reader, paper)
    fate = store.fate(paper.id, reader.email)
    standing = store.standings([reader.email]).get(address_key(reader.email))
    if fate.postings:
        outcome = tuple(map(_posted, fate.postings))
    elif preferences.left_at is not None:
        outcome = (f"Not mailed: they unsubscribed {_moment(preferences.left_at)}",)
    elif not explanation.is_wanted:
        outcome = tuple(_unwanted(explanation))
    elif muted := _muted(reader, explanation):
        outcome = (f"Not mailed: they muted {_listed(muted)}",)
    elif standing is None:
        outcome = ("Not mailed: they were added since the last run, and the next one takes them up",)
    elif standing.is_suppressed:
        outcome = (f"Not mailed: the address takes no mail; `digest resume {reader.email}` lifts that",)
    elif sighting is None:
        outcome = (_unseen(paper, lookback, now),)
    else:
        outcome = (_unposted(reader, sighting, fate, now),)
    return Answer(reader=reader, explanation=explanation, outcome=outcome)


def history(paper: Paper, sighting: Sighting | None) -> tuple[str, ...]:
    """When the paper was submitted, announced and first seen."""
    lines = [paper.abs_url]
    if paper.submitted_at:
        announced_at = earliest_announcement(paper.submitted_at)
        lines.append(f"submitted {_moment(paper.submitted_at)}")
        lines.append(f"announced {_moment(announced_at)} by arXiv's calendar, unless it was held back")
    if sighting is None:
        lines.append("never seen here")
    elif sighting.seen_at:
        lines.append(f"first seen here {_moment(sighting.seen_at)}")
    else:
        lines.append("seen here")
    return tuple(lines)


def evidence(verdict: Verdict) -> str:
    """Where a keyword finds the paper and by which words, or what is missing."""
    if verdict.match is None:
        return "; ".join(verdict.missing)
    return f"{', '.join(verdict.match.fields)}: {_listed(verdict.match.words)}"


def _posted(posting: Posting) -> str:
    digest = f"the digest of {_moment(posting.planned_at)} (v{posting.version})"
    said = f"; the last answer: {posting.reply}" if posting.reply else ""
    match posting.state:
        case MailingState.SENT:
            at = f" at {_moment(posting.concluded_at)}" if posting.concluded_at else ""
            return f"Sent in {digest}{at}{said}"
        case MailingState.MERGED:
            return f"Merged: {digest} was not delivered, and its papers went into the next one{said}"
        case MailingState.FAILED:
            return f"Given up: {digest} was not delivered before they left{said}"
        case MailingState.SUPPRESSED:
            return f"Suppressed: {digest} waits, since the address takes no mail{said}"
        case _ if not posting.attempts:
            return f"Waiting in {digest}, which was not tried yet{said}"
        case _:
            times = "once" if posting.attempts == 1 else f"{posting.attempts} times"
            again = f", again due {_moment(posting.due_at)}" if posting.due_at else ""
            return f"Waiting in {digest}, tried {times}{again}{said}"


def _unwanted(explanation: Explanation) -> list[str]:
    if not any(verdict.match for verdict in explanation.verdicts):
        return ["Not mailed: no keyword of theirs finds it"]
    lines = [
        f"Not mailed: they exclude {match.query.text}, and it has {_listed(match.words)}"
        for match in explanation.excluded_by
    ]
    if explanation.is_elsewhere:
        lines.append("Not mailed: it is in none of the categories that they want")
    return lines


def _muted(reader: Subscriber, explanation: Explanation) -> list[str]:
    """The muted keywords that find the paper, unless another one does too."""
    found = [verdict.keyword for verdict in explanation.verdicts if verdict.match]
    muted = [keyword.text for keyword in found if keyword.query.key in reader.muted]
    return muted if len(muted) == len(found) else []


def _unseen(paper: Paper, lookback: timedelta, now: datetime) -> str:
    if paper.submitted_at and paper.submitted_at < now - lookback:
        return f"Not mailed: it is older than the {lookback.days} days that fetches look back"
    if paper.submitted_at and (announced_at := earliest_announcement(paper.submitted_at)) > now:
        return f"Coming: it will be announced {_moment(announced_at)}"
    return "Coming: no fetch has brought it yet, and the next one looks for it"


def _unposted(reader: Subscriber, sighting: Sighting, fate: Fate, now: datetime) -> str:
    """Of a paper that was seen and is for them, and that no mailing on record brought."""
    if set(fate.pending_keys) - set(fate.backlog_keys):
        pause = f", after their pause until {reader.rhythm.paused_until}" if is_paused(now, reader) else ""
        return f"Coming in the next digest: they are mailed next {_moment(mailing_after(now, reader))}{pause}"
    if fate.backlog_keys:
        return (
            "Not mailed: it was there before they followed this; a first digest brings the newest"
            f" {WELCOME_PAPERS} of what was there"
        )
    if not {keyword.query.key for keyword in reader.keywords} & set(sighting.query_keys):
        return "Coming: the keyword that finds it has not been fetched yet"
    return "Dealt with: a filter of that time refused it, or its mailing is forgotten, after 90 days"


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_WORDS_SHOWN])
    return shown if len(words) <= _WORDS_SHOWN else f"{shown} and {len(words) - _WORDS_SHOWN} more"


def _moment(moment: datetime) -> str:
    return f"{moment:%a %Y-%m-%d %H:%M} UTC"

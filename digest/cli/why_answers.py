"""The answers of `digest why`, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.cli.why_place import place_in
from digest.cli.why_prospects import format_moment, prospects
from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.model.paper import Paper
from digest.pipeline.compose import WELCOME_PAPERS, compose
from digest.pipeline.compose_job import in_order_of_interest
from digest.pipeline.explain import Explanation, Verdict, explain
from digest.pipeline.news import news_for
from digest.pipeline.schedule import is_paused, mailing_after
from digest.sources.arxiv.calendar import earliest_announcement
from digest.storage.report_stores import HistoryStore
from digest.storage.values import DeliveryHistory, MailingRecord, MailingState, PaperHistory, SubscriberStatus
from digest.subscribers.preferences import adapted
from digest.subscribers.subscriber import Keyword, Subscriber

_WORDS_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Which of a subscriber's keywords match a paper, and what happened to it, one line for each fact."""

    subscriber: Subscriber
    explanation: Explanation
    outcome: tuple[str, ...]


def answer_for(
    subscriber: Subscriber,
    paper: Paper,
    paper_history: PaperHistory | None,
    store: HistoryStore,
    *,
    lookback: timedelta,
    now: datetime,
) -> Answer:
    """`subscriber` is as in subscribers.toml. Raises `StateError` when the state cannot be read."""
    preferences = store.preferences_of(subscriber.email)
    subscriber = adapted(subscriber, preferences) or subscriber
    explanation = explain(subscriber, paper)
    delivery_history = store.delivery_history(paper.id, subscriber.email)
    subscriber_status = store.subscriber_statuses([subscriber.email]).get(address_key(subscriber.email))
    if delivery_history.postings:
        mailed = store.last_digest_with(paper.id, subscriber.email)
        outcome = (*map(_posted, delivery_history.postings), *_placed(mailed, paper, store))
    elif preferences.left_at is not None:
        outcome = (f"Not mailed: this subscriber unsubscribed {format_moment(preferences.left_at)}",)
    elif delivery_history.is_seen_elsewhere:
        outcome = ("Not mailed: `digest import` marked it as seen; it will not be sent",)
    elif not explanation.is_wanted:
        outcome = tuple(_unwanted(explanation))
    elif muted := _muted(subscriber, explanation):
        outcome = (f"Not mailed: this subscriber muted {_listed(muted)}",)
    elif subscriber_status is None:
        outcome = ("Not mailed: this subscriber was added after the last run; the next run includes them",)
    elif subscriber_status.is_suppressed:
        outcome = (f"Not mailed: the address is suppressed; `digest resume {subscriber.email}` ends that",)
    else:
        case = _Case(subscriber, subscriber_status, paper, explanation, delivery_history, paper_history)
        outcome = _unposted(case, store, lookback, now)
    return Answer(subscriber=subscriber, explanation=explanation, outcome=outcome)


def history(paper: Paper, paper_history: PaperHistory | None) -> tuple[str, ...]:
    """When the paper was submitted, announced and first seen."""
    lines = [paper.abs_url]
    if paper.submitted_at:
        announced_at = earliest_announcement(paper.submitted_at)
        lines.append(f"submitted {format_moment(paper.submitted_at)}")
        lines.append(
            f"announced {format_moment(announced_at)} by arXiv's calendar, unless arXiv held it back"
        )
    if paper_history is None:
        lines.append("not fetched yet")
    elif paper_history.seen_at:
        lines.append(f"first fetched {format_moment(paper_history.seen_at)}")
    else:
        lines.append("fetched")
    return tuple(lines)


def evidence(verdict: Verdict) -> str:
    """In which fields and by which words a keyword matches the paper, or what is missing."""
    if verdict.match is None:
        return "; ".join(verdict.missing)
    return f"{', '.join(verdict.match.fields)}: {_listed(verdict.match.words)}"


def _posted(posting: MailingRecord) -> str:
    digest = f"the digest of {format_moment(posting.planned_at)} (v{posting.version})"
    said = f"; last reply of the mail server: {posting.reply}" if posting.reply else ""
    match posting.state:
        case MailingState.SENT:
            at = f" at {format_moment(posting.concluded_at)}" if posting.concluded_at else ""
            return f"Sent in {digest}{at}{said}"
        case MailingState.MERGED:
            return f"Merged: {digest} was not delivered; its papers went into the next digest{said}"
        case MailingState.FAILED:
            return f"Cancelled: {digest} was not delivered before the subscriber left{said}"
        case MailingState.SUPPRESSED:
            return f"Suppressed: {digest} waits because the address is suppressed{said}"
        case _ if not posting.attempts:
            return f"Waiting in {digest}, not tried yet{said}"
        case _:
            times = "once" if posting.attempts == 1 else f"{posting.attempts} times"
            again = f", next try {format_moment(posting.due_at)}" if posting.due_at else ""
            return f"Waiting in {digest}, tried {times}{again}{said}"


def _placed(digest: Digest | None, paper: Paper, store: HistoryStore) -> tuple[str, ...]:
    """Where the paper is in the digest, and why there."""
    place = place_in(digest, paper.id, store.judgements(digest.email)) if digest else None
    return (place,) if place else ()


def _unwanted(explanation: Explanation) -> list[str]:
    if not any(verdict.match for verdict in explanation.verdicts):
        return ["Not mailed: no keyword matches it"]
    lines = [
        f"Not mailed: excluded by {match.query.text}; it contains {_listed(match.words)}"
        for match in explanation.excluded_by
    ]
    if explanation.is_elsewhere:
        lines.append("Not mailed: it is in none of the subscriber's categories")
    return lines


def _muted(subscriber: Subscriber, explanation: Explanation) -> list[str]:
    """The muted keywords that match the paper; none if another keyword matches too."""
    found = [verdict.keyword for verdict in explanation.verdicts if verdict.match]
    muted = [keyword.label for keyword in found if keyword.query.key in subscriber.muted]
    return muted if len(muted) == len(found) else []


@dataclass(frozen=True, slots=True)
class _Case:
    """A paper that a subscriber wants and that no stored mailing contains."""

    subscriber: Subscriber
    subscriber_status: SubscriberStatus
    paper: Paper
    explanation: Explanation
    delivery_history: DeliveryHistory
    paper_history: PaperHistory | None


def _unposted(case: _Case, store: HistoryStore, lookback: timedelta, now: datetime) -> tuple[str, ...]:
    coming = _next_digest(case, store, lookback, now) if case.delivery_history.pending_keys else None
    if coming is not None:
        subscriber = case.subscriber
        pause = (
            f", after the pause until {subscriber.send_schedule.paused_until}"
            if is_paused(now, subscriber)
            else ""
        )
        at = format_moment(mailing_after(now, subscriber, case.subscriber_status))
        return (f"Coming in the next digest, {at}{pause}", *_placed(coming, case.paper, store))
    if set(case.delivery_history.backlog_keys) - case.subscriber.muted:
        first = f"a first digest has only the newest {WELCOME_PAPERS} of the older papers"
        return (f"Not mailed: it is older than this subscription; {first}",)
    if missing := _not_found_yet(case):
        return prospects(
            case.paper, missing, store.coverage(), store.fetched_at(), lookback=lookback, now=now
        )
    return ("Handled earlier: a filter excluded it then, or its mailing was deleted after 90 days",)


def _next_digest(case: _Case, store: HistoryStore, lookback: timedelta, now: datetime) -> Digest | None:
    """The digest that is composed now, as far as the state knows; `None` if it does not contain the paper."""
    news = news_for(store, case.subscriber.email, backlog_since=now - lookback)
    digest = compose(
        case.subscriber,
        news.hits,
        planned_at=now,
        is_first=False,
        revisions=news.revisions,
        changes=news.changes,
    )
    papers = [entry.paper for entry in digest.entries] if digest else []
    papers += [revision.paper for revision in digest.revisions] if digest else []
    if digest is None or case.paper.id not in {paper.id for paper in papers}:
        return None
    return in_order_of_interest(store, case.subscriber, digest)


def _not_found_yet(case: _Case) -> list[Keyword]:
    """The keywords that match the paper, if no fetch has found it for any of them; else none."""
    known = case.paper_history.query_keys if case.paper_history else ()
    found = [verdict.keyword for verdict in case.explanation.verdicts if verdict.match]
    heard = [keyword for keyword in found if keyword.query.key not in case.subscriber.muted]
    return heard if not any(keyword.query.key in known for keyword in heard) else []


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_WORDS_SHOWN])
    return shown if len(words) <= _WORDS_SHOWN else f"{shown} and {len(words) - _WORDS_SHOWN} more"

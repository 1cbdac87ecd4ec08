"""What tests do with a store, as a run of `digest` does it."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from sqlite_utils import Database

from digest.keywords.query import parse
from digest.model.digest import Digest
from digest.pipeline.compose import compose
from digest.pipeline.news import news_for
from digest.storage.base import Store
from digest.storage.signups import NewSignup, SignupLimits
from digest.storage.sqlite.migrations import migrations
from digest.storage.values import DeliveryResult, Mailing, MailingState, Matched, News, Served
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber, moment

NOW = moment("2026-06-16 07:00")
LONG_AGO = moment("2026-01-01 00:00")
LEASE = timedelta(minutes=10)


def older_state(path: Path) -> None:
    """As a version of before the last migration left it."""
    with closing(sqlite3.connect(path)) as connection, connection, closing(Database(memory=True)) as empty:
        last = migrations.pending(empty)[-1].name
        migrations.apply(Database(connection), stop_before=last)


def key(text: str) -> str:
    return parse(text).key


def found(arxiv_id: str, *keywords: str, version: int = 1, submitted: str = "2026-06-15 10:00") -> Matched:
    paper = invented_paper(arxiv_id, version=version, submitted=submitted)
    return Matched(paper=paper, query_keys=tuple(map(key, keywords)))


def record(store: Store, *papers: Matched, covered: tuple[str, ...], now: datetime = NOW) -> int:
    return store.record(papers, covered=dict.fromkeys(map(key, covered), LONG_AGO), now=now)


def news_of(store: Store, email: str = "ada@example.org", since: datetime = LONG_AGO) -> News:
    return news_for(store, email, backlog_since=since)


def served(news: News, digest: Digest | None, *, now: datetime = NOW, merges: tuple[int, ...] = ()) -> Served:
    """Closes a sending time by `digest`, as it was composed from `news`."""
    assert news.standing
    return Served(standing=news.standing, slot_at=now, frontier=news.frontier, digest=digest, merges=merges)


def profile_of(store: Store, email: str) -> bytes | None:
    return store.profiles_of([email]).get(email)


def new_for(store: Store, email: str = "ada@example.org", since: datetime = LONG_AGO) -> set[tuple[str, str]]:
    hits = news_of(store, email, since).hits
    return {(hit.paper.id, hit.query_key) for hit in hits}


def enqueue(
    store: Store, subscriber: Subscriber, now: datetime = NOW, since: datetime = LONG_AGO
) -> Digest | None:
    news = news_of(store, subscriber.email, since)
    digest = compose(subscriber, news.hits, planned_at=now, is_first=False, revisions=news.revisions)
    assert store.enqueue([served(news, digest, now=now)]) == (digest is not None)
    return digest


def with_news(store: Store, *emails: str) -> set[str]:
    subscriber_statuses = store.subscriber_statuses(emails or ("ada@example.org", "bo@example.org"))
    return {email for email, subscriber_status in subscriber_statuses.items() if subscriber_status.has_news}


def claim(store: Store, *, now: datetime = NOW, limit: int = 5) -> tuple[Mailing, ...]:
    return store.claim(now=now, until=now + LEASE, limit=limit)


def record_results(
    store: Store,
    mailing: Mailing,
    state: MailingState,
    reply: str,
    *,
    due_at: datetime | None = None,
    holder: str | None = None,
) -> None:
    one = DeliveryResult(number=mailing.number, state=state, reply=reply, due_at=due_at)
    store.record_results([one], now=NOW, holder=holder)


def ids(digest: Digest | None) -> set[str]:
    return {entry.paper.id for entry in digest.entries} if digest else set()


def outbox_of(store: Store, *emails: str) -> None:
    subscribers = [make_subscriber(email, "tea") for email in emails]
    store.enrol(subscribers, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    for one in subscribers:
        enqueue(store, one)


def lines(digest: Digest | None) -> set[tuple[str, int, int]]:
    revisions = digest.revisions if digest else ()
    return {(one.paper.id, one.from_version, one.paper.version) for one in revisions}


def sign_up(store: Store, *emails: str, now: datetime = NOW, limit: int = 100) -> None:
    """As by the form, with one keyword. No more than `limit` are taken."""
    limits = SignupLimits(per_hour=limit, per_network=limit)
    for email in emails:
        content = json.dumps({"email": email, "keywords": ["tea"]})
        store.sign_up(NewSignup(email=email, content=content), network="", limits=limits, now=now)


def sign_up_three(store: Store, now: datetime = NOW) -> None:
    """Two sign-ups wait, one of them with its mail, and a third one was over the limits."""
    sign_up(store, "di@example.org", "eli@example.org", "flo@example.org", now=now, limit=2)
    store.note_signup_mail(store.signup_mails(now=now)[0].number, due_at=None, sent_at=now)

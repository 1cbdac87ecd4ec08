"""The web pages over a real state, asked over HTTP on loopback."""

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from aiohttp import ClientSession

from digest.config.admin_settings import Admin
from digest.config.settings import Defaults, Settings
from digest.config.web_settings import Web
from digest.mail.links import Links, links_for
from digest.model.paper import Paper
from digest.pipeline.compose import compose
from digest.service.admin_report import admin_setup_for
from digest.service.bootstrap import Setup
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing, Matched
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.stored import EntryStore, StoredSubscribers
from digest.subscribers.subscriber import Subscriber
from digest.web.metrics import Metrics
from digest.web.server import serving
from tests.factories import invented_paper, make_subscriber, moment
from tests.stores import news_of, served

BASE = "https://digest.example.org"
ADA = make_subscriber("ada@example.org", "tea", "milk")
BO = make_subscriber("bo@example.org", "tea")
NOW = moment("2026-06-16 07:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(slots=True, kw_only=True)
class Town:
    """A server, its state, and somebody who asks it."""

    path: Path
    store: SqliteStore
    session: ClientSession
    address: str
    metrics: Metrics
    subscribers: list[Subscriber]
    now: datetime = NOW
    own_headers: dict[str, str] = field(default_factory=dict)

    async def get(self, url: str, **headers: str) -> Answer:
        return await self.ask("GET", url, headers=headers)

    async def post(self, url: str, data: object = None) -> Answer:
        return await self.ask("POST", url, data=data)

    async def ask(
        self, method: str, url: str, *, data: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {
            **self.own_headers,
            **{name.replace("_", "-"): text for name, text in (headers or {}).items()},
        }
        url = self.address + url.removeprefix(BASE)
        async with self.session.request(
            method, url, data=data, headers=sent, allow_redirects=False
        ) as response:
            return Answer(status=response.status, headers=response.headers, body=await response.text())

    def state(self) -> list[str]:
        """All that the state file holds."""
        with closing(sqlite3.connect(self.path)) as connection:
            return list(connection.iterdump())

    def enrol(self) -> None:
        self.store.enrol(self.subscribers, now=self.now, current_since=self.now)

    def found(self, *papers: Paper, keyword: str = "tea") -> None:
        """These papers turn up."""
        keys = {one.query.key for subscriber in self.subscribers for one in subscriber.keywords}
        key = next(
            one.query.key
            for subscriber in self.subscribers
            for one in subscriber.keywords
            if one.text == keyword
        )
        self.store.record(
            [Matched(paper=paper, query_keys=(key,)) for paper in papers],
            covered=dict.fromkeys(keys, moment("2026-01-01 00:00")),
            now=self.now,
        )

    def mail(self, subscriber: Subscriber = ADA, *, near: tuple[Paper, ...] = ()) -> Mailing:
        """The next digest of that subscriber, as it is claimed for sending; it waits on."""
        news = news_of(self.store, subscriber.email, moment("2026-01-01 00:00"))
        digest = compose(subscriber, news.hits, planned_at=self.now, is_first=False, revisions=news.revisions)
        digest = digest and replace(digest, near=near)
        self.store.enqueue([served(news, digest, now=self.now)])
        claimed = self.store.claim(now=self.now, until=self.now, limit=1_000)
        self.store.release([one.number for one in claimed], now=self.now)
        return next(one for one in reversed(claimed) if one.digest.email == subscriber.email)

    def links(self, subscriber: Subscriber = ADA, number: str = "2606.00001") -> Links:
        """Where a mail to that subscriber leads."""
        self.found(invented_paper(number, "On tea"))
        return links_for(BASE, self.store)(self.mail(subscriber))


@asynccontextmanager
async def serving_town(
    folder: Path,
    all_subscribers: Sequence[Subscriber] = (ADA, BO),
    directory: Callable[[EntryStore], SubscriberDirectory] | None = None,
    admin: object = None,
    **web: object,
) -> AsyncIterator[Town]:
    """Entries are changed in `directory`, without one in the state."""
    path, metrics = folder / "digest.db", Metrics()
    settings = Web.model_validate({"base_url": BASE, "listen": "127.0.0.1:0", **web})
    subscribers = list(all_subscribers)
    setup = Setup(
        config_file=None,
        settings=Settings(
            subscribers="database", state=path, web=settings, admin=Admin.model_validate(admin or {})
        ),
        subscribers=(),
        fingerprint=(),
    )
    with SqliteStore(path) as store:
        town: Town
        async with (
            serving(
                settings,
                path,
                lambda: town.subscribers,
                directory or stored_directory,
                clock=lambda: town.now,
                metrics=metrics,
                admin=admin_setup_for(
                    lambda: replace(setup, subscribers=tuple(subscribers)), lambda: town.now
                ),
                defaults=Defaults(),
            ) as address,
            ClientSession() as session,
        ):
            town = Town(
                path=path,
                store=store,
                session=session,
                address=address,
                metrics=metrics,
                subscribers=subscribers,
            )
            town.enrol()
            yield town


def stored_directory(store: EntryStore) -> SubscriberDirectory:
    return StoredSubscribers(
        Defaults(), reading=lambda: nullcontext(store), changing=lambda: nullcontext(store)
    )


def written(title: str, number: int = 1) -> Paper:
    return replace(invented_paper(f"2606.{number:05}"), title=title)


def told(body: str) -> str:
    """What a page says, without its elements and style."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", body, flags=re.S).split())

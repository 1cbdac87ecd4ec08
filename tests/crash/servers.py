"""An arXiv and a mail server in this process, a little slow, that see what a killed process was doing."""

import asyncio
import random
import re
from binascii import a2b_qp
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.integration.arxiv_server import Reply, entry, feed
from tests.ports import smtp_server

TOPICS = ("gnomes", "walks", "kettles", "marbles", "ladders", "harbours", "lanterns", "puddles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A paper on some of the topics, and when arXiv shows it for the first time."""

    id: str
    topics: tuple[str, ...]
    at: datetime


def invented_days(first: datetime, days: int, chance: random.Random) -> tuple[Announced, ...]:
    """A few papers a day, an hour before the moments `first`, `first` + 1 day, …"""
    return tuple(
        Announced(
            id=f"{at:%y%m}.{at.day * 100 + number:05}",
            topics=tuple(sorted(chance.sample(TOPICS, chance.randint(1, 3)))),
            at=at,
        )
        for day in range(days)
        for number in range(3)
        for at in (first + timedelta(days=day, hours=-1),)
    )


@dataclass(slots=True)
class Days:
    """What the search API finds at `now` in the days it is asked for; each answer takes a while."""

    papers: Sequence[Announced]
    now: datetime
    chance: random.Random
    seconds: tuple[float, float] = (0.05, 0.15)

    def reply(self) -> Reply:
        async def reply(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(self.chance.uniform(*self.seconds))
            search = str({**request.query, **(await request.post())}["search_query"])
            low, high = _window(search)
            known = [paper for paper in self.papers if low <= paper.at <= min(high, self.now)]
            entries = [
                entry(
                    f"{paper.id}v1",
                    title=f"On {' and '.join(paper.topics)}",
                    abstract="We say nothing of other topics.",
                    submitted_at=paper.at,
                )
                for paper in reversed(known)
            ]
            return web.Response(text=feed(*entries), content_type="application/atom+xml")

        return reply


def _window(search: str) -> tuple[datetime, datetime]:
    found = re.search(r"submittedDate:\[(\d{12}) TO (\d{12})\]$", search)
    assert found
    low, high = (datetime.strptime(end, "%Y%m%d%H%M").replace(tzinfo=UTC) for end in found.groups())
    return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A mail for which the server had the final dot, and in which run of the process its connection began.

    `connection` is the port at the other end; `at` is on the clock of event loops.
    """

    run: int
    connection: int
    at: float
    recipient: str
    message: bytes

    @property
    def message_id(self) -> str:
        found = re.search(rb"^Message-ID: (\S+)", self.message, re.MULTILINE)
        assert found
        return found[1].decode()

    def papers(self) -> frozenset[str]:
        """By its links: thousands of mails are to be read, and their form is looked at elsewhere."""
        links = re.findall(rb"https://arxiv\.org/abs/([\d.]+\d)", a2b_qp(self.message))
        return frozenset(link.decode() for link in links)


@dataclass(slots=True)
class Mailbox:
    """The handler of a real SMTP server: takes every mail unless it is down, and a moment later says so."""

    chance: random.Random
    run: int = 0
    is_down: bool = False
    delivered: list[Delivered] = field(default_factory=list)
    seconds: float = 0.003
    """The longest time that it takes before it has a mail, and again before it says so."""
    _run_of: dict[int, int] = field(default_factory=dict)

    def latest(self) -> list[Delivered]:
        """The mails of the present run."""
        return [mail for mail in self.delivered[-1000:] if mail.run == self.run]

    async def handle_EHLO(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self._run_of[_port(session)] = self.run
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.is_down:
            return "421 4.3.2 not now"
        envelope.mail_from = address
        return "250 sender taken"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.chance.uniform(0, self.seconds))
        assert isinstance(envelope.content, bytes)
        (recipient,) = envelope.rcpt_tos
        self.delivered.append(
            Delivered(
                run=self._run_of[_port(session)],
                connection=_port(session),
                at=asyncio.get_running_loop().time(),
                recipient=recipient,
                message=envelope.content,
            )
        )
        await asyncio.sleep(self.chance.uniform(0, self.seconds))
        return "250 taken"


def _port(session: Session) -> int:
    assert isinstance(session.peer, tuple)
    return int(session.peer[1])


@contextmanager
def mailbox(chance: random.Random) -> Iterator[tuple[int, Mailbox]]:
    """The SMTP server's port on loopback, and what it takes."""
    handler = Mailbox(chance)
    with smtp_server(handler) as port:
        yield port, handler

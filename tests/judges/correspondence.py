"""The mails that are judged: three days of an installation, its subscribers chosen for short and long
digests.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from bench.papers import invented_papers
from digest.demo.arxiv import Announcement, LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, FIRST_MORNING
from tests.acceptance.installation import Installation, paper_ids, simulator

BASE = "https://digest.example.org"
SENDER = "digest@lab.example"

_SIZES = (1, 20, 120)
_INVENTED_SUBSCRIBERS = {
    "ada@readers.example": ["umbrella"],
    "bruno@readers.example": ["lullaby", "exoplanet"],
    "cy@readers.example": ["cartography", "lullaby", "umbrella", "reinforcement learning", "honey bee"],
}
_REAL_SUBSCRIBERS = {
    "ada@readers.example": ["exoplanet"],
    "bruno@readers.example": ["graph neural network", "point cloud", "neutrino", "neural operator"],
    "cy@readers.example": ["agent", "federated learning", "compiler"],
}
_REAL_DAYS = ("2026-06-09", "2026-06-10", "2026-06-11", "2026-06-12")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One digest as it was sent; `name` says which, in what a judge finds fault with."""

    name: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def part(self, kind: str) -> str:
        """The `plain` text or the `html`."""
        body = self.message.get_body((kind,))
        assert body is not None
        text: str = body.get_content()
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondence:
    """An installation after its days, and of its mails those that are judged."""

    installation: Installation
    mails: tuple[Mail, ...]

    @property
    def longest(self) -> Mail:
        return self.mails[-1]


def invented_days(folder: Path) -> Correspondence:
    """The days of the demo, and one more with 120 papers."""
    return asyncio.run(_invented_days(folder))


async def _invented_days(folder: Path) -> Correspondence:
    days = [FIRST_MORNING + timedelta(days=number) for number in range(3)]
    announcements = (*ANNOUNCEMENTS, *_a_full_evening(days[-1] - timedelta(hours=7)))
    async with LocalArxiv(announcements, FIRST_MORNING) as arxiv:
        installation = _installation(folder, _INVENTED_SUBSCRIBERS, arxiv__api_url=arxiv.url)
        for arxiv.now in days:
            await asyncio.to_thread(installation.run, arxiv.now.isoformat())
    return _correspondence(installation)


def real_days(folder: Path) -> Correspondence:
    """Four days of real papers, the first of which only brings what subscribers are welcomed with."""
    with simulator() as arxiv:
        installation = _installation(
            folder,
            _REAL_SUBSCRIBERS,
            arxiv__api_url=f"{arxiv.url}/api/query",
            arxiv__oai_url=f"{arxiv.url}/oai",
            arxiv__feed_url=f"{arxiv.url}/atom",
        )
        for day in _REAL_DAYS:
            arxiv.tell(now=f"{day}T12:00:00Z")
            installation.run(f"{day}T12:30:00Z")
    return _correspondence(installation)


def _a_full_evening(announced_at: datetime) -> list[Announcement]:
    """120 papers about cartography, of which 20 are lullabies and one is about an umbrella."""
    words = {0: "an umbrella, a lullaby and ", **dict.fromkeys(range(1, _SIZES[1]), "a lullaby and ")}
    return [
        Announcement(
            paper=replace(
                paper,
                title=f"On {words.get(number, '')}cartography: {paper.title}",
                submitted_at=announced_at - timedelta(hours=9, minutes=number),
                updated_at=announced_at - timedelta(hours=9, minutes=number),
            ),
            announced_at=announced_at,
        )
        for number, paper in enumerate(invented_papers(_SIZES[-1]))
    ]


def _installation(folder: Path, all_subscribers: Mapping[str, Sequence[str]], **arxiv: str) -> Installation:
    subscribers = "".join(
        f'[[subscriber]]\nemail = "{email}"\nkeywords = {json.dumps(keywords)}\nreplacements = "section"\n'
        for email, keywords in all_subscribers.items()
    )
    return Installation(
        folder,
        subscribers,
        web__base_url=BASE,
        web__listen="127.0.0.1:0",
        smtp__sender=SENDER,
        delivery__transport="maildir",
        delivery__maildir=folder / "Maildir",
        defaults__timezone="UTC",
        **arxiv,
    )


def _correspondence(installation: Installation) -> Correspondence:
    """Of its mails a first digest, one with new versions, and the nearest to 1, 20 and 120 papers."""
    files = sorted((installation.folder / "Maildir" / "new").iterdir())
    mails = sorted((_named(file.read_bytes()) for file in files), key=lambda mail: mail.name)
    later = [mail for mail in mails if not _has("Welcome!")(mail)]
    chosen = [
        next(filter(_has("Welcome!"), mails)),
        next(filter(_has("New versions of papers"), later)),
        *(min(later, key=lambda mail: abs(_count(mail) - size)) for size in _SIZES),
    ]
    for mail, size in zip(chosen[-len(_SIZES) :], _SIZES, strict=True):
        assert abs(_count(mail) - size) * 20 <= size, mail.name
    return Correspondence(installation=installation, mails=tuple(dict.fromkeys(chosen)))


def _named(content: bytes) -> Mail:
    mail = Mail(name="", content=content)
    message = mail.message
    day = message["Date"].datetime.astimezone(UTC)
    return replace(mail, name=f"{day:%Y-%m-%d}-{message['To'].addresses[0].username}-{_count(mail)}")


def _count(mail: Mail) -> int:
    """How many papers it brings; those of which there is a new version count as well."""
    return len(paper_ids(mail.message))


def _has(words: str) -> Callable[[Mail], bool]:
    return lambda mail: words in mail.part("plain")

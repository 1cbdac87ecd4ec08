"""What the machine's loopback leads to: a small arXiv, and a mail server that wants a login."""

import asyncio
import base64
import ctypes
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from digest.demo.arxiv import Announcement, LocalArxiv
from tests.crash.networks import forwarded
from tests.factories import invented_paper
from tests.integration.mail_server import Answer, MailServer, serving

USERNAME, PASSWORD = "digest@example.org", "brewed in the pot"
_CLONE_NEWNET = 0x40000000  # setns(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """The arXiv has one paper, on tea, that was announced two days ago."""

    arxiv: LocalArxiv
    post: MailServer
    outside: tuple[str, int, int]
    """For other machines: an address, and the ports of arXiv and of the mail server there."""

    def mails_to(self, email: str) -> int:
        return sum(mail.recipient == email for mail in self.post.accepted)

    @property
    def logins(self) -> set[str]:
        """What clients said after AUTH PLAIN."""
        return {
            base64.b64decode(line.split()[2]).decode()
            for line in self.post.commands
            if line.startswith("AUTH PLAIN ")
        }

    def configuration(self) -> str:
        return f"""\
[arxiv]
contact = "lab@example.org"
api_url = "{self.arxiv.url}"
request_interval = 0
retry_pause = 1

[smtp]
host = "127.0.0.1"
port = {self.post.port}
security = "none"
username = "{USERNAME}"

[defaults]
timezone = "UTC"
"""

    def configuration_outside(self) -> str:
        """For other machines, where no login goes over the network, which is not encrypted."""
        address, arxiv, post = self.outside
        return f"""\
[arxiv]
contact = "lab@example.org"
api_url = "http://{address}:{arxiv}/api/query"
oai_url = "http://{address}:{arxiv}/oai"
feed_url = "http://{address}:{arxiv}/feed"
retry_pause = 1

[smtp]
host = "{address}"
port = {post}
security = "none"
allow_plaintext = true

[defaults]
timezone = "UTC"
"""


@contextmanager
def town_at(
    leader: int, answers: Mapping[str, Answer | Sequence[Answer]], outside: str = "127.0.0.1"
) -> Iterator[Town]:
    """Serves in the network of the process `leader`, from a thread of this one; `answers` are the post's.

    Other machines reach it at the address `outside`.
    """
    loop = asyncio.new_event_loop()
    founded, stop = threading.Event(), asyncio.Event()
    towns: list[Town] = []

    async def enqueue() -> None:
        _enter_network(leader)
        extensions = ("SIZE 10000000", "8BITMIME", "ENHANCEDSTATUSCODES", "AUTH PLAIN")
        post = MailServer(answers=answers, extensions=extensions)
        async with (
            LocalArxiv([_announcement()], datetime.now(UTC)) as arxiv,
            serving(post),
            forwarded(outside, urlsplit(arxiv.url).port or 0) as arxiv_port,
            forwarded(outside, post.port) as post_port,
        ):
            towns.append(Town(arxiv=arxiv, post=post, outside=(outside, arxiv_port, post_port)))
            founded.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(enqueue(),))
    thread.start()
    try:
        assert founded.wait(10)
        yield towns[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _announcement() -> Announcement:
    announced_at = datetime.now(UTC) - timedelta(days=2)
    submitted = f"{announced_at - timedelta(days=1):%Y-%m-%d %H:%M}"
    paper = invented_paper(f"{announced_at:%y%m}.99001", "On tea", submitted=submitted)
    return Announcement(paper=paper, announced_at=announced_at)


def _enter_network(leader: int) -> None:
    """The sockets that this thread makes from now on are in that process's network."""
    namespace = os.open(Path(f"/proc/{leader}/ns/net"), os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(namespace)

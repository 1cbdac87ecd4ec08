"""The installed command in a folder of its own, and the servers that it talks to."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests import forked
from tests.ports import smtp_server
from tests.processes import started

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
SIMULATOR = SHARED / "arxivsim" / "arxivsim.py"

needs_simulator = pytest.mark.skipif(
    not SIMULATOR.is_file(), reason="the simulated arXiv over real papers is not beside this checkout"
)


@dataclass(slots=True)
class Inbox:
    """What a real SMTP server took; recipients in `refusing` get that reply instead of a mailbox."""

    refusing: dict[str, str] = field(default_factory=dict)
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusing:
            return self.refusing[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails += [(recipient, message) for recipient in envelope.rcpt_tos]
        return "250 taken"

    def take(self) -> dict[str, list[str]]:
        """The ids of the papers in each mail since the last call, by recipient."""
        taken: dict[str, list[str]] = {}
        for recipient, message in self.mails:
            taken.setdefault(recipient, []).extend(paper_ids(message))
        self.mails.clear()
        return taken


def paper_ids(message: EmailMessage) -> list[str]:
    """The papers of a digest, after making sure that text and HTML hold the same ones, in the same order.

    The HTML of a long digest may leave some out, and then says how many.
    """
    found, more = [], 0
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        links = re.findall(
            r"https://arxiv\.org/abs/([\w./-]+?)(?=[\"\s<]|$)", part.get_content(), re.MULTILINE
        )
        found.append(list(dict.fromkeys(links)))
        more = sum(map(int, re.findall(r">And (\d+) more:", part.get_content())))
    assert [one for one in found[0] if one in set(found[1])] == found[1]
    assert len(found[0]) - more == len(found[1])
    assert not list(message.defects)
    return found[0]


@contextmanager
def mail_server() -> Iterator[tuple[int, Inbox]]:
    """A real SMTP server on loopback: its port and what arrives."""
    inbox = Inbox()
    with smtp_server(inbox) as port:
        yield port, inbox


class Simulator:
    """The simulated arXiv, in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def tell(self, **wanted: object) -> dict[str, Any]:
        """Sets the clock or plans faults; returns the state."""
        request = Request(
            f"{self.url}/_sim", json.dumps(wanted).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request) as answer:
            state: dict[str, Any] = json.load(answer)
        return state


@contextmanager
def simulator(*options: str) -> Iterator[Simulator]:
    command = [sys.executable, str(SIMULATOR), "--port", "0", *options]
    with started(*command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Simulator(process.stdout.readline().split()[1])


class Installation:
    """`digest` with a configuration and a state of its own in `folder`."""

    def __init__(self, folder: Path, subscribers: str, **settings: object) -> None:
        self.folder = folder
        (folder / "subscribers.toml").write_text(subscribers)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")}
        self.environ |= {
            "DIGEST_SUBSCRIBERS": str(folder / "subscribers.toml"),
            "DIGEST_STATE": str(folder / "state" / "digest.db"),
            "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
            "DIGEST_ARXIV__RETRY_PAUSE": "0.01",
            **{f"DIGEST_{key.upper()}": str(value) for key, value in settings.items()},
        }

    def __call__(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Runs the command; the caller looks at exit code and output."""
        return forked.run(*arguments, cwd=self.folder, env={**self.environ, **environ})

    def run(self, now: str, *options: str, exit_code: int = 0) -> Mapping[str, Any]:
        """`digest run` as of `now`, and what it reports."""
        done = self("run", "--json", "--now", now, *options)
        assert done.returncode == exit_code, done.stdout + done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

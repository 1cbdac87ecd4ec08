"""Two days of an installation in one folder, with the small arXiv in place of the real one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

from digest.demo.arxiv import LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, FIRST_MORNING, SECOND_MORNING
from digest.model.paper import ArxivId
from digest.pipeline.cycle_report import CycleReport
from digest.service.bootstrap import Setup, build_cycle, load_setup, open_client
from digest.storage.base import Store
from digest.storage.factory import open_store

MAILDIR = "Maildir"
SUBSCRIBERS = "subscribers.toml"

_SUBSCRIBERS_TEXT = """\
[[subscriber]]
email = "ada@example.org"
name = "Ada Okoye"
keywords = ["graph neural network", "reinforcement learning", "compiler"]

[[subscriber]]
email = "bruno@example.org"
name = "Bruno Keller"
keywords = ["reinforcement learning", "exoplanet", "honey bee"]
"""

_CONFIG_TEXT = """\
subscribers = "{subscribers}"
state = "state/digest.db"

[arxiv]
api_url = "{url}"  # the demo's own arXiv, which ended with the demo
request_interval = 0  # the real one wants 3 seconds between requests
retry_pause = 0.1

[smtp]
sender = "digest@example.org"

[delivery]
transport = "maildir"
maildir = "{maildir}"

[defaults]
timezone = "UTC"
"""

_ABS_URL = re.compile(r"https://arxiv\.org/abs/([\w.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail in the Maildir, in `file`; `page` is its HTML part, as a separate file."""

    file: Path
    email: str
    subject: str
    papers: frozenset[ArxivId]
    page: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One cycle; `announced`: how many papers and new versions arXiv announced since the last cycle."""

    at: datetime
    announced: int
    report: CycleReport
    mails: tuple[Mail, ...]


async def live_through(folder: Path) -> tuple[Run, ...]:
    """Runs a cycle on the first morning, one on the second, and at noon a forced repetition.

    Leaves the two files, state and mails in `folder`, which must exist and be empty. Raises `DigestError`.
    """
    moments = (FIRST_MORNING, SECOND_MORNING, SECOND_MORNING + timedelta(hours=5))
    runs: list[Run] = []
    async with LocalArxiv(ANNOUNCEMENTS, FIRST_MORNING) as arxiv:
        setup = _install(folder, arxiv.url)
        with open_store(setup.settings.state) as store:
            for arxiv.now in moments:
                report = await _cycle(setup, store, arxiv.now, force=arxiv.now == moments[-1])
                runs.append(_run_report(folder, arxiv.now, report, runs))
    return tuple(runs)


def _install(folder: Path, url: str) -> Setup:
    """Writes both files. Settings of this machine or its user have no effect on them."""
    config = folder / "digest.toml"
    config.write_text(
        _CONFIG_TEXT.format(url=url, subscribers=SUBSCRIBERS, maildir=MAILDIR), encoding="utf-8"
    )
    (folder / SUBSCRIBERS).write_text(_SUBSCRIBERS_TEXT, encoding="utf-8")
    return load_setup(config, {})


async def _cycle(setup: Setup, store: Store, now: datetime, *, force: bool) -> CycleReport:
    async with open_client(setup.settings) as client:
        cycle = build_cycle(setup, store, clock=lambda: now, client=client)
        return await cycle.run(force=force)


def _run_report(folder: Path, at: datetime, report: CycleReport, earlier: Sequence[Run]) -> Run:
    since = earlier[-1].at if earlier else datetime.min.replace(tzinfo=at.tzinfo)
    known = {mail.file for run in earlier for mail in run.mails}
    new = set((folder / MAILDIR / "new").iterdir()) - known
    return Run(
        at=at,
        announced=sum(since < announcement.announced_at <= at for announcement in ANNOUNCEMENTS),
        report=report,
        mails=tuple(sorted((_mail(file, folder) for file in new), key=lambda mail: mail.email)),
    )


def _mail(file: Path, folder: Path) -> Mail:
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    part = message.get_body(("html",))
    html = part.get_content() if part else ""
    subscriber = message["To"].addresses[0]
    page = folder / f"{message['Date'].datetime:%Y-%m-%d}-{subscriber.username}.html"
    page.write_text(html, encoding="utf-8")
    return Mail(
        file=file,
        email=subscriber.addr_spec,
        subject=message["Subject"],
        papers=frozenset(ArxivId(found) for found in _ABS_URL.findall(html)),
        page=page,
    )

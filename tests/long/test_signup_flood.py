"""10,000 sign-ups from 1,000 networks for 5,000 strangers, as fast as a daemon answers them."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout

from digest.demo.arxiv import Announcement, LocalArxiv
from digest.storage.factory import open_beside
from tests.factories import invented_paper
from tests.forms import form_with, submitted
from tests.integration.mail_server import MailServer, serving
from tests.long.flooded import configure
from tests.processes import started_here
from tests.signup_flood import flood, meanwhile
from tests.waiting import LIMIT, until

pytestmark = pytest.mark.long

SIGNUPS, NETWORKS, STRANGERS = 10_000, 1_000, 5_000
PER_HOUR = 60


@asynccontextmanager
async def daemon(folder: Path, environ: dict[str, str], log: list[str]) -> AsyncIterator[str]:
    """The address of the pages of a daemon, which ends as it should."""
    command = (sys.executable, "-m", "digest", "daemon")
    async with started_here(*command, cwd=folder, env=environ, stderr=asyncio.subprocess.PIPE) as process:
        assert process.stderr
        reading = asyncio.create_task(_read(process.stderr, log))
        await until(lambda: any("web pages served" in line for line in log))
        (address,) = [line.rpartition(" url=")[2].strip() for line in log if "web pages served" in line]
        yield address
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT):
            await process.wait()
            await reading
        assert process.returncode == 0


async def _read(stream: asyncio.StreamReader, log: list[str]) -> None:
    while line := await stream.readline():
        log.append(line.decode())


async def test_strangers_get_few_mails_and_readers_all_of_theirs(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = (now + timedelta(seconds=75)).replace(second=0, microsecond=0)
    due = {f"ada{number}@example.org": first + timedelta(minutes=number) for number in range(2)}
    announced_at = now - timedelta(days=2)
    submitted_at = f"{announced_at - timedelta(days=1):%Y-%m-%d %H:%M}"
    tea = invented_paper(f"{announced_at:%y%m}.99001", "On tea", submitted=submitted_at)
    post, log = MailServer(), list[str]()
    async with LocalArxiv([Announcement(paper=tea, announced_at=announced_at)], now) as arxiv, serving(post):
        environ = configure(tmp_path, arxiv, post, due, web=f'signup = "open"\nsignups_per_hour = {PER_HOUR}')
        async with (
            daemon(tmp_path, environ, log) as address,
            ClientSession(timeout=ClientTimeout(30)) as session,
        ):
            with open_beside(tmp_path / "digest.db") as store:
                token = store.subscriber_token(next(iter(due)))
            async with session.get(f"{address}/join") as answer:
                form = form_with(await answer.text(), "Sign up")

            async def change() -> int:
                page = f"{address}/p/{token}"
                async with session.get(page) as answer:
                    own = form_with(await answer.text(), "Save")
                async with session.post(page, data=submitted(own, "Save", length="full")) as answer:
                    return answer.status

            await asyncio.sleep(4)  # no form is filled in less time
            flooding = asyncio.create_task(
                flood(session, address, form, signups=SIGNUPS, networks=NETWORKS, strangers=STRANGERS)
            )
            readers = await meanwhile(change, flooding, pause=0.5, seconds=20 * LIMIT)
            statuses = await flooding
            await until(lambda: due.keys() <= {one.recipient for one in post.accepted}, 5 * LIMIT)
    assert statuses.total() == SIGNUPS
    assert statuses[200] == PER_HOUR
    assert set(readers) == {200}
    mails = Counter(mail.recipient for mail in post.accepted)
    assert min(mails.pop(email, 0) for email in due) >= 1, log
    assert set(mails.values()) == {1}
    assert len(mails) <= PER_HOUR
    told = "".join(log)
    assert "sign-ups refused" in told
    assert "stranger" not in told
    assert "Traceback" not in told
    assert len(log) < 60

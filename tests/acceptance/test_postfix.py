"""A real Postfix takes 500 digests as they were written down, and what it cannot deliver comes back."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from digest.service.bootstrap import load_setup
from digest.service.mail_setup import build_writer, writer_setup_for
from digest.storage.sqlite.store import SqliteStore
from tests.acceptance.installation import Installation
from tests.acceptance.postfix import (
    BOUNCE_ADDRESS,
    DEAD_DOMAIN,
    SUBSCRIBERS_DOMAIN,
    Postfix,
    postfix,
    wait_for,
    why_not,
)
from tests.factories import moment
from tests.integration.arxiv_server import arxiv_server, entry, feed, says

LACK = why_not()
pytestmark = [pytest.mark.long, pytest.mark.skipif(LACK is not None, reason=str(LACK))]

READERS = tuple(f"reader{number}" for number in range(500))
DEAD = f"nobody@{DEAD_DOMAIN}"
NOW = moment("2026-06-03 12:30")

# In SMTP a line that begins with a dot is written with two; in mailboxes of old ">" stands before "From ".
PAPERS = tuple(
    entry(f"2606.{number:05}v1", title="From gnomes", abstract=". .. From here: … " * 3 * number)
    for number in range(1, 16)
)


def test_500_digests_arrive_as_they_were_written_down_and_a_dead_address_is_suppressed(
    tmp_path: Path,
) -> None:
    with postfix(READERS) as server:
        lab = asyncio.run(_mailed(tmp_path, server))
        wait_for(lambda: sum(bool(server.mailbox(name)) for name in READERS) == len(READERS), server)
        written = _written_down(lab)
        assert len(written) == len(READERS) + 1
        for name in READERS:
            assert server.mailbox(name) == [
                written[f"{name}@{SUBSCRIBERS_DOMAIN}"].replace(b"\r\n", b"\n")
            ], name
        wait_for(server.came_back, server)
        (notification,) = server.came_back()
    told = subprocess.run(
        [sys.executable, "-m", "digest", "bounce"],
        cwd=lab.folder,
        env=lab.environ,
        input=notification,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert f"{DEAD} gets no more mail".encode() in told.stdout
    (suppressed,) = json.loads(lab("suppressions", "--json").stdout)
    assert suppressed["email"] == DEAD
    assert "no such mailbox" in suppressed["cause"]


async def _mailed(folder: Path, server: Postfix) -> Installation:
    """An installation that has sent one digest to each subscriber, and one to the dead address."""
    addresses = (*(f"{name}@{SUBSCRIBERS_DOMAIN}" for name in READERS), DEAD)
    async with arxiv_server(says(feed(*PAPERS))) as arxiv:
        lab = Installation(
            folder,
            "".join(f'[[subscriber]]\nemail = "{email}"\nkeywords = ["gnomes"]\n' for email in addresses),
            arxiv__api_url=arxiv.url,
            smtp__host="127.0.0.1",
            smtp__port=server.port,
            smtp__security="none",
            smtp__sender="digest@lab.example",
            smtp__bounce_address=BOUNCE_ADDRESS,
        )
        report = await asyncio.to_thread(lab.run, NOW.isoformat())
    assert report["digests_sent"] == len(addresses)
    return lab


def _written_down(lab: Installation) -> dict[str, bytes]:
    """For each address the message of its mailing, built from a copy of the state once more."""
    copy = lab.folder / "copy.db"
    shutil.copy(lab.environ["DIGEST_STATE"], copy)
    with closing(sqlite3.connect(copy)) as state:
        state.execute("UPDATE mailing SET state = 'pending', due_at = planned_at")
        state.commit()
    setup = load_setup(None, lab.environ)
    write = build_writer(writer_setup_for(setup.settings))
    with SqliteStore(copy) as store:
        outgoing = [write(mailing) for mailing in store.claim(now=NOW, until=NOW, limit=sys.maxsize)]
    return {mail.recipient: mail.message for mail in outgoing}

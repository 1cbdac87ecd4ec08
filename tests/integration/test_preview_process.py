"""`digest web` and `digest daemon` as processes: what a stranger wants to see is asked of arXiv."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession

from digest.demo.arxiv import Announcement, LocalArxiv
from tests.factories import invented_paper
from tests.integration.web_site import told
from tests.processes import started_here
from tests.waiting import LIMIT

ROOT = Path(__file__).parents[2]


def arxiv_of_late() -> LocalArxiv:
    """One that announced a paper three days ago by the clock of this machine."""
    now = datetime.now(UTC)
    at = now - timedelta(days=3)
    paper = invented_paper("2606.00001", "On coffee", submitted=f"{at - timedelta(days=1):%Y-%m-%d %H:%M}")
    return LocalArxiv([Announcement(paper=paper, announced_at=at)], now + timedelta(minutes=5))


@pytest.mark.parametrize("command", ["web", "daemon"])
async def test_a_stranger_sees_what_arxiv_answers(tmp_path: Path, command: str) -> None:
    (tmp_path / "subscribers.toml").write_text(
        '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n'
    )
    async with arxiv_of_late() as arxiv:
        environ = {
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DIGEST_STATE": str(tmp_path / "digest.db"),
            "DIGEST_ARXIV__API_URL": arxiv.url,
            "DIGEST_WEB__BASE_URL": "https://d.example.org",
            "DIGEST_WEB__LISTEN": "127.0.0.1:0",
            "DIGEST_WEB__SIGNUP": "open",
        }
        async with started_here(
            *(sys.executable, "-m", "digest", command),
            cwd=tmp_path,
            env=environ,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        ) as process:
            address = (await line_with(b"web pages served", process.stderr)).rpartition(" url=")[2]
            if command == "daemon":  # its fetch interrupts a preview, which then waits for a minute
                await line_with(b"asking arXiv next", process.stderr)
            async with ClientSession() as session, asyncio.timeout(LIMIT):
                shown = ""
                while "On coffee" not in shown:
                    async with session.get(f"{address}/join/preview?k=coffee") as answer:
                        assert answer.status == 200
                        shown = told(await answer.text())
                    assert "arXiv did not answer" not in shown
                    await asyncio.sleep(0.1)


async def line_with(words: bytes, log: asyncio.StreamReader | None) -> str:
    assert log
    async with asyncio.timeout(LIMIT):
        while words not in (line := await log.readline()):
            assert line, "the process ended"
    return line.decode().strip()

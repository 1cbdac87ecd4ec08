"""What the log tells the operator of mails that do not go, and when its lines say when they were written."""

import asyncio
import logging
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.pipeline.deliver import deliver
from digest.pipeline.progress import outbox_status
from digest.service.log import is_in_journal
from digest.storage.sqlite.store import SqliteStore
from tests.integration.installation import plain
from tests.integration.mail_server import Answer, MailServer, serving
from tests.processes import started_here
from tests.stores import NOW, outbox_of
from tests.waiting import LIMIT, until

ROOT = Path(__file__).parents[2]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


async def first_line(folder: Path, *, is_journal: bool) -> str:
    """Of a daemon whose standard error is the journal, or whose parent's was."""
    (folder / "subscribers.toml").touch()
    log = folder / "log"
    log.touch()
    status = log.stat()
    environ = {
        **os.environ,
        "DIGEST_STATE": str(folder / "digest.db"),
        "PYTHONPATH": str(ROOT),
        "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino if is_journal else 1}",
    }
    command = (sys.executable, "-m", "digest", "daemon")
    with log.open("w") as stream:
        async with started_here(*command, cwd=folder, env=environ, stderr=stream) as process:
            await until(lambda: "\n" in log.read_text())
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(LIMIT):
                assert await process.wait() == 0
    return log.read_text()


@pytest.mark.parametrize("is_journal", [True, False])
async def test_lines_have_a_time_where_no_journal_adds_one(tmp_path: Path, is_journal: bool) -> None:
    line = await first_line(tmp_path, is_journal=is_journal)
    assert re.match(f"{'<6>' if is_journal else TIME}INFO digest.service.daemon: ready", line), line


def test_without_the_variable_or_an_output_there_is_no_journal() -> None:
    assert not is_in_journal({}, 2)
    assert not is_in_journal({"JOURNAL_STREAM": "1:2"}, 1_000_000)


async def told(
    store: SqliteStore, caplog: pytest.LogCaptureFixture, sessions: int, **answers: Answer | list[Answer]
) -> list[str]:
    """What is logged of the sessions of a delivery that failed."""
    caplog.set_level(logging.WARNING)
    async with serving(MailServer(answers=answers)) as server, asyncio.timeout(LIMIT):
        reach = SmtpServer(host="127.0.0.1", port=server.port, security="none", connections=sessions)
        await deliver(store, SmtpTransport(reach), plain, lambda: NOW)
    lines = [one.getMessage() for one in caplog.records if "session failed" in one.getMessage()]
    assert all(f"cause=127.0.0.1:{server.port}: " in line for line in lines)
    return lines


async def test_a_session_that_fails_is_one_line_with_its_cause_and_what_comes_next(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    outbox_of(store, "ada@example.org", "bo@example.org")
    (line,) = await told(store, caplog, 1, GREETING="554 5.3.2 not from here")
    assert "554 5.3.2 not from here" in line
    assert line.endswith("next=what is left waits")


async def test_of_several_sessions_each_has_its_line(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    outbox_of(store, *(f"reader{number}@example.org" for number in range(9)))
    lines = await told(store, caplog, 2, GREETING="421 4.3.2 not now")
    assert [line.partition("next=")[2] for line in lines] == [
        "other sessions go on: 1",
        "what is left waits",
    ]
    waits = outbox_status(store, now=NOW)
    assert (waits.waiting, "421 4.3.2 not now" in waits.cause) == (9, True)


async def test_a_quota_that_is_used_up_is_told_as_a_rest(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    outbox_of(store, "ada@example.org")
    (line,) = await told(store, caplog, 1, RCPT="550 5.4.5 Daily user sending limit exceeded")
    assert line.endswith("next=no mail goes until the limit may be over")

"""What the log tells the operator of mails that do not go, and when its lines say when they were written."""

import asyncio
import json
import logging
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import pytest

from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.pipeline.deliver import deliver
from digest.pipeline.progress import outbox_status
from digest.service.log import is_in_journal
from digest.storage.factory import open_alone
from digest.storage.sqlite.store import SqliteStore
from tests.integration.installation import plain
from tests.integration.mail_server import Answer, MailServer, serving
from tests.logfmt import parse_logfmt
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
    outbox_of(store, *(f"reader{number}@example.org" for number in range(4)))
    lines = await told(store, caplog, 1, RCPT="550 5.4.5 Daily user sending limit exceeded")
    assert [line.partition("next=")[2] for line in lines] == [
        *["it waits, others are tried"] * 2,
        "no mail goes until the limit may be over",
    ]


def read_back(text: str, kind: str) -> list[dict[str, object]]:
    """All records; fails if standard error has anything else."""
    lines = text.splitlines()
    records: list[dict[str, object]] = [
        json.loads(line) if kind == "json" else dict[str, object](parse_logfmt(line)) for line in lines
    ]
    assert all({"time", "level", "logger", "event"} <= {*one} for one in records), text
    return records


async def stderr_of(folder: Path, *command: str, **environ: str) -> str:
    """Of a command; with few mails it starts workers, too."""
    return await run_in(folder, PIPE, command, environ)


async def run_in(
    folder: Path, stderr: int | IO[str], command: Sequence[str], environ: Mapping[str, str]
) -> str:
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")},
        "DIGEST_STATE": str(folder / "digest.db"),
        "DIGEST_ARXIV__API_URL": "http://127.0.0.1:9/",
        "DIGEST_ARXIV__RETRY_PAUSE": "0",
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
        "PYTHONPATH": str(ROOT),
        **environ,
    }
    code = "import digest.pipeline.coordinator as it, digest.cli as cli; it.MANY = 5; cli.main()"
    words = (sys.executable, "-c", code, *command)
    async with started_here(*words, cwd=folder, env=given, stdout=PIPE, stderr=stderr) as process:
        async with asyncio.timeout(LIMIT):
            _, text = await process.communicate()
    return (text or b"").decode()


@pytest.mark.parametrize("addresses", [False, True])
@pytest.mark.parametrize("kind", ["logfmt", "json"])
async def test_each_failed_mail_of_any_worker_is_a_record_and_nothing_else_is_written(
    tmp_path: Path, kind: str, *, addresses: bool
) -> None:
    emails = [f"reader{number}@example.org" for number in range(20)]
    with open_alone(tmp_path / "digest.db") as store:
        outbox_of(store, *emails)
    entries = (f'[[subscriber]]\nemail = "{email}"\nkeywords = ["tea"]\n' for email in emails)
    (tmp_path / "subscribers.toml").write_text("".join(entries))
    refusals: dict[str, Answer] = {f"RCPT {email}": f"450 4.2.1 <{email.upper()}>: later" for email in emails}
    async with serving(MailServer(answers=refusals)) as server:
        text = await stderr_of(
            tmp_path, "run", "--now", NOW.isoformat(),
            DIGEST_LOG__FORMAT=kind, DIGEST_LOG__LEVEL="info", DIGEST_LOG__ADDRESSES=str(addresses),
            DIGEST_SMTP__HOST="127.0.0.1", DIGEST_SMTP__PORT=str(server.port), DIGEST_SMTP__SECURITY="none",
            DIGEST_SMTP__CONNECTIONS="4", DIGEST_DELIVERY__WORKERS="2", DIGEST_FOO="1",
        )  # fmt: skip
    records = read_back(text, kind)
    failed = [one for one in records if one["event"] == "mailing not sent"]
    assert len(failed) == len({one["number"] for one in failed}) == 20
    for one in failed:
        assert (one["attempt"], one["code"]) == ((1, 450) if kind == "json" else ("1", "450"))
        assert one["next_try"] == f"{one['next_try']:.20}"
        assert (one["state"], one["outcome"]) == ("deferred", "deferred")
        assert ("to" in one) == addresses
    assert ("@" in text) == addresses
    events = {one["event"] for one in records}
    assert {"unknown environment variable ignored", "fetch failed", "problem"} <= events


@pytest.mark.parametrize("kind", ["logfmt", "json"])
async def test_what_is_wrong_in_the_settings_is_a_record_too(tmp_path: Path, kind: str) -> None:
    (tmp_path / "digest.toml").write_text(f'[log]\nformat = "{kind}"\nlevel = "loud"\n[smtp]\nport = 0\n')
    for command in ("daemon", "run"):
        records = read_back(await stderr_of(tmp_path, command), kind)
        assert {one["event"] for one in records} == {"problem"}
        assert len(records) == 2
    (tmp_path / "digest.toml").write_text("[log")
    (broken,) = read_back(await stderr_of(tmp_path, "daemon", DIGEST_LOG__FORMAT=kind), kind)
    assert "digest.toml" in str(broken["cause"])


@pytest.mark.parametrize("kind", ["logfmt", "json"])
async def test_an_error_that_ends_the_process_and_a_warning_of_python_are_records(
    tmp_path: Path, kind: str
) -> None:
    code = (
        "import threading, warnings, sys, digest.service.log as log; from digest.config.settings import Log;"
        f"log.begin_log(30, {{}}); log.apply_log(Log(format={kind!r}));"
        "warnings.warn('old for ada@example.org'); a = threading.Thread(target=lambda: 1 / 0); a.start();"
        "a.join(); raise ValueError('\\nno\\n')"
    )
    async with started_here(
        sys.executable, "-Walways", "-c", code, cwd=tmp_path, stderr=PIPE, env={"PYTHONPATH": str(ROOT)}
    ) as process:
        async with asyncio.timeout(LIMIT):
            _, text = await process.communicate()
    warning, thread, last = read_back(text.decode(), kind)
    assert "old for [address]" in str(warning["event"])
    assert thread["error"] == "ZeroDivisionError: division by zero"
    assert (last["level"], last["error"]) == ("critical", "ValueError: \nno\n")
    assert process.returncode == 1


async def test_a_changed_format_is_used_without_a_restart(tmp_path: Path) -> None:
    (tmp_path / "subscribers.toml").touch()
    (tmp_path / "digest.toml").write_text('state = "digest.db"\n')
    log = tmp_path / "log"
    with log.open("w") as stream:
        command = (sys.executable, "-m", "digest", "daemon")
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        async with started_here(*command, cwd=tmp_path, env=environ, stderr=stream) as process:
            await until(lambda: "ready" in log.read_text())
            (tmp_path / "digest.toml").write_text('state = "digest.db"\n[log]\nformat = "json"\n')
            process.send_signal(signal.SIGHUP)
            await until(lambda: '"event": "reloaded"' in log.read_text())
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(LIMIT):
                assert await process.wait() == 0


async def test_what_a_run_prints_for_people_is_bounded_and_names_nobody_in_the_journal(
    tmp_path: Path,
) -> None:
    emails = [f"reader{number}@example.org" for number in range(60)]
    with open_alone(tmp_path / "digest.db") as store:
        outbox_of(store, *emails)
    entries = (f'[[subscriber]]\nemail = "{email}"\nkeywords = ["tea"]\n' for email in emails)
    (tmp_path / "subscribers.toml").write_text("".join(entries))
    refusals: dict[str, Answer] = {f"RCPT {email}": f"450 4.2.1 <{email}>: later" for email in emails}
    async with serving(MailServer(answers=refusals)) as server:
        mail = {
            "DIGEST_SMTP__HOST": "127.0.0.1",
            "DIGEST_SMTP__PORT": str(server.port),
            "DIGEST_SMTP__SECURITY": "none",
        }
        text = await stderr_of(tmp_path, "run", "--now", NOW.isoformat(), "--force", **mail)
        errors = [line for line in text.splitlines() if line.startswith("error: ")]
        assert len(errors) == 51
        assert "reader" in errors[5]
        assert errors[-1] == "error: and 12 more: see digest status"
        (tmp_path / "stderr").touch()
        place = (tmp_path / "stderr").stat()
        with (tmp_path / "stderr").open("w") as journal:
            command = ("run", "--now", NOW.isoformat(), "--force")
            environ = {**mail, "JOURNAL_STREAM": f"{place.st_dev}:{place.st_ino}"}
            await run_in(tmp_path, journal, command, environ)
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert all(line.startswith("<3>ERROR digest.service.log: problem cause=") for line in lines)
    assert len(lines) == 51
    assert "@" not in "".join(lines)
    assert lines[-1].endswith("left_out=11") or lines[-1].endswith("see digest status")

"""The installed command when something is wrong: what it says, how it ends, and that nothing is lost."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import Installation
from tests.integration.arxiv_server import (
    ArxivServer,
    Reply,
    arxiv_server,
    breaks_off,
    entry,
    feed,
    resets,
    says,
)
from tests.integration.mail_server import Answer, Do, MailServer, serving
from tests.processes import started_here
from tests.waiting import LIMIT, until

SUBSCRIBERS = """
[[subscriber]]
email = "ada@example.org"
keywords = ["gnomes"]
[[subscriber]]
email = "bo@example.org"
keywords = ["walks"]
"""
GOOD = says(feed(entry("2606.00001v1"), total=1))
NOW = "2026-06-02T12:30:00Z"
REFUSED = feed(
    "<entry><id>http://arxiv.org/api/errors</id><title>Error</title><summary>bad query</summary></entry>",
    total=1,
)


@pytest.fixture
async def arxiv() -> AsyncIterator[ArxivServer]:
    async with arxiv_server(GOOD) as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path, arxiv: ArxivServer) -> Installation:
    return Installation(tmp_path, SUBSCRIBERS, arxiv__api_url=arxiv.url)


async def digest(lab: Installation, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(lab, *arguments, **environ)


async def run(lab: Installation, now: str = NOW, **environ: str) -> tuple[int, dict[str, Any]]:
    done = await digest(lab, "run", "--json", "--now", now, **environ)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def state_of(lab: Installation) -> Path:
    return Path(lab.environ["DIGEST_STATE"])


def mails(lab: Installation) -> int:
    return len(list((state_of(lab).parent / "Maildir" / "new").glob("*")))


BROKEN_SUBSCRIBERS = """
[[subscriber]]
emial = "ada@example.org"
keywords = ["gnomes"]
[[subscriber]]
email = "not an address"
keywords = ["gnomes", ""]
at = "25:00"
[[subscriber]]
email = "cy@example.org"
keywords = ["tea"]
[[subscriber]]
email = "CY@example.org"
keywords = ["tea"]
timezone = "Europe/Atlantis"
"""


async def test_every_typo_in_subscribers_is_named_at_once_and_nothing_happens(
    lab: Installation, arxiv: ArxivServer
) -> None:
    (lab.folder / "subscribers.toml").write_text(BROKEN_SUBSCRIBERS)
    done = await digest(lab, "run")
    assert done.returncode == 2
    for wrong in ("emial", "not an address", "25:00", "Europe/Atlantis", "CY@example.org", "keyword"):
        assert wrong in done.stderr
    assert done.stderr.count("subscribers.toml") >= 6
    assert not arxiv.asked
    assert not state_of(lab).exists()


async def test_every_typo_in_the_configuration_is_named_at_once_and_nothing_happens(
    lab: Installation, arxiv: ArxivServer
) -> None:
    config = lab.folder / "digest.toml"
    config.write_text('stat = "x"\n[smtp]\nhots = "mx"\nport = 99999\n[arxiv]\nlookback_days = 3\n')
    done = await digest(lab, "--config", str(config), "run")
    assert done.returncode == 2
    for wrong in ("stat", "hots", "99999", "lookback_days"):
        assert wrong in done.stderr
    assert done.stderr.count("digest.toml") >= 4
    assert not arxiv.asked
    assert not state_of(lab).exists()


@pytest.mark.parametrize(
    "reply",
    [
        says(REFUSED, 400),
        says("", 406),
        says("Rate exceeded.", 429),
        says("Service Unavailable", 503, Retry_After="0"),
        says("<html><body><h1>502 Bad Gateway</h1></body></html>"),
        says("Rate exceeded."),
        says(REFUSED),
        says(feed(total=3)),
        says(feed(entry("2606.00001v1"), total=1)[:-20]),
        breaks_off(feed(entry("2606.00001v1"), total=1)),
        resets,
        says(""),
    ],
    ids=[
        "400", "406", "429", "503", "HTML", "rate text", "Error entry", "empty page", "cut off", "broken off",
        "reset", "nothing",
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_is_retried_and_then_a_failed_fetch(
    lab: Installation, arxiv: ArxivServer, reply: Reply
) -> None:
    arxiv.replies[:] = [reply]
    code, report = await run(lab)
    assert code == 3
    assert report["requests"] > 1
    assert report["errors"]
    assert report["digests_sent"] == report["papers_new"] == 0
    arxiv.replies[:] = [GOOD]
    code, report = await run(lab)
    assert (code, report["papers_new"], report["digests_sent"]) == (0, 1, 2)
    assert mails(lab) == 2


async def test_a_passing_fault_is_retried_within_the_run(lab: Installation, arxiv: ArxivServer) -> None:
    arxiv.replies[:] = [says("Rate exceeded.", 429), resets, GOOD]
    code, report = await run(lab)
    assert (code, report["requests"], report["digests_sent"], report["errors"]) == (0, 3, 2, [])


async def test_an_arxiv_that_is_not_there_ends_with_3(lab: Installation) -> None:
    done = await digest(lab, "run", DIGEST_ARXIV__API_URL="http://127.0.0.1:9/api/query")
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def smtp(server: MailServer, **more: str) -> dict[str, str]:
    return {
        "DIGEST_SMTP__HOST": "127.0.0.1",
        "DIGEST_SMTP__PORT": str(server.port),
        "DIGEST_SMTP__SECURITY": "none",
        "DIGEST_SMTP__TIMEOUT": "5",
        **more,
    }


async def test_one_refused_recipient_waits_and_the_other_goes(lab: Installation) -> None:
    async with serving(MailServer(answers={"RCPT ada@example.org": "451 4.3.0 try later"})) as server:
        code, report = await run(lab, **smtp(server))
        assert (code, report["digests_sent"], report["digests_deferred"]) == (1, 1, 1)
        assert "ada@example.org" in report["errors"][0]
        assert "451 4.3.0 try later" in report["errors"][0]
        server.forget()
        code, report = await run(lab, "2026-06-02T13:30:00Z", **smtp(server))
        assert (code, report["digests_sent"]) == (0, 1)
        assert [mail.recipient for mail in server.accepted] == ["bo@example.org", "ada@example.org"]


async def test_a_dead_address_gets_no_more_mail_until_it_is_resumed(lab: Installation) -> None:
    async with serving(MailServer(answers={"RCPT ada@example.org": "550 5.1.1 no such user"})) as server:
        code, report = await run(lab, **smtp(server))
        assert (code, report["digests_sent"], report["digests_suppressed"]) == (1, 1, 1)
        assert report["digests_deferred"] == 0
        assert "digest resume ada@example.org" in report["errors"][0]
        assert "550 5.1.1 no such user" in report["errors"][0]
        server.forget()
        code, report = await run(lab, "2026-06-02T13:30:00Z", **smtp(server))
        assert (code, report["digests_sent"], report["subscribers_suppressed"]) == (0, 0, 1)
        assert (await digest(lab, "resume", "ada@example.org")).returncode == 0
        code, report = await run(lab, "2026-06-02T14:30:00Z", **smtp(server))
        assert [mail.recipient for mail in server.accepted] == ["bo@example.org", "ada@example.org"]


@pytest.mark.parametrize(
    ("answers", "remedy"),
    [
        ({"AUTH": "535 5.7.8 bad credentials"}, "smtp.username"),
        ({"GREETING": "554 no service"}, "554 no service"),
        ({"GREETING": Do.DROP}, "closed the connection"),
        ({"MAIL": Do.DROP}, "closed the connection"),
        ({"MAIL": "421 4.3.2 closing"}, "421"),
    ],
    ids=["login refused", "connection refused", "dropped at once", "dropped at MAIL", "421"],
)
async def test_a_server_that_fails_as_a_whole_makes_all_wait_with_cause_and_remedy(
    lab: Installation, answers: dict[str, Answer], remedy: str
) -> None:
    login = {"DIGEST_SMTP__USERNAME": "digest", "DIGEST_SMTP__PASSWORD": "open sesame"}
    extensions = ("SIZE 10000000", "AUTH PLAIN")
    async with serving(MailServer(answers=answers, extensions=extensions)) as server:
        code, report = await run(lab, **smtp(server, **login))
        assert (code, report["digests_sent"], report["digests_deferred"]) == (1, 0, 2)
        assert remedy in " ".join(report["errors"])
        assert "sesame" not in " ".join(report["errors"])
        server.forget()
        code, report = await run(lab, "2026-06-02T13:30:00Z", **smtp(server, **login))
        assert (code, report["digests_sent"], len(server.accepted)) == (0, 2, 2)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"STARTTLS": "250 ok"}, "offers encryption but does not start it (250 ok)"),
        ({"HANDSHAKE": Do.RESET}, "during the TLS handshake"),
        ({"HANDSHAKE": Do.HANG}, "no answer within 5 s at STARTTLS"),
    ],
)
async def test_a_connection_that_is_not_encrypted_makes_all_wait_and_status_tells_why(
    lab: Installation, answers: dict[str, Answer], told: str
) -> None:
    async with serving(MailServer(answers=answers, extensions=("STARTTLS",))) as server:
        code, report = await run(lab, **smtp(server, DIGEST_SMTP__SECURITY="starttls"))
        assert (code, report["digests_sent"], report["digests_deferred"]) == (1, 0, 2)
        assert told in " ".join(report["errors"])
        status = await digest(lab, "status")
        assert status.returncode == 1
        assert told in " ".join(status.stdout.split())
        assert (await digest(lab, "suppressions")).stdout.strip() == "No address is suppressed."


async def test_a_domain_that_is_called_dead_as_a_whole_is_told_to_the_operator_and_loses_nobody(
    lab: Installation,
) -> None:
    entry_of = '[[subscriber]]\nemail = "{}"\nkeywords = ["gnomes"]\n'.format
    astray = [f"r{number}@lab.example" for number in range(10)]
    others = [f"r{number}@uni.example" for number in range(4)]
    (lab.folder / "subscribers.toml").write_text("".join(map(entry_of, (*astray, *others))))
    answers = {f"RCPT {email}": "550 5.1.1 no such user" for email in astray}
    async with serving(MailServer(answers=answers)) as server:
        environ = smtp(server, DIGEST_OPERATOR__EMAIL="op@uni.example")
        code, report = await run(lab, **environ)
        assert (code, report["digests_sent"], report["digests_suppressed"]) == (1, 4, 0)
        (mail,) = [mail for mail in server.accepted if mail.recipient == "op@uni.example"]
        assert b"Subject: arXiv digest: a mail server calls many addresses dead" in mail.message
        assert "addresses of lab.example dead, too many at once" in " ".join(report["errors"])
        status = await digest(lab, "status", **environ)
        assert status.returncode == 1
        assert "10 digests wait: the server calls" in " ".join(status.stdout.split())
        server.forget()
        code, report = await run(lab, "2026-06-02T14:30:00Z", **environ)
        assert (code, report["digests_sent"]) == (0, 10)


async def test_a_mail_whose_fate_is_unknown_is_sent_again_under_the_same_name(lab: Installation) -> None:
    async with serving(MailServer(answers={"DOT": [Do.DROP]})) as server:
        code, report = await run(lab, **smtp(server, DIGEST_SMTP__CONNECTIONS="1"))
        assert (code, report["digests_sent"], report["digests_deferred"]) == (1, 1, 1)
        await run(lab, "2026-06-02T13:30:00Z", **smtp(server))
        assert sorted(mail.recipient for mail in server.accepted) == ["ada@example.org", "bo@example.org"]


async def test_the_second_of_two_runs_says_that_one_is_running(lab: Installation, arxiv: ArxivServer) -> None:
    arxiv.replies[:] = [says("Rate exceeded.", 429)]
    async with start(lab, DIGEST_ARXIV__RETRY_PAUSE="300"):
        await until(lambda: arxiv.asked)
        done = await digest(lab, "run")
    assert done.returncode == 1
    assert "another digest process uses" in done.stderr
    arxiv.replies[:] = [GOOD]
    code, report = await run(lab)
    assert (code, report["digests_sent"]) == (0, 2)


async def test_a_state_file_that_is_no_database_is_left_as_it_is(
    lab: Installation, arxiv: ArxivServer
) -> None:
    state_of(lab).parent.mkdir()
    state_of(lab).write_bytes(b"Dear diary, " * 500)
    done = await digest(lab, "run")
    assert (done.returncode, arxiv.asked) == (2, [])
    assert "is not a digest state file" in done.stderr
    assert state_of(lab).read_bytes() == b"Dear diary, " * 500


async def test_a_state_file_of_a_newer_version_is_left_as_it_is(lab: Installation) -> None:
    await run(lab)
    with closing(sqlite3.connect(state_of(lab))) as newer, newer:
        newer.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('digest', 'm999_future')")
    done = await digest(lab, "run")
    assert done.returncode == 2
    assert "newer version" in done.stderr


async def test_a_dry_run_and_a_preview_mark_nothing(lab: Installation, arxiv: ArxivServer) -> None:
    done = await digest(lab, "run", "--dry-run", "--now", NOW)
    assert done.returncode == 0
    assert "would send 1 paper to ada@example.org" in done.stdout
    recent = entry("2606.00001v1", submitted_at=datetime.now(UTC) - timedelta(days=1))
    arxiv.replies[:] = [says(feed(recent, total=1))]
    done = await digest(lab, "preview", "ada@example.org")
    assert done.returncode == 0
    assert "On the walks of lost gnomes" in (lab.folder / "digest-preview.html").read_text()
    assert mails(lab) == 0
    arxiv.replies[:] = [GOOD]
    code, report = await run(lab)
    assert (code, report["digests_sent"]) == (0, 2)


async def test_a_run_for_nobody_says_so(lab: Installation, arxiv: ArxivServer) -> None:
    (lab.folder / "subscribers.toml").write_text("")
    done = await digest(lab, "run")
    assert (done.returncode, arxiv.asked) == (0, [])
    assert "subscribers.toml: `digest subscribe EMAIL -k KEYWORD` adds one" in done.stderr


async def test_both_files_are_told_of_at_once(lab: Installation) -> None:
    (lab.folder / "digest.toml").write_text("[smtp]\nhots = 1\n")
    (lab.folder / "subscribers.toml").write_text(BROKEN_SUBSCRIBERS)
    done = await digest(lab, "run")
    assert done.returncode == 2
    assert "hots" in done.stderr
    assert "emial" in done.stderr


async def test_what_is_wrong_is_also_said_in_json(lab: Installation) -> None:
    (lab.folder / "subscribers.toml").write_text(BROKEN_SUBSCRIBERS)
    code, report = await run(lab)
    assert (code, report["digests_sent"]) == (2, 0)
    assert any("emial" in error for error in report["errors"])


def subscribe_twelve(lab: Installation) -> None:
    entry_of = '[[subscriber]]\nemail = "r{}@example.org"\nkeywords = ["gnomes"]\n'.format
    (lab.folder / "subscribers.toml").write_text("".join(map(entry_of, range(12))))


def start(lab: Installation, *command: str, **environ: str) -> AbstractAsyncContextManager[Process]:
    return started_here(
        sys.executable, "-m", "digest", *(command or ("run", "--now", NOW)),
        cwd=lab.folder, env={**lab.environ, **environ}, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_run_that_is_interrupted_while_it_asks_says_so_and_loses_nothing(
    lab: Installation, arxiv: ArxivServer, number: signal.Signals
) -> None:
    arxiv.replies[:] = [says("Rate exceeded.", 429)]
    async with start(lab, DIGEST_ARXIV__RETRY_PAUSE="300") as process:
        await until(lambda: arxiv.asked)
        process.send_signal(number)
        _, said = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 130
    assert b"stopped before arXiv had answered" in said
    assert b"Traceback" not in said
    arxiv.replies[:] = [GOOD]
    code, report = await run(lab)
    assert (code, report["digests_sent"]) == (0, 2)


async def test_a_run_that_is_interrupted_while_it_mails_finishes_the_mail_in_hand_and_repeats_none(
    lab: Installation,
) -> None:
    subscribe_twelve(lab)
    async with serving(MailServer(seconds_per_byte=0.002)) as server:
        async with start(lab, **smtp(server)) as process:
            await until(lambda: len(server.accepted) >= 3)
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), LIMIT)
        assert process.returncode == 130
        assert 3 <= len(server.accepted) < 12
        server.seconds_per_byte = 0
        code, _ = await run(lab, **smtp(server))
        assert code == 0
        recipients = [mail.recipient for mail in server.accepted]
        assert len(recipients) == len(set(recipients)) == 12


async def test_a_run_tells_of_what_waits_why_and_when_it_is_tried_again(lab: Installation) -> None:
    for answers, told in (
        (
            {"RCPT": "451 4.7.1 try later"},
            r"the first run after 2026-06-02 1\d:\d\d UTC tries again; 451 4.7.1 try later",
        ),
        (
            {"GREETING": "554 5.3.2 not from here"},
            r"the next run tries again; 127.0.0.1:\d+: .*554 5.3.2 not from",
        ),
    ):
        async with serving(MailServer(answers=answers)) as server:
            done = await digest(lab, "run", "--force", "--now", NOW, **smtp(server))
        assert done.returncode == 1
        assert re.search(f"^2 digests waiting: {told}", done.stdout, re.MULTILINE), done.stdout


async def test_a_run_that_is_interrupted_twice_waits_for_no_mail_server(lab: Installation) -> None:
    async with serving(MailServer(answers={"DOT": Do.HANG})) as server:
        async with start(lab, **smtp(server)) as process:
            await until(lambda: "DATA" in server.commands)
            process.send_signal(signal.SIGINT)
            assert process.stderr
            said = await asyncio.wait_for(process.stderr.readline(), LIMIT)
            process.send_signal(signal.SIGINT)
            out, more = await asyncio.wait_for(process.communicate(), LIMIT)
        assert (process.returncode, out) == (130, b"")
        assert (said + more).decode().splitlines() == [
            "note: stopping after the current mails; interrupt again to stop now"
        ]
    async with serving(MailServer()) as server:
        code, report = await run(lab, **smtp(server))
    assert (code, report["digests_sent"]) == (0, 2)


async def test_a_daemon_that_is_stopped_while_it_mails_finishes_the_mail_in_hand(lab: Installation) -> None:
    subscribe_twelve(lab)
    async with serving(MailServer(answers={"GREETING": Do.DROP})) as server:
        _, report = await run(lab, **smtp(server))
        assert report["digests_deferred"] == 12
    async with serving(MailServer(seconds_per_byte=0.002)) as server:
        async with start(lab, "daemon", **smtp(server)) as process:
            await until(lambda: len(server.accepted) >= 3)
            process.send_signal(signal.SIGTERM)
            _, said = await asyncio.wait_for(process.communicate(), LIMIT)
        assert process.returncode == 0, said.decode()
        assert 3 <= len(server.accepted) < 12
        server.seconds_per_byte = 0
        await run(lab, "2026-06-02T13:30:00Z", **smtp(server))
        recipients = [mail.recipient for mail in server.accepted]
        assert len(recipients) == len(set(recipients)) == 12


async def test_a_run_that_is_killed_while_it_mails_loses_nobody(lab: Installation) -> None:
    subscribe_twelve(lab)
    async with serving(MailServer(seconds_per_byte=0.002)) as server:
        async with start(lab, **smtp(server)):
            await until(lambda: len(server.accepted) >= 3)
        server.seconds_per_byte = 0
        code, _ = await run(lab, **smtp(server))
        assert code == 0
        by_recipient: dict[str, set[bytes]] = {}
        for mail in server.accepted:
            by_recipient.setdefault(mail.recipient, set()).add(mail.message)
        assert len(by_recipient) == 12
        assert all(len(messages) == 1 for messages in by_recipient.values())
        assert len(server.accepted) <= 12 + 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_state_folder_that_cannot_be_written_is_named(lab: Installation) -> None:
    state_of(lab).parent.mkdir(mode=0o500)
    done = await digest(lab, "run")
    assert done.returncode == 2
    assert str(state_of(lab).parent) in done.stderr

"""The command with channels of each kind: what is secret of them is in nothing that it prints or leaves."""

import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
from aiohttp import web

from tests import forked
from tests.crash.lab import Lab, laboratory
from tests.crash.servers import TOPICS
from tests.processes import started_here
from tests.waiting import LIMIT
from tests.webhooks import SECRET, Receiver, receiving

TOKEN = "T0KEN-that-nobody-may-see"
SETTINGS = """
[[channel]]
name = "lab"
kind = "webhook"
url_file = "lab-url"
secret_file = "lab-secret"
allow_private = true
keywords = ["{topic}"]

[[channel]]
name = "talk"
kind = "chat"
url_file = "talk-url"
keywords = ["{topic}"]

[[channel]]
name = "notes"
kind = "folder"
folder = "notes"
keywords = ["{topic}"]
"""


@asynccontextmanager
async def furnished(folder: Path, receiver: Receiver) -> AsyncIterator[Lab]:
    async with laboratory(folder, random.Random(3), subscribers=2) as lab:
        (folder / "digest.toml").write_text(SETTINGS.format(topic=TOPICS[0]))
        (folder / "lab-url").write_text(receiver.url)
        (folder / "lab-secret").write_text(SECRET)
        port = receiver.url.split(":")[2].partition("/")[0]
        (folder / "talk-url").write_text(f"mmost://127.0.0.1:{port}/{TOKEN.replace('-', '')}")
        yield lab


async def digest(lab: Lab, *arguments: str) -> tuple[int, str]:
    place = lab.installation
    done = await asyncio.to_thread(forked.run, *arguments, cwd=place.folder, env=place.environ)
    return done.returncode, done.stdout + done.stderr


def is_clean(text: str) -> bool:
    return not re.search(r"T0KEN|whsec_|MfKQ9r8GKYqr", text)


def of_all_processes() -> str:
    """Their arguments and environments."""
    shown = ""
    for one in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                shown += (one / name).read_bytes().decode("latin-1")
    return shown


async def test_each_kind_gets_its_digest_and_a_second_run_sends_nothing(tmp_path: Path) -> None:
    async with receiving() as receiver, furnished(tmp_path, receiver) as lab:

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(text="ok")

        receiver.respond = answer
        code, said = await digest(lab, "run", "--now", lab.days.now.isoformat())
        assert code == 0, said
        assert "3 digests for channels sent" in said
        for_lab = next(one for one in receiver.received if "webhook-id" in one.headers)
        for_talk = next(one for one in receiver.received if "webhook-id" not in one.headers)
        assert all(paper in for_talk.body.decode() for paper in for_lab.papers)
        (note,) = (tmp_path / "notes").iterdir()
        assert all(paper in note.read_text() for paper in for_lab.papers)
        before = len(receiver.received)
        code, said = await digest(lab, "run", "--now", lab.days.now.isoformat())
        assert "0 digests for channels sent" in said
        assert len(receiver.received) == before
        code, said = await digest(lab, "why", for_lab.papers[0], "channel:lab")
        assert code == 0, said
        assert "channel:lab" in said
        code, said = await digest(lab, "run", "--dry-run", "--force", "--now", lab.days.now.isoformat())
        assert code == 0, said


async def test_a_trial_is_marked_as_a_test_and_leaves_no_file(tmp_path: Path) -> None:
    async with receiving() as receiver, furnished(tmp_path, receiver) as lab:

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(text="ok")

        receiver.respond = answer
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "mine.md").write_text("mine")
        for name in ("lab", "talk", "notes"):
            code, said = await digest(lab, "channels", "test", name)
            assert code == 0, said
        for_lab, for_talk = receiver.received
        told = json.loads(for_lab.body)["data"]
        assert (told["is_test"], told["title"]) == (True, "TEST, the papers are invented: lab")
        assert "TEST, the papers are invented: talk" in json.loads(for_talk.body)["text"]
        assert said.startswith("notes: checked: ")
        assert [one.name for one in (tmp_path / "notes").iterdir()] == ["mine.md"]
        await digest(lab, "run", "--now", lab.days.now.isoformat())
        *_, last = (one for one in receiver.received if "webhook-id" in one.headers)
        assert not json.loads(last.body)["data"]["is_test"]


async def test_nothing_secret_is_printed_or_left_behind(tmp_path: Path) -> None:
    async with receiving() as receiver, furnished(tmp_path, receiver) as lab:
        receiver.answer(404)
        now = lab.days.now.isoformat()
        outputs: dict[tuple[str, ...], str] = {}
        for arguments in (
            ("run", "--now", now),
            ("-vv", "run", "--json", "--now", now),
            ("status", "--now", now),
            ("status", "--json", "--now", now),
            ("channels",),
            ("channels", "--json"),
            ("channels", "test", "lab"),
            ("channels", "test", "talk"),
            ("channels", "resume", "lab"),
            ("channels", "test", "lap"),
            ("check",),
            ("doctor", "--json"),
            ("why", "2606.00101", "channel:lab"),
        ):
            _code, said = await digest(lab, *arguments)
            assert "Traceback" not in said, said
            assert is_clean(said), (arguments, said)
            outputs[arguments] = said
        receiver.answer(410)
        _, said = await digest(lab, "run", "--force", "--now", now)
        _, status = await digest(lab, "status", "--json", "--now", now)
        rests = {one["name"]: one["rests_since"] for one in json.loads(status)["channels"]}
        assert rests["lab"]
        assert rests["notes"] is None
        assert any("the channel lab rests" in one for one in json.loads(status)["problems"])
        assert is_clean(said + status)
        with closing(sqlite3.connect(lab.state_file)) as state:
            assert is_clean("\n".join(state.iterdump()))
    assert "channel lab: 404 Not Found" in outputs["run", "--now", now]
    assert outputs["channels", "test", "lab"] == "lab: refused: 404 Not Found\n"
    assert "did you mean lab?" in outputs["channels", "test", "lap"]


async def test_an_address_is_in_no_list_of_processes(tmp_path: Path) -> None:
    async with receiving() as receiver, furnished(tmp_path, receiver) as lab:
        reached = asyncio.Event()

        async def hang(request: web.Request) -> web.StreamResponse:
            reached.set()
            await asyncio.sleep(3600)
            raise AssertionError

        receiver.respond = hang
        async with started_here(
            sys.executable, "-m", "digest", "channels", "test", "talk",
            cwd=tmp_path, env=lab.installation.environ, stdout=PIPE, stderr=PIPE,
        ) as process:  # fmt: skip
            async with asyncio.timeout(LIMIT):
                await reached.wait()
            shown = await asyncio.to_thread(of_all_processes)
            assert "digest.channels.chat.process" in shown
            assert is_clean(shown)
            os.kill(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "text", ['url = "T0KEN"', 'kind = "chat"\nurl = "slack://T0KEN"\nat = "x"', "url_file = 3"]
)
async def test_a_mistake_in_the_settings_shows_nothing_secret(tmp_path: Path, text: str) -> None:
    async with receiving() as receiver, furnished(tmp_path, receiver) as lab:
        (tmp_path / "digest.toml").write_text(f'[[channel]]\nname = "x"\nkeywords = ["tea"]\n{text}\n')
        for arguments in (("run",), ("check",), ("doctor", "--json")):
            code, said = await digest(lab, *arguments)
            assert code == 2, said
            assert "channel x: " in said
            assert is_clean(said)
            assert "Traceback" not in said

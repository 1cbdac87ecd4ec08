"""`digest web` and `digest daemon` as processes: where they listen, and what they say when they cannot."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from digest.errors import ConfigurationError, StateError
from digest.service import web_only
from digest.service.bootstrap import Setup, load_setup
from tests.integration.idle_daemon import SUBSCRIBER
from tests.processes import started
from tests.waiting import LIMIT, until

ROOT = Path(__file__).parents[2]


def start(folder: Path, command: str, **web: str) -> AbstractContextManager[subprocess.Popen[str]]:
    (folder / "subscribers.toml").write_text(
        '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n'
    )
    (folder / "digest.toml").write_text(
        "[web]\n" + "".join(f'{key} = "{value}"\n' for key, value in web.items())
    )
    environ = {
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DIGEST_STATE": str(folder / "digest.db"),
        "DIGEST_ARXIV__API_URL": "http://127.0.0.1:1/",
    }
    return started(
        *(sys.executable, "-m", "digest", command),
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_pages_alone_serve_until_they_are_told_to_stop(tmp_path: Path) -> None:
    with start(tmp_path, "web", base_url="https://d.example.org", listen="127.0.0.1:0") as process:
        assert process.stderr
        line = process.stderr.readline()
        address = line.rpartition(" url=")[2].strip()
        with urllib.request.urlopen(f"{address}/healthz", timeout=LIMIT) as answer:
            assert json.load(answer)["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=LIMIT) == 0


@pytest.mark.parametrize("command", ["web", "daemon"])
def test_a_port_that_is_taken_is_said_and_ends_it_for_good(tmp_path: Path, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start(
            tmp_path, command, base_url="https://d.example.org", listen=f"127.0.0.1:{port}"
        ) as process:
            _, error = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert f'web.listen = "127.0.0.1:{port}": cannot listen there: ' in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (StateError("digest.db", "is locked", is_passing=True), True),
        (ConfigurationError("a full disk", is_passing=True), True),
        (ConfigurationError("a mistake"), False),
    ],
)
async def test_files_that_could_not_be_read_for_a_while_are_read_again(
    error: Exception, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_only, "_LOOK_UP", 0.02)
    file = tmp_path / "subscribers.toml"
    file.write_text(SUBSCRIBER)
    environ = {
        "DIGEST_SUBSCRIBERS": str(file),
        "DIGEST_STATE": str(tmp_path / "digest.db"),
        "DIGEST_WEB__BASE_URL": "https://d.example.org",
        "DIGEST_WEB__LISTEN": "127.0.0.1:0",
    }
    reads: list[int] = []
    errors = [error]

    def load() -> Setup:
        if errors:
            raise errors.pop()
        setup = load_setup(None, environ)
        reads.append(len(setup.subscribers))
        return setup

    serving = asyncio.create_task(web_only.serve_alone(load_setup(None, environ), load))
    try:
        file.write_text(SUBSCRIBER + SUBSCRIBER.replace("ada", "bo"))
        await until(lambda: not errors)
        if not again:
            await asyncio.sleep(0.2)
            assert reads == []
            edited = tmp_path / "edited.toml"
            edited.write_text(SUBSCRIBER + SUBSCRIBER.replace("ada", "bob"))
            edited.replace(file)  # at once: it may be read at any moment
        await until(lambda: bool(reads))
        assert reads == [2]
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, LIMIT)


def test_without_a_base_address_the_command_says_what_to_set(tmp_path: Path) -> None:
    with start(tmp_path, "web") as process:
        _, error = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert "web.base_url is not set" in error

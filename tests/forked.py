"""Runs `digest` as a process that need not import it first: tests/fork_server.py forks it.

Such a process has its own arguments, folder, environment and files, and ends with an exit code, as any other
has. What tests how a command starts, or ends one by a signal, uses `sys.executable` instead.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess

from tests.waiting import LIMIT

_ROOT = Path(__file__).parents[1]


def run(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    given: bytes = b"",
    code: str | None = None,
    timeout: float = 2 * LIMIT,
) -> CompletedProcess[str]:
    """Runs `digest`, or `code` in its place, with what is `given` as its input.

    If other variables than DIGEST_… are not those of this process, it is a new process that imports all: the
    packages that digest imports may read variables while they are imported.
    """
    if _others(env) != _others(os.environ):
        command = [sys.executable, *(("-c", code) if code else ("-m", "digest")), *arguments]
        done = subprocess.run(
            command, cwd=cwd, env=env, input=given, capture_output=True, check=False, timeout=timeout
        )
        return CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())
    request = {"arguments": arguments, "cwd": str(cwd), "env": {**env}, "code": code}
    with tempfile.TemporaryFile() as into, ThreadPoolExecutor(2) as readers:
        into.write(given)
        into.seek(0)
        pipes = [os.pipe(), os.pipe()]
        texts = [readers.submit(_read, reading) for reading, _ in pipes]
        status = _status(request, [into.fileno(), *(writing for _, writing in pipes)], timeout)
        out, err = (text.result(LIMIT) for text in texts)
    return CompletedProcess(["digest", *arguments], status, out, err)


def _read(pipe: int) -> str:
    with open(pipe, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def _others(environ: Mapping[str, str]) -> Mapping[str, str]:
    return {
        name: text
        for name, text in environ.items()
        if not name.startswith("DIGEST_") and name != "PYTEST_CURRENT_TEST"
    }


def _status(request: Mapping[str, object], files: Sequence[int], timeout: float) -> int:
    """Waits until the process has ended. Kills it after `timeout` seconds."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(_address())
        socket.send_fds(connection, [b"."], files)
        for file in files[1:]:
            os.close(file)  # the process alone has them now
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("r") as replies:
            process = int(replies.readline())
            try:
                return int(replies.readline())
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(str(request["arguments"]), timeout) from None


@cache
def _address() -> str:
    """Starts the server of this test process. It ends with it, or when its input is closed."""
    folder = tempfile.TemporaryDirectory(prefix="fork-")
    address = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.fork_server", address],
        cwd=_ROOT,
        env=_others(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(folder.cleanup)
    atexit.register(server.communicate, timeout=LIMIT)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    return address

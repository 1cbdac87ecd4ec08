"""`python -m tests.fork_server SOCKET` imports `digest` once, and forks a process for each command.

A connection brings a command and its three files. It gets the number of the process and, when that has ended,
its exit code. The server waits for all processes, so that their time counts as that of the tests.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import digest

_APART = ("digest.__main__", "digest.service.worker")


def main() -> None:
    for module in walk_packages(digest.__path__, "digest."):
        if module.name not in _APART:
            import_module(module.name)
    gc.collect()
    gc.freeze()
    command = _next_command(sys.argv[1])
    if command:
        _run(*command)


def _next_command(address: str) -> tuple[Mapping[str, Any], Sequence[int]] | None:
    """Returns what to run, and its files, in the process that is to do it. Returns `None` at the end."""
    running: dict[int, socket.socket] = {}
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)  # noqa: T201
        while True:
            ready = select.select([listener, woken, sys.stdin], [], [])[0]
            if woken in ready:
                os.read(woken, 100)
                _tell_ended(running)
            if listener in ready:
                connection, _ = listener.accept()
                wanted, files = _asked(connection)
                process = os.fork()
                if process == 0:
                    _leave(woken, wakes, connection, *running.values())
                    return wanted, files
                _leave(*files)
                running[process] = connection
                connection.sendall(f"{process}\n".encode())
            elif sys.stdin in ready:
                return None


def _tell_ended(running: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):  # there is no other
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with running.pop(ended[0]) as connection, suppress(OSError):  # nobody may wait for it any more
                connection.sendall(f"{os.waitstatus_to_exitcode(ended[1])}\n".encode())


def _asked(connection: socket.socket) -> tuple[Mapping[str, Any], Sequence[int]]:
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("r") as request:
        return json.load(request), files


def _leave(*files: int | socket.socket) -> None:
    for file in files:
        if isinstance(file, int):
            os.close(file)
        else:
            file.close()


def _run(wanted: Mapping[str, Any], files: Sequence[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
    _leave(*files)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(wanted["env"])
    time.tzset()
    os.chdir(wanted["cwd"])
    sys.argv = ["digest", *wanted["arguments"]]
    if wanted["code"]:
        exec(wanted["code"], {"__name__": "__main__"})
    else:
        runpy.run_module("digest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

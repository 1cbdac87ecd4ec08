"""The tools of Postfix that take mails and send them as fast as they can."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path


def tool(name: str, *, measure: str) -> str | None:
    """Where `smtp-sink` or `smtp-source` is; where it is not, says so and that `measure` is left out."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        sys.stderr.write(f"{measure}: left out, there is no {name}; it is in the package postfix\n")
    return found


@contextmanager
def sink(command: str, counts: Path | None = None) -> Iterator[int]:
    """A server that takes every mail and forgets it: its port. It writes to `counts` what it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    address = [f"127.0.0.1:{port}", "1000"]
    with (
        counts.open("wb") if counts else nullcontext() as written,
        subprocess.Popen([command, *user, *(["-c"] if counts else []), *address], stdout=written) as process,  # noqa: S603 (found above)
    ):
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def mails_in(counts: Path) -> int:
    """How many mails a sink has taken so far."""
    found = re.findall(r"mesg=(\d+)", counts.read_text(encoding="ascii"))
    return int(found[-1]) if found else 0


def _wait_for(port: int) -> None:
    for _ in range(100):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("smtp-sink does not answer")

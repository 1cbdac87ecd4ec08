"""What real proxies in front of the pages share."""

import subprocess
from pathlib import Path
from socket import create_connection, create_server

from tests.waiting import until_true

DOCS = Path(__file__).parents[2] / "docs"


def free_port() -> int:
    """A port that was free just now: these programs cannot take one themselves and say which."""
    with create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns when the process listens there. Fails if it ended."""

    def is_open() -> bool:
        assert process.poll() is None, "it does not start: see error.log"
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    until_true(is_open)

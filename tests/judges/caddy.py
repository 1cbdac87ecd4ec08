"""A real Caddy in front of the pages, with the settings that docs/web.md and docs/admin.md give."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.judges.presence import requires
from tests.judges.proxies import DOCS, await_port, free_port
from tests.processes import started
from tests.waiting import LIMIT

PAGES = "web.md"
ADMINISTRATORS = "admin.md"

_OF_ALL_SITES = "{\n    admin off\n"


def documented(page: str) -> str:
    """The settings for Caddy on a page of the docs."""
    text = (DOCS / page).read_text(encoding="utf-8")
    block = re.search(r"```\n((?:\{|digest\.example\.org \{)\n.*?)```", text, re.DOTALL)
    assert block
    return block[1]


@contextmanager
def caddy(folder: Path, settings: str, *, public: int, admin: int) -> Iterator[str]:
    """The address that it listens at; grace signs in with the password `hopper`."""
    requires("caddy")
    port = free_port()
    settings = settings if settings.startswith("{") else f"{{\n}}\n{settings}"
    settings = settings.replace("{\n", _OF_ALL_SITES, 1)
    for text, instead in (
        ("digest.example.org {", f"http://127.0.0.1:{port} {{"),
        ("127.0.0.1:8345", f"127.0.0.1:{public}"),
        ("127.0.0.1:8346", f"127.0.0.1:{admin}"),
        ("HASH", _told_by("caddy", "hash-password", "--plaintext", "hopper")),
        ("basic_auth", "basic_auth" if _version() >= (2, 8) else "basicauth"),
    ):
        settings = settings.replace(text, instead)
    (folder / "Caddyfile").write_text(settings)
    environ = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    command = ("caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile")
    with (folder / "error.log").open("wb") as log, started(*command, env=environ, stderr=log) as process:
        await_port(port, process)
        yield f"http://127.0.0.1:{port}"


def _version() -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)", _told_by("caddy", "version"))
    assert found
    return tuple(map(int, found.groups()))


def _told_by(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT)
    return done.stdout.strip()

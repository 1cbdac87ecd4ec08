"""A real nginx in front of the pages, with the location that docs/admin.md gives, or a careless one."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, create_server

from tests.judges.presence import requires
from tests.processes import started
from tests.waiting import LIMIT

DOC = Path(__file__).parents[2] / "docs" / "admin.md"

_SETTINGS = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{public};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
        {location}
    }}
}}
"""

CARELESS = "location /admin { proxy_pass http://127.0.0.1:8346; }"
"""It asks nobody who they are, and passes on what they send."""


def documented() -> str:
    """The first recipe for nginx in the docs."""
    block = re.search(r"```nginx\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    return block[1]


@contextmanager
def nginx(folder: Path, *, public: int, admin: int, location: str) -> Iterator[str]:
    """The address that it listens at; grace signs in with the password `hopper`."""
    requires("nginx", "openssl")
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = subprocess.run(
        ["openssl", "passwd", "-apr1", "hopper"], capture_output=True, text=True, check=True, timeout=LIMIT
    )
    (folder / "administrators").write_text(f"grace:{done.stdout}")
    location = location.replace("/etc/nginx/digest-administrators", str(folder / "administrators"))
    location = location.replace("127.0.0.1:8346", f"127.0.0.1:{admin}")
    user = "user root;" if os.geteuid() == 0 else ""  # the folder of the test is private
    settings = _SETTINGS.format(user=user, folder=folder, port=port, public=public, location=location)
    (folder / "nginx.conf").write_text(settings)
    with started("nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")):
        _await(port)
        yield f"http://127.0.0.1:{port}"


def _await(port: int) -> None:
    end = time.monotonic() + LIMIT
    while True:
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return

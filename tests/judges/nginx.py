"""A real nginx in front of the pages, with the location that docs/admin.md gives, or a careless one."""

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


def documented() -> tuple[str, ...]:
    """The recipes for nginx in the docs: with a file of users, and with oauth2-proxy."""
    return tuple(
        re.findall(r"```nginx\n(.*?)```", (DOCS / "admin.md").read_text(encoding="utf-8"), re.DOTALL)
    )


@contextmanager
def nginx(folder: Path, *, public: int, admin: int, location: str, oauth2: int = 0) -> Iterator[str]:
    """The address that it listens at; grace signs in with the password `hopper`, or at a port for OAuth 2."""
    requires("nginx", "openssl")
    port = free_port()
    done = subprocess.run(
        ["openssl", "passwd", "-apr1", "hopper"], capture_output=True, text=True, check=True, timeout=LIMIT
    )
    (folder / "administrators").write_text(f"grace:{done.stdout}")
    location = location.replace("/etc/nginx/digest-administrators", str(folder / "administrators"))
    location = location.replace("127.0.0.1:8346", f"127.0.0.1:{admin}")
    location = location.replace("127.0.0.1:4180", f"127.0.0.1:{oauth2}")
    user = "user root;" if os.geteuid() == 0 else ""  # the folder of the test is private
    settings = _SETTINGS.format(user=user, folder=folder, port=port, public=public, location=location)
    (folder / "nginx.conf").write_text(settings)
    with started("nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")) as process:
        await_port(port, process)
        yield f"http://127.0.0.1:{port}"

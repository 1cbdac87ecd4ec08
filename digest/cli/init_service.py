"""The commands with which root makes an installation a systemd service (docs/service.md)."""

import json
import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

_CONFIG = "/etc/arxiv-digest"
_PROGRAM = "/opt/arxiv-digest"
_SEARCHED = f"{_PROGRAM}/bin:/usr/local/bin:/usr/bin:/bin"
"""`PATH` in the units."""

_DISTRIBUTION = "arxiv-digest-mailer"


def service_lines(folder: Path, password_file: Path | None) -> list[str]:
    """Commands that install the program, the files and the units, and start the service."""
    from digest.cli.setup import CONFIG, SUBSCRIBERS
    from digest.config.package_data import systemd_folder

    subscribers, config = (shlex.quote(str(folder / name)) for name in (SUBSCRIBERS, CONFIG))
    lines = ["umask 022", *([] if _is_program_seen() else _program_lines())]
    lines += [
        f"mkdir -p {_CONFIG}",
        f"install -m 644 {subscribers} {_CONFIG}/",
        f"sed /^password_file/d {config} > {_CONFIG}/{CONFIG}",
    ]
    if password_file:
        lines.append(f"install -m 600 {shlex.quote(str(password_file))} {_CONFIG}/smtp-password")
    return [
        *lines,
        f"cp {shlex.quote(str(systemd_folder()))}/arxiv-digest* /etc/systemd/system/",
        "systemctl daemon-reload",
        "systemctl enable --now arxiv-digest",
    ]


def _is_program_seen() -> bool:
    """Whether the service finds the program. It cannot see home folders."""
    found = shutil.which("digest", path=_SEARCHED)
    return found is not None and not _is_in_a_home(Path(found).resolve())


def _program_lines() -> list[str]:
    python = Path(getattr(sys, "_base_executable", "") or "python3")
    command = "python3" if _is_in_a_home(python) else str(python)
    return [f"{command} -m venv {_PROGRAM}", f"{_PROGRAM}/bin/pip install {shlex.quote(_source())}"]


def _is_in_a_home(path: Path) -> bool:
    return any(path.is_relative_to(home) for home in ("/home", "/root", Path.home()))


def _source() -> str:
    """The wheel or folder that this program was installed from, if it still exists; else name and version."""
    try:
        installed = distribution(_DISTRIBUTION)
    except PackageNotFoundError:
        return str(Path(__file__).parents[2])
    origin = urlsplit(json.loads(installed.read_text("direct_url.json") or "{}").get("url", ""))
    path = unquote(origin.path)
    if origin.scheme == "file" and Path(path).exists():
        return path
    return f"{_DISTRIBUTION}=={installed.version}"

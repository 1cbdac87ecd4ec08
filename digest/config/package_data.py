"""The folders of other files than Python: in the installed package, or beside it in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def templates_folder() -> Path:
    return _folder("templates")


def systemd_folder() -> Path:
    return _folder("systemd")


def docs_folder() -> Path:
    return _folder("docs")


def _folder(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name

"""Files that a command reads once. They may be pipes, and `-` is standard input."""

import sys
from pathlib import Path

from digest.config.parsing import decoded, unreadable
from digest.errors import ConfigurationError

STANDARD = Path("-")


def label_of(path: Path) -> str:
    """What messages call the file."""
    return "standard input" if path == STANDARD else str(path)


def read_input(path: Path, *, most: int | None = None) -> bytes:
    """The bytes of the file. Raises `ConfigurationError`, also if there are more than `most`."""
    limit = -1 if most is None else most + 1
    try:
        if path == STANDARD:
            content = sys.stdin.buffer.read(limit) if sys.stdin else b""  # it may be closed
        else:
            with path.open("rb") as file:
                content = file.read(limit)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: no such file") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if most is not None and len(content) > most:
        raise ConfigurationError(f"{label_of(path)}: larger than {most // 1024 // 1024} MB")
    return content


def read_input_text(path: Path) -> str:
    """The same as text."""
    return decoded(read_input(path), label_of(path))

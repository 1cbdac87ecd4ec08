"""Secrets that are in files: passwords, and what proves to others who we are."""

import re
from pathlib import Path

from pydantic import SecretStr


def read_secret(path: Path) -> str:
    """The first line of a file that holds a secret. Raises `ValueError`, which never quotes the content."""
    try:
        secret = path.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None  # the cause would carry the secret
    if re.search(r"[\x00-\x1f\x7f]", secret):
        raise ValueError(
            f"{path} must hold only the password: it holds more than one line, or control characters"
        )
    return secret


def secret_of(file: Path | None, secret: SecretStr | None) -> SecretStr | None:
    """The secret of the file, or the other one. Raises `ValueError` if there are both, or it is empty."""
    if file is None:
        return secret
    if secret is not None:
        raise ValueError("the secret is also set; use only one of the two")
    if not (text := read_secret(file)):
        raise ValueError(f"{file} is empty; it must hold the secret and nothing else")
    return SecretStr(text)

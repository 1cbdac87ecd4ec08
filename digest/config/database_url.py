"""The address of a state in PostgreSQL, as libpq reads it; what is shown of it has no password."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

_SCHEMES = ("postgresql://", "postgres://")
_PASSWORD = re.compile(r"(?<=[?&])((?:ssl)?password)=[^&#]*")
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """`postgresql://user@host/database`, with all that libpq allows there: several hosts, `?sslmode=`, …

    `url` may hold a password. As text, the password is hidden: so it is safe in messages and logs.
    """

    url: str = field(repr=False)
    _shown: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return self._shown or masked(self.url)

    @property
    def has_password(self) -> bool:
        return str(self) != self.url

    def with_password(self, password: str) -> "DatabaseUrl":
        """Returns the address with this password as a parameter, which needs no user in the address."""
        joint = "&" if "?" in self.url else "?"
        return DatabaseUrl(f"{self.url}{joint}password={quote(password, safe='')}", str(self))


def is_database(text: object) -> bool:
    return isinstance(text, str) and text.startswith(_SCHEMES)


def is_address(text: object) -> bool:
    """Whether it is the address of some server, not the path of a file."""
    return isinstance(text, str) and "://" in text


def parse_state(text: str) -> Path | DatabaseUrl:
    """The path of a file, or the address of a database. Raises `ValueError`, which never quotes the text."""
    if is_database(text):
        return parse_database(text)
    if is_address(text):
        raise ValueError(f"must be the path of a file, or {_EXAMPLE}")
    return Path(text).expanduser()


def parse_database(text: str) -> DatabaseUrl:
    """Raises `ValueError`, which never quotes the text. libpq checks the rest when it connects."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(f"must be as {_EXAMPLE}") from None
    if re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError(f"must be as {_EXAMPLE}, without spaces: write a space as %20")
    if parts.fragment or "#" in text or "@" in parts.path:
        raise ValueError(
            f"must be as {_EXAMPLE}; in user and password write / as %2F, # as %23, ? as %3F and @ as %40"
        )
    return DatabaseUrl(text)


def masked(text: str) -> str:
    """Hides the password of an address, also of one that is not valid."""
    scheme, separator, rest = text.partition("://")
    user, at, host = rest.rpartition("@")
    if at and ":" in user:
        rest = f"{user.partition(':')[0]}:{_HIDDEN}@{host}"
    return _PASSWORD.sub(rf"\1={_HIDDEN}", f"{scheme}{separator}{rest}")


_EXAMPLE = "postgresql://USER@HOST/DATABASE"

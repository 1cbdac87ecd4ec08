"""What all tables of digest.toml share: their base class, a broken rule between keys, and kinds of values."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from digest.config.parsing import parse_address


class Section(BaseModel):
    """A table of digest.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class WrongKey(ValueError):
    """A rule between keys is broken; `key`, as in `smtp.username`, is the one to change."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


def parse_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bad port or IPv6 address
        is_good = False
    if not is_good or re.search(r"[\s\x00-\x1f\x7f]", value):
        raise ValueError("must be an http or https address")
    return value


def _seconds(value: object) -> object:
    """Seconds as a duration; pydantic refuses what is not a number."""
    try:
        return timedelta(seconds=float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return value


def expanded_path(value: str | Path) -> Path:
    return Path(value).expanduser()


Url = Annotated[str, AfterValidator(parse_url)]
Address = Annotated[str, BeforeValidator(parse_address)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
Count = Annotated[int, Field(ge=1)]
FilePath = Annotated[Path, AfterValidator(expanded_path)]
Line = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")]

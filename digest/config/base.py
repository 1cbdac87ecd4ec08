"""What several tables of digest.toml have in common."""

import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of digest.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def parse_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bad port or IPv6 address
        is_good = False
    if not is_good or re.search(r"[\s\x00-\x1f\x7f]", value):
        raise ValueError("allowed is an http or https address")
    return value

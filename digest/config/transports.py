"""The names that `delivery.transport` may have.

What there is to know about a transport is in the module of its name in `digest/service/transports`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A key that a transport cannot do without, and `what` it names."""

    table: str
    key: str
    what: str


TRANSPORTS: dict[str, Need | None] = {
    "smtp": Need(table="smtp", key="host", what="a server"),
    "maildir": None,
}
"""Each transport, with what it needs of digest.toml."""

ALLOWED = " or ".join(f'"{name}"' for name in TRANSPORTS)


def transport_name(name: str) -> str:
    if name not in TRANSPORTS:
        raise ValueError(f"must be {ALLOWED}")
    return name


def missing_for(transport: str, tables: Mapping[str, object]) -> str | None:
    """What digest.toml lacks for this transport; `tables` are those that were read."""
    need = TRANSPORTS[transport]
    if need is None or getattr(tables.get(need.table), need.key, None):
        return None
    return f'"{transport}" needs {need.what}: set {need.table}.{need.key}'

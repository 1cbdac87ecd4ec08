"""The name by which this machine greets a mail server (RFC 5321, section 4.1.1.1)."""

import socket
from functools import cache

from digest.config.parsing import is_full_name

_NOWHERE = ("arpa", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost")


def greeting_name(machine: str, sender: str) -> str | None:
    """`machine` where others can know that name, else the domain of `sender`; `None` if neither will do."""
    for name in (machine.rstrip("."), sender.rpartition("@")[2]):
        if is_full_name(name) and name.lower().rpartition(".")[2] not in _NOWHERE:
            return name
    return None


@cache
def machine_name() -> str:
    """The full name of this machine, as far as it knows it. It may ask the name service."""
    name = socket.gethostname()
    return name if "." in name else socket.getfqdn()

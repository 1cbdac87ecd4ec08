"""The addresses to which bounces and requests to unsubscribe are sent, with a token in each (VERP)."""

import re
from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase32

from digest.mail.message import wire_address

NAME = r"[A-Za-z0-9_.-]{1,64}"
"""A regular expression for a token, which may be unknown to the store."""

_LEAVE = "leave-"


def verp(address: str, token: str) -> str:
    """The envelope sender for one mailing: `bounce@example.org` becomes `bounce+TOKEN@example.org`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}"


def unverp(text: str, address: str) -> str | None:
    """The token in the first `verp` of `address` in `text`, for example in a To line."""
    local, _, domain = address.rpartition("@")
    domains = "|".join(re.escape(one) for one in {domain, wire_address(address).rpartition("@")[2]})
    pattern = rf"(?<![^\s<,;:\"])(?i:{re.escape(local)})\+({NAME})@(?i:{domains})(?![\w.-])"
    found = re.search(pattern, text)
    return found[1] if found else None


def leave_address(address: str, subscriber: str) -> str:
    """The address at which a mail unsubscribes the subscriber with this token. It is in lower case, because
    some servers convert it.
    """
    raw = urlsafe_b64decode(subscriber)
    return verp(address, _LEAVE + b32encode(raw).decode().rstrip("=").lower())


def subscriber_in(name: str) -> str:
    """The token of the subscriber in `leave_address`, or empty."""
    if not name.lower().startswith(_LEAVE):
        return ""
    code = name[len(_LEAVE) :].upper()
    try:
        return urlsafe_b64encode(b32decode(code + "=" * (-len(code) % 8))).decode()
    except (NotBase32, ValueError):
        return ""

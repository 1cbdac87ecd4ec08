"""Signatures of webhooks, as Standard Webhooks has them.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

import base64
import binascii
import hmac
import secrets
from datetime import datetime
from hashlib import sha256

_PREFIX = "whsec_"
_FEWEST, _MOST = 24, 64
"""Bytes of a key, as the standard recommends."""


def key_of(secret: str) -> bytes:
    """The key in `whsec_…`. Raises `ValueError`, which does not quote it."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _FEWEST <= len(key) <= _MOST:
        raise ValueError(
            "must be whsec_ and base64 of 24 to 64 random bytes: `digest channels secret` makes one"
        )
    return key


def signed_headers(secret: str, token: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """The three headers that prove who sent this body, and when. `token` lets a receiver drop repeats."""
    at = str(int(sent_at.timestamp()))
    signature = hmac.digest(key_of(secret), f"{token}.{at}.".encode() + body, sha256)
    return {
        "webhook-id": token,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def new_secret() -> str:
    """A secret of 32 random bytes, as the standard writes it."""
    return f"{_PREFIX}{base64.b64encode(secrets.token_bytes(32)).decode()}"

"""Signed values that a browser keeps for a while: nobody can change or forge them, and they end."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

_CODE = 32
"""Bytes of the authentication code at the end of a value."""

_LONGEST = 2_000
"""Characters; a browser need not keep a longer cookie than 4,096."""


class Signer:
    """Signs values with the key of an installation. A value of one purpose is not valid for another."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, purpose: str, content: Mapping[str, str], *, until: datetime) -> str:
        """The text for a cookie or a form: `content` can be read, but not changed."""
        raw = json.dumps([round(until.timestamp()), dict(content)], ensure_ascii=False).encode()
        return _text(raw + self._code(purpose, raw))

    def read(self, purpose: str, text: str, *, now: datetime) -> Mapping[str, str] | None:
        """What was signed; `None` if the text was not signed for this purpose, or has ended.

        Of all texts that base64 decodes to the same bytes, it takes only what `sign` returned.
        """
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= _LONGEST else b""
        except ValueError:
            return None
        signed, code = raw[:-_CODE], raw[-_CODE:]
        if _text(raw) != text or not hmac.compare_digest(code, self._code(purpose, signed)):
            return None
        until, content = json.loads(signed)  # we wrote it
        return dict(content) if now.timestamp() < until else None

    def derive(self, purpose: str, text: str) -> str:
        """A secret that only this installation can make of `text`: 43 letters, digits, - and _."""
        return _text(self._code(purpose, text.encode(errors="replace")))

    def _code(self, purpose: str, content: bytes) -> bytes:
        return hmac.digest(self._key, f"{len(purpose)} {purpose}".encode() + content, sha256)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")

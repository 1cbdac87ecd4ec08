"""Tokens for the world: each names a row and proves that this installation gave it out.

A token is a message authentication code over the row's number and what the row is about, and the number,
veiled by a keystream that follows from that code. So a token says nothing, nobody can make one, it is the
same each time, and none has to be kept. 12 + 6 bytes are 24 characters.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from hashlib import blake2b
from secrets import token_hex

_TOKEN = re.compile(r"[A-Za-z0-9_-]{24}", re.ASCII)
_CODE_BYTES = 12
_NUMBER_BYTES = 6
_MOST_ROWS = 10**9

_MAILING_BYTES = 12


class Kind(StrEnum):
    """What a token leads to; one of one kind is worth nothing as one of another."""

    SUBSCRIBER = "reader"
    LEAVING = "leaving"
    SUBSCRIBER_FEED = "reader feed"
    DIGEST = "digest"
    KEYWORD = "keyword"


def new_mailing_token() -> str:
    """Names a mailing to the world: at random, so that no two mailings ever have the same one.

    Its number is no name: a state that was restored gives the numbers of lost mailings to new ones
    (docs/decisions/restored-state.md).
    """
    return token_hex(_MAILING_BYTES)


def seal(secret: str, kind: Kind, number: int, about: str) -> str:
    """The token of row `number`; `about` keeps it from leading to another row that once gets that number."""
    code = _hash(secret, kind, f"{number} {about}".encode(), _CODE_BYTES)
    veil = _hash(secret, kind, code, _NUMBER_BYTES)
    return urlsafe_b64encode(code + _xor(veil, number.to_bytes(_NUMBER_BYTES))).decode()


def number_in(secret: str, kind: Kind, token: str) -> int | None:
    """The number that `token` claims to be of, which `is_seal` has to confirm; `None` for no token.

    So it is for nearly all that are made up, as they claim a number that no table comes to.
    """
    if not _TOKEN.fullmatch(token):
        return None
    raw = urlsafe_b64decode(token)
    code, veiled = raw[:_CODE_BYTES], raw[_CODE_BYTES:]
    number = int.from_bytes(_xor(_hash(secret, kind, code, _NUMBER_BYTES), veiled))
    return number if number < _MOST_ROWS else None


def is_seal(token: str, secret: str, kind: Kind, number: int, about: str) -> bool:
    """Whether it is the token of that row. Takes the same time for every wrong one."""
    return hmac.compare_digest(seal(secret, kind, number, about), token)


def subscriber_links(address: str, links: int) -> str:
    """What a subscriber's own tokens are about; others once `links` were made anew so often."""
    return f"{address} {links}" if links else address


def _hash(secret: str, kind: Kind, about: bytes, size: int) -> bytes:
    return blake2b(about, digest_size=size, key=secret.encode(), person=kind.encode()).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))

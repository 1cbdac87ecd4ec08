"""Public tokens: each identifies a row and proves that this installation made it.

A token has two parts. The first is a message authentication code over the row's number and a text about the
row. The second is the number, encrypted with a keystream that is derived from the code. A token therefore
reveals nothing, cannot be forged, is the same each time, and need not be stored. 12 + 6 bytes are 24
characters.
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
_NONCE_BYTES = 8
_MARK_BYTES = 8


class Kind(StrEnum):
    """The kind of page that a token opens. A token of one kind is not valid as another kind."""

    SUBSCRIBER = "reader"
    LEAVING = "leaving"
    SUBSCRIBER_FEED = "reader feed"
    DIGEST = "digest"
    KEYWORD = "keyword"
    INTEREST = "interest"
    SIGNUP = "sign-up"
    INVITE = "invite"


def new_mailing_token() -> str:
    """Returns a random public name for a mailing, so that no two mailings ever have the same name.

    The number cannot be the name: a restored state gives the numbers of lost mailings to new mailings
    (docs/decisions/restored-state.md).
    """
    return token_hex(_MAILING_BYTES)


def new_nonce() -> str:
    """Returns a random text for the `about` of a row, so that no other row ever has the same token."""
    return token_hex(_NONCE_BYTES)


def network_mark(secret: str, network: str) -> bytes:
    """Returns a hash by which a network is counted without being named."""
    return blake2b(network.encode(), digest_size=_MARK_BYTES, key=secret.encode(), person=b"network").digest()


def seal(secret: str, kind: Kind, number: int, about: str) -> str:
    """Returns the token of row `number`. `about` makes it invalid for a later row with this number."""
    code = _hash(secret, kind, f"{number} {about}".encode(), _CODE_BYTES)
    veil = _hash(secret, kind, code, _NUMBER_BYTES)
    return urlsafe_b64encode(code + (int.from_bytes(veil) ^ number).to_bytes(_NUMBER_BYTES)).decode()


def number_in(secret: str, kind: Kind, token: str) -> int | None:
    """Returns the row number in `token`, which `is_seal` must confirm; `None` for an invalid token.

    It is also `None` for nearly all forged tokens, since their number is higher than any table has.
    """
    if not _TOKEN.fullmatch(token):
        return None
    raw = urlsafe_b64decode(token)
    code, veiled = raw[:_CODE_BYTES], raw[_CODE_BYTES:]
    number = int.from_bytes(_hash(secret, kind, code, _NUMBER_BYTES)) ^ int.from_bytes(veiled)
    return number if number < _MOST_ROWS else None


def is_seal(token: str, secret: str, kind: Kind, number: int, about: str) -> bool:
    """Whether it is the token of that row. Takes the same time for every wrong token."""
    return hmac.compare_digest(seal(secret, kind, number, about), token)


def derived_key(secret: str, purpose: str) -> bytes:
    """Returns a key of this installation for one purpose. It shows nothing of `secret` or other keys."""
    return blake2b(purpose.encode(), digest_size=32, key=secret.encode(), person=b"derived key").digest()


def subscriber_links(address: str, links: int) -> str:
    """Returns the `about` text of a subscriber's own tokens. `links` counts how often they were renewed."""
    return f"{address} {links}" if links else address


def _hash(secret: str, kind: Kind, about: bytes, size: int) -> bytes:
    return blake2b(about, digest_size=size, key=secret.encode(), person=kind.encode()).digest()

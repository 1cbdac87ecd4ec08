"""The links by which a subscriber judges a paper: encoded once for all, around the subscriber's own token."""

import re
from typing import NamedTuple, TypeAlias

from digest.mail.links import Links

_LONGEST = 64
"""A token of so many characters stands on at most two lines of quoted-printable."""

_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{1,{_LONGEST}}}", re.ASCII)

Parts: TypeAlias = tuple[tuple[bytes, int], ...]
"""Pieces in quoted-printable, a token after each; a soft line break is after so many of its characters."""


class Address(NamedTuple):
    """The address at which subscribers judge papers: `start`, and a token of `length` characters.

    All tokens of one length take the same place in quoted-printable: they have only characters that stand for
    themselves.
    """

    start: str
    length: int

    def links(self, letter: str) -> Links:
        """The links of a subscriber whose token has this letter only."""
        return Links(judging=self.start + letter * self.length)


class OwnToken(dict[int, bytes]):
    """A subscriber's token in quoted-printable, by the number of characters before a soft line break.

    0 is the token without a break.
    """

    def __init__(self, token: str) -> None:
        super().__init__({0: token.encode()})

    def __missing__(self, at: int) -> bytes:
        broken = self[at] = self[0][:at] + b"=\r\n" + self[0][at:]
        return broken


def split(judging: str) -> tuple[Address, OwnToken]:
    """An address that does not end in a token is the same for nobody else."""
    start, slash, token = judging.rpartition("/")
    if _TOKEN.fullmatch(token):
        return Address(start + slash, len(token)), OwnToken(token)
    return Address(judging, 0), OwnToken("")


def around_tokens(encoded: bytes, other: bytes, length: int) -> tuple[Parts, bytes]:
    """The parts of `encoded` that end at a token, and the rest.

    `other` has other tokens of this length, without a letter in common, and no other difference.
    """
    places = [at for at, (one, another) in enumerate(zip(encoded, other, strict=True)) if one != another]
    parts, done = [], 0
    for number in range(0, len(places), length or 1):
        token = places[number : number + length]
        soft_break = next((at for at in range(1, length) if token[at] > token[at - 1] + 1), 0)
        parts.append((encoded[done : token[0]], soft_break))
        done = token[-1] + 1
    return tuple(parts), encoded[done:]

"""Texts with some bytes lost, doubled, exchanged or put in; the same for the same seed."""

import random
from collections.abc import Sequence


def damaged(sources: Sequence[bytes], pieces: Sequence[bytes], seed: int) -> bytes:
    """One of `sources`, with up to 39 changes; `pieces` and parts of the sources are put in."""
    chance = random.Random(seed)
    text = bytearray(chance.choice(sources))
    for _ in range(chance.randrange(1, 40)):
        at = chance.randrange(len(text) or 1)
        match chance.randrange(4):
            case 0:
                text[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del text[at : at + chance.randrange(1, 60)]
            case 2:
                text[at:at] = chance.choice(sources)[chance.randrange(500) :][: chance.randrange(300)]
            case _:
                text[at:at] = chance.choice(pieces)
    return bytes(text)

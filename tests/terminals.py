"""What a command shows on a terminal."""

import os
import select
import time
from collections.abc import Iterator

from tests.waiting import LIMIT


def shown_on(terminal: int, seconds: float = LIMIT) -> Iterator[bytes]:
    """What comes, piece by piece, until the command has ended. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # so Linux says that nobody writes there any more
            return
        if not piece:
            return
        yield piece
    raise TimeoutError(f"the command did not end within {seconds:.0f} s")

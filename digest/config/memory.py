"""One heap for all threads of the process, and no larger than it has to be."""

import gc

_M_ARENA_MAX = -8  # malloc.h of glibc


def share_heap() -> None:
    """Lets what one thread freed serve the others (mallopt(3)); call it before threads are begun.

    glibc gives each thread a heap of its own, and what a fetch needed is then of no use to those that compose
    and write: 40 MB of 165. Only one of our threads runs at a time, so none waits. Where the system has no
    such choice, this does nothing.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


_RARELY = 50_000
_AT_START = 200_000
"""New objects after which Python looks for rings of them; by itself it does so after some hundred."""


def collect_rarely() -> None:
    """Lets the search for rings of objects come seldom.

    Papers, digests and mails are no rings, and modules stay: looking through them again and again took a
    tenth of the time of writing, and of starting.
    """
    gc.set_threshold(_AT_START, 10, 10)


def keep_what_is_there() -> None:
    """Lets that search pass over all that has been imported; for a process that is about to work for long.

    It comes more often then, since a process that works holds the rings until the next one: 17 MB of 300.
    """
    gc.freeze()
    gc.set_threshold(_RARELY, 10, 10)


def trim_heap() -> None:
    """Gives the system back what the heap has free (malloc_trim(3)): after a large fetch, 20 MB of 112."""
    import ctypes

    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)

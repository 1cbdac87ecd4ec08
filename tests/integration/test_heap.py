"""What one thread freed serves the others."""

import os
import subprocess
import sys

import pytest

# Ten threads, one after another while all live, each fill 20 MB and free all but the last of it.
_THREADS_IN_TURN = """
import sys, threading
from bench.peak import peak_bytes
from digest.config.memory import share_heap

if sys.argv[1] == "shared":
    share_heap()
kept, done, is_over = [], threading.Semaphore(0), threading.Event()

def fill():
    blocks = [b"x" * 60_000 for _ in range(330)]
    kept.append(blocks[-1])
    blocks.clear()
    done.release()
    is_over.wait()

before = peak_bytes()
threads = [threading.Thread(target=fill) for _ in range(10)]
for thread in threads:
    thread.start()
    done.acquire()
is_over.set()
print(peak_bytes() - before)
"""


def grown(heap: str) -> int:
    """By how many bytes the process grew."""
    done = subprocess.run(
        [sys.executable, "-c", _THREADS_IN_TURN, heap],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return int(done.stdout)


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="only glibc has many heaps")
def test_what_one_thread_freed_serves_the_others() -> None:
    assert grown("shared") < 40e6 < 100e6 < grown("apart")

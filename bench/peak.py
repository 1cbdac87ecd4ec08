"""Runs one `digest` command in this process: `python -m bench.peak FILE COMMAND …`.

At the end FILE has the most memory that it ever held, in bytes, and the seconds of processor time it took.
"""

import re
import resource
import sys
import time
from pathlib import Path

from digest.cli import main as digest

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The greatest resident size of this process so far.

    Where the system tells, without what the process held before it became this program: `ru_maxrss` of a
    child begins with its parent's size.
    """
    if _STATUS.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
        if found:
            return int(found[1]) * 1024
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def main() -> None:
    _, report, *command = sys.argv
    sys.argv = ["digest", *command]
    try:
        digest()
    finally:
        Path(report).write_text(f"{peak_bytes()} {time.process_time()}", encoding="ascii")


if __name__ == "__main__":
    main()

"""Runs one `digest` command in this process: `python -m bench.peak FILE COMMAND …`.

At the end FILE has the most memory that it ever held, in bytes, and the seconds of processor time that it and
the processes it began took.
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
    if found := _size("VmHWM", _STATUS):
        return found
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def family_bytes(pid: int) -> int:
    """The memory that a running process and its descendants hold at this moment; 0 if unknown.

    It is the sum of their proportional sizes (proc(5), smaps_rollup): what they share counts once.
    """
    return sum(_size("Pss", Path(f"/proc/{one}/smaps_rollup")) for one in family(pid))


def family(pid: int) -> list[int]:
    """A running process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in family(int(child)))]


def _size(which: str, status: Path) -> int:
    """0 where the system does not tell, or the process has ended."""
    try:
        found = re.search(rf"\b{which}:\s+(\d+) kB", status.read_text(encoding="ascii"))
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def main() -> None:
    _, report, *command = sys.argv
    sys.argv = ["digest", *command]
    try:
        digest()
    finally:
        others = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = time.process_time() + others.ru_utime + others.ru_stime
        Path(report).write_text(f"{peak_bytes()} {cpu}", encoding="ascii")


if __name__ == "__main__":
    main()

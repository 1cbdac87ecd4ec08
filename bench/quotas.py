"""Control groups (cgroups(7)), each with a part of a core: as if its processes had a machine of their own.

On a machine with few cores, digest, the simulated arXiv and the sink take them from each other. The quota is
so small that all others always find a free core.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SHARE = 0.25
"""The part of a core."""

_PERIOD = 100_000
"""Microseconds; the length of a period of the scheduler."""

_GROUPS = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
"""Where version 1 and version 2 of control groups are."""


@contextmanager
def quotas(number: int) -> Iterator[Sequence[Path] | None]:
    """So many control groups; `None` where they cannot be made."""
    parent = next((one for one in _GROUPS if one.is_dir()), None)
    groups = [parent / f"digest-bench-{place}" for place in range(number)] if parent else []
    try:
        try:
            for group in groups:
                _make(group)
        except OSError:
            groups = []
        yield groups or None
    finally:
        for group in groups:
            with suppress(OSError):
                group.rmdir()


def put(process: int, group: Path) -> None:
    with suppress(OSError):  # it has ended
        (group / "cgroup.procs").write_text(str(process), encoding="ascii")


def _make(group: Path) -> None:
    quota = int(SHARE * _PERIOD)
    group.mkdir()
    if (group / "cpu.cfs_quota_us").exists():
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD), encoding="ascii")
        (group / "cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")
    else:
        (group / "cpu.max").write_text(f"{quota} {_PERIOD}", encoding="ascii")

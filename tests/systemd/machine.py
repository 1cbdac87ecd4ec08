"""A Debian 12 of its own under its own systemd, in a container that has no network but loopback."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PACKAGES = "dbus,python3,python3-venv,systemd,systemd-sysv"
_TOOLS = ("debootstrap", "nsenter", "setpriv", "systemd-nspawn", "unshare")

# nspawn asks for a /run/systemd that nobody else uses; where the host has no systemd, there is none.
_BOOT = """\
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd
exec systemd-nspawn --quiet --boot --directory="$1" --machine="$2" --console=read-only \
    --register=no --keep-unit "$3"
"""

# Without this, all machines at a time are in one control group.
_ALONE = """\
for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ -e "$tree/cgroup.procs" ]; then
        mkdir -p "$tree/$2" && echo $$ >"$tree/$2/cgroup.procs"
    fi
done
"""


class CannotRun(Exception):
    """This host cannot have such a machine, for the reason given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A running one: `root` is its file system as the host sees it, `leader` its process 1."""

    root: Path
    leader: int

    def __call__(self, *command: str) -> str:
        """What a command that succeeds there, as root, writes to standard output."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """The same for a command that may fail."""
        return subprocess.run(
            [*_inside(self.leader), *command], capture_output=True, text=True, check=False, timeout=180
        )

    def shell(self, script: str, folder: str = "/root", **environ: str) -> str:
        """Runs lines as somebody would type them in `folder`, and stops at the first that fails."""
        named = [f"{name}={value}" for name, value in environ.items()]
        return self("env", "-C", folder, *named, "bash", "-euo", "pipefail", "-c", script)

    def path(self, inside: str) -> Path:
        """A path of the machine, as the host sees it."""
        return self.root / inside.removeprefix("/")


def _inside(leader: int) -> tuple[str, ...]:
    namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
    return ("nsenter", f"--target={leader}", *namespaces, "--")


def build_root(root: Path) -> None:
    """Installs a minimal system into `root`, which takes a minute. Raises `CannotRun`."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        raise CannotRun(f"a booted machine needs root and {', '.join(missing or _TOOLS)}")
    command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        raise CannotRun(f"debootstrap failed: {_last_line(done.stdout + done.stderr)}")


def copy_root(root: Path, to: Path, *, hostname: str = "one") -> None:
    """Another machine with the same system, which takes a second."""
    subprocess.run(["cp", "--archive", "--one-file-system", root, to], check=True, timeout=300)
    (to / "etc/hostname").write_text(f"{hostname}\n")


@contextmanager
def booted(root: Path, *, name: str = "arxiv-digest-test", network: Path | None = None) -> Iterator[Machine]:
    """The machine runs inside the `with`; it also ends when this process does. Raises `CannotRun`.

    With a `network`, a namespace that is there, it can run beside others of another `name`.
    """
    console = root.with_name(f"{root.name}.console")
    script = f"{_ALONE if network else ''}{_BOOT}"
    reach = f"--network-namespace-path={network}" if network else "--private-network"
    alone = ["setpriv", "--pdeathsig=TERM", "unshare", "--mount"]
    command = [*alone, "sh", "-euc", script, "sh", str(root), name, reach]
    with (
        console.open("wb") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as nspawn,
    ):
        try:
            yield Machine(root=root, leader=_leader(nspawn, console))
        finally:
            _end(nspawn)
            if network:
                _remove_groups(name)


def _leader(nspawn: "subprocess.Popen[bytes]", console: Path) -> int:
    """Process 1 of the machine, as soon as that has started everything."""
    deadline = time.monotonic() + 90
    while nspawn.poll() is None and time.monotonic() < deadline:
        for child in Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split():
            command = [*_inside(int(child)), "systemctl", "is-system-running"]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
            if done.stdout.strip() in {"running", "degraded"}:
                return int(child)
        time.sleep(0.2)
    raise CannotRun(f"systemd-nspawn cannot boot here: {_last_line(console.read_text(errors='replace'))}")


def _end(nspawn: "subprocess.Popen[bytes]") -> None:
    """nspawn takes SIGTERM as the wish to shut the machine down."""
    nspawn.terminate()
    try:
        nspawn.wait(60)
    except subprocess.TimeoutExpired:
        nspawn.kill()


def _remove_groups(name: str) -> None:
    for tree in ("systemd", "unified", "."):
        group = Path("/sys/fs/cgroup") / tree / name
        command = ["find", str(group), "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]
        subprocess.run(command, capture_output=True, check=False, timeout=30)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it says nothing"


def wait_until(is_true: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)

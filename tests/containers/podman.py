"""Podman with a storage of its own, and one container of the image that Containerfile describes.

No image is pulled: the base is a Debian that debootstrap makes.
"""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.systemd.machine import CannotRun

BASE = "docker.io/library/debian:trixie-slim"
IMAGE = "localhost/arxiv-digest:local"
LIMITS = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs=/tmp:size=64m")
"""The same as in compose.yaml."""

_TOOLS = ("debootstrap", "podman", "runc")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Podman:
    """`folder` has everything that it writes."""

    folder: Path

    def attempt(self, *arguments: str, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
        own = (f"--root={self.folder}/storage", f"--runroot={self.folder}/run", "--storage-driver=overlay")
        command = ["podman", *own, "--runtime=runc", "--cgroup-manager=cgroupfs", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)

    def __call__(self, *arguments: str, seconds: float = 120) -> str:
        """What a command that succeeds writes to standard output."""
        done = self.attempt(*arguments, seconds=seconds)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def inspect(self, name: str, part: str) -> object:
        return json.loads(self("inspect", f"--format={{{{json {part}}}}}", name))


def import_base(podman: Podman) -> None:
    """Makes the base of the image, which takes a minute. Raises `CannotRun`."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        raise CannotRun(f"a container needs root and {', '.join(missing or _TOOLS)}")
    root, tarball = podman.folder / "base", podman.folder / "base.tar"
    command = ["debootstrap", "--variant=minbase", "trixie", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        raise CannotRun(f"debootstrap failed: {(done.stdout + done.stderr).strip()[-200:]}")
    shutil.rmtree(root / "var/cache/apt")
    subprocess.run(
        ["tar", "--create", "--one-file-system", f"--file={tarball}", f"--directory={root}", "."],
        check=True,
        timeout=300,
    )
    podman("import", "--quiet", str(tarball), BASE, seconds=300)
    shutil.rmtree(root)
    tarball.unlink()


def build_image(podman: Podman, checkout: Path) -> str:
    """What the build printed. pip takes this machine's certificates, since the base has none of them."""
    pip = podman.folder / "pip.conf"
    pip.write_text("[global]\ncert = /certificates.pem\n")
    volumes = (f"{pip}:/etc/pip.conf:ro", f"{_CERTIFICATES}:/certificates.pem:ro")
    return podman(
        "build",
        "--format=docker",  # the other format has no health checks
        "--network=host",
        "--isolation=chroot",
        *(f"--volume={volume}" for volume in volumes),
        f"--tag={IMAGE}",
        f"--file={checkout}/Containerfile",
        str(checkout),
        seconds=900,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One of the image, under `LIMITS` and in this machine's network."""

    podman: Podman
    name: str = "arxiv-digest-test"

    def start(self, *, environ: Mapping[str, str], volumes: tuple[str, ...] = ()) -> None:
        self.podman("run", "--detach", *self._options(environ, volumes), IMAGE)

    def run(self, *arguments: str, environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """A container that only runs one command of digest."""
        return self.podman.attempt("run", "--rm", *self._options(environ, ()), IMAGE, *arguments)

    def _options(self, environ: Mapping[str, str], volumes: tuple[str, ...]) -> tuple[str, ...]:
        _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"--name={self.name}",
            "--network=host",
            f"--ulimit=nofile={most_files}:{most_files}",  # podman would ask for more than this machine has
            "--ulimit=nproc=4096:4096",
            *LIMITS,
            *(f"--env={name}={value}" for name, value in environ.items()),
            *(f"--volume={volume}" for volume in volumes),
        )

    def attempt(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return self.podman.attempt("exec", self.name, *command)

    def __call__(self, *command: str) -> str:
        """What a command that succeeds in the container writes to standard output."""
        return self.podman("exec", self.name, *command)

    def stop(self) -> int:
        """Stops it as an operator does; returns its exit code."""
        self.podman("stop", "--time=30", self.name)
        return int(str(self.podman.inspect(self.name, ".State.ExitCode")))

    @property
    def log(self) -> str:
        done = self.podman.attempt("logs", self.name)
        return done.stdout + done.stderr

    def remove(self) -> None:
        self.podman.attempt("rm", "--force", "--time=5", "--volumes", self.name)

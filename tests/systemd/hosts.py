"""Hosts that share a database as docs/service.md says: machines on a bridge, and a PostgreSQL there."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from tests.crash.networks import Networks
from tests.postgresql import Server, programs
from tests.systemd.machine import CannotRun, Machine, booted, copy_root
from tests.systemd.service import documented

PASSWORD = "steeped in the cup"
_RENAMED = "psql --quiet --command='ALTER ROLE digest RENAME TO first'\n"


@contextmanager
def database_at(address: str) -> Iterator[None]:
    """A server that did what the recipe has typed on its host, and was restarted then."""
    found = programs()
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = Server(found, Path(folder), options=_encrypting(Path(folder), address))
        try:
            server.execute("CREATE ROLE postgres SUPERUSER LOGIN")
            # The role that made the cluster has the name of the one that the recipe creates.
            typed = documented("two hosts: database").replace("192.0.2.0/24", f"{address}/24")
            _administer(found, server, _RENAMED + typed)
            assert "listen_addresses = '*'" in (server.data / "postgresql.auto.conf").read_text()
            server.options["listen_addresses"] = address  # of all, the only one that is the test's
            server.restart("fast")
            yield
        finally:
            server.stop()


def _encrypting(folder: Path, address: str) -> dict[str, str]:
    """What Debian's installation of the server brings."""
    key, certificate = folder / "server.key", folder / "server.crt"
    issued = trustme.CA().issue_cert(address)
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(certificate)
    shutil.chown(key, "postgres")
    key.chmod(0o600)
    return {"ssl": "on", "ssl_key_file": str(key), "ssl_cert_file": str(certificate)}


def _administer(found: Path, server: Server, script: str) -> None:
    """Types lines as the user postgres, and the new password twice where it is asked for."""
    user = pwd.getpwnam("postgres")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        input=f"{PASSWORD}\n{PASSWORD}\n",
        env={"PATH": f"{found}:{os.environ['PATH']}", "PGHOST": str(server.folder)},
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        start_new_session=True,  # so that it does not ask a terminal
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@dataclass(slots=True, kw_only=True)
class Host:
    """A machine of the bridge, which can be switched on and off."""

    name: str
    root: Path
    bridge: Networks
    _power: ExitStack = field(default_factory=ExitStack)
    _machine: Machine | None = None

    @property
    def machine(self) -> Machine:
        assert self._machine is not None, f"{self.name} is off"
        return self._machine

    def switch_on(self) -> None:
        """Returns when all its services have started."""
        running = booted(
            self.root, name=f"{self.bridge.tag}{self.name}", network=self.bridge.namespace(self.name)
        )
        self._machine = self._power.enter_context(running)

    def cut_power(self) -> None:
        """Nothing in it can do anything any more."""
        os.kill(self.machine.leader, signal.SIGKILL)
        self.switch_off()

    def switch_off(self) -> None:
        self._power.close()
        self._machine = None

    def install(self, downloads: Path, configuration: str) -> None:
        """Follows the recipe, for a mail server that needs no login."""
        home = self.machine.path("/root")
        shutil.copytree(downloads, home, dirs_exist_ok=True)
        (home / "digest.toml").write_text(documented("two hosts: settings") + configuration)
        (home / "subscribers.toml").write_text("")
        (home / "state-password").write_text(f"{PASSWORD}\n")
        lines = (documented("two hosts: before the installation") + documented("install")).splitlines()
        typed = "\n".join(line for line in lines if "smtp-password" not in line)
        self.machine.shell(typed, PIP_NO_INDEX="1", PIP_FIND_LINKS="/root")

    def digest(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = ("env", "-C", "/etc/arxiv-digest", "COLUMNS=200", "/opt/arxiv-digest/bin/digest")
        return self.machine.attempt(*command, *words)


@contextmanager
def hosts_on(bridge: Networks, root: Path, folder: Path) -> Iterator[tuple[Host, ...]]:
    """One for each host of the bridge, switched on. They know the database's host by its name."""
    with ExitStack() as stack:
        made = []
        for name in bridge.hosts:
            host = Host(name=name, root=folder / name, bridge=bridge)
            stack.callback(shutil.rmtree, host.root, ignore_errors=True)
            copy_root(root, host.root, hostname=name)
            (host.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{bridge.address} db.lab.example\n")
            stack.callback(host.switch_off)
            try:
                host.switch_on()
            except CannotRun as reason:
                pytest.skip(str(reason))
            made.append(host)
        yield tuple(made)

"""Network namespaces for hosts, on a bridge of this machine. No traffic leaves it."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

_NETWORK = "10.213.57"
"""Of a range for private networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """A bridge, and for each host a namespace. `address` is that of this process on the bridge."""

    tag: str
    network: str
    hosts: Sequence[str]

    @property
    def address(self) -> str:
        return f"{self.network}.1"

    def namespace(self, host: str) -> Path:
        return Path("/run/netns") / f"{self.tag}{host}"

    def inside(self, host: str) -> tuple[str, ...]:
        """The command that runs another one in the network of a host."""
        return "ip", "netns", "exec", f"{self.tag}{host}"

    def cut(self, host: str) -> None:
        _ip("link", "set", f"{self.tag}{host}", "down")

    def mend(self, host: str) -> None:
        _ip("link", "set", f"{self.tag}{host}", "up")


@contextmanager
def networks(hosts: Sequence[str], network: str = _NETWORK) -> Iterator[Networks]:
    """Skips the test where this is not allowed, or there are no tools."""
    if os.geteuid() != 0:
        pytest.skip("only root can make network namespaces")
    tag = f"dg{token_hex(2)}"
    made = Networks(tag=tag, network=network, hosts=hosts)
    try:
        _make(made)
    except (OSError, subprocess.CalledProcessError) as error:
        _remove(made)
        pytest.skip(f"network namespaces cannot be made here: {error}")
    try:
        yield made
    finally:
        _remove(made)


def _make(networks: Networks) -> None:
    tag = networks.tag
    _ip("link", "add", tag, "type", "bridge")
    _ip("address", "add", f"{networks.address}/24", "dev", tag)
    _ip("link", "set", tag, "up")
    for number, host in enumerate(networks.hosts, 2):
        name = f"{tag}{host}"
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", name, "master", tag, "up")
        _ip("-n", name, "address", "add", f"{networks.network}.{number}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")


def _remove(networks: Networks) -> None:
    for host in networks.hosts:
        with suppress(OSError, subprocess.CalledProcessError):
            _ip("netns", "delete", f"{networks.tag}{host}")
    with suppress(OSError, subprocess.CalledProcessError):
        _ip("link", "delete", networks.tag)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


@asynccontextmanager
async def forwarded(address: str, to: int | Path) -> AsyncIterator[int]:
    """A port at `address` whose connections go on to a port of loopback, or to a socket.

    At the end it closes those that are still open, as a host leaves them that was cut off.
    """
    writers: set[asyncio.StreamWriter] = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        with suppress(OSError):
            opened = asyncio.open_unix_connection(to) if isinstance(to, Path) else _to_port(to)
            there_reader, there_writer = await opened
            writers.add(there_writer)
            await asyncio.gather(_pipe(reader, there_writer), _pipe(there_reader, writer))

    server = await asyncio.start_server(forward, address, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # until the transports have closed their sockets


async def _to_port(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(1 << 16):
            writer.write(some)
            await writer.drain()
    writer.close()

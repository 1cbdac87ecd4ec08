"""Notifies systemd: ready, alive, stopping. See sd_notify(3)."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta


class Notifier:
    """Sends to the socket that `environ` names. Does nothing without one (no systemd)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog = timedelta(microseconds=int(environ.get("WATCHDOG_USEC") or 0))
        # Opened once: notifications still work when no more files can be opened.
        self._sender = _sender() if self._address else None

    def close(self) -> None:
        """Closes the socket. Later notifications are ignored."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    @property
    def alive_every(self) -> timedelta | None:
        """How often to send `alive`: half of the watchdog's time; `None` without a watchdog."""
        return self._watchdog / 2 or None

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=finishing the mail in hand")

    def _send(self, state: str) -> None:
        if self._sender is None:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # If systemd cannot receive now, the service must still go on.
        with suppress(OSError):
            self._sender.sendto(state.encode(), address)


def _sender() -> socket.socket:
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sender.setblocking(False)
    return sender

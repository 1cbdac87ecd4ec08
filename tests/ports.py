"""Ports of loopback that nobody else is given while a test uses them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller

from tests.waiting import LIMIT


@contextmanager
def unused_port() -> Iterator[int]:
    """Refuses connections: it is taken, but nothing listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def smtp_server(handler: Any) -> Iterator[int]:
    """A real SMTP server of its own thread, whose mails `handler` takes: its port."""
    controller = _OwnPort(handler)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


class _OwnPort(Controller):
    """Takes a free port itself; aiosmtpd wants to be told one."""

    def __init__(self, handler: Any) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        super().__init__(handler, hostname="127.0.0.1", port=port, ready_timeout=LIMIT)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)

    def _trigger_server(self) -> None:
        """Waits for the greeting; aiosmtpd waits for a second at most."""
        with socket.create_connection((self.hostname, self.port), LIMIT) as greeted:
            greeted.recv(1024)

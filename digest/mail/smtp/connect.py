"""Opens a connection to a mail server: greeting, TLS, login."""

import asyncio
import base64
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from ipaddress import ip_address
from typing import Literal

import aiosmtplib

from digest.config.parsing import is_full_name
from digest.errors import ServerUnavailable
from digest.mail.smtp.connection_errors import explain_unreached
from digest.mail.smtp.reply import Reply, Stage
from digest.mail.smtp.reply_codes import judge

_NOWHERE = ("arpa", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost")

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server and how to reach it. `timeout` applies to each answer; `connections` is the most at once.

    After `messages_per_connection` mails a connection is closed and another one is opened. If
    `bounce_address` is set, the envelope sender is that address with the mailing's token
    (`digest.mail.return_addresses.verp`). The name in EHLO is `helo`, else the result of `greeting_name` for
    this machine and `sender`.

    `starttls` and `tls` require a certificate that this machine trusts and that is valid for `host`.
    """

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connections: int = 2
    messages_per_connection: int | None = None
    bounce_address: str | None = None
    helo: str | None = None
    sender: str = ""
    timeout: timedelta = timedelta(seconds=60)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def connect(server: SmtpServer) -> aiosmtplib.SMTP:
    """A connection that can send mails. Raises `ServerUnavailable` with cause and remedy."""
    client = await greet(server)
    try:
        await encrypt(server, client)
        await log_in(server, client)
    except BaseException:
        client.close()
        raise
    return client


async def greet(server: SmtpServer) -> aiosmtplib.SMTP:
    """A connection, encrypted if `security` is `tls`. Raises `ServerUnavailable`."""
    if server.security == "none" and server.username is not None and not _is_loopback(server.host):
        raise ServerUnavailable(
            str(server),
            "the password was not sent, because the connection would not be encrypted",
            'set smtp.security to "starttls" or "tls"',
        )
    client = aiosmtplib.SMTP(
        local_hostname=await name_for(server),
        hostname=server.host,
        port=server.port,
        timeout=server.timeout.total_seconds(),
        use_tls=server.security == "tls",
        start_tls=False,  # done below, to distinguish its failures from those of the login
    )
    try:
        with explained(server, Stage.GREETING):
            await client.connect()
        with explained(server, Stage.HELLO):
            await _say_hello(client)
    except BaseException:
        client.close()
        raise
    return client


async def name_for(server: SmtpServer) -> str | None:
    """The name for EHLO; `None` if only a short name is known."""
    return server.helo or greeting_name(await asyncio.to_thread(machine_name), server.sender)


async def _say_hello(client: aiosmtplib.SMTP) -> None:
    """EHLO, or HELO for a server from before 1995."""
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as refusal:
        if refusal.code not in {500, 502}:
            raise
        await client.helo()


async def encrypt(server: SmtpServer, client: aiosmtplib.SMTP) -> None:
    """Starts TLS if `security` is `starttls`. Raises `ServerUnavailable`."""
    if server.security != "starttls":
        return
    if not client.supports_extension("starttls"):
        raise ServerUnavailable(
            str(server),
            "the server offers no encryption (STARTTLS), so nothing was sent",
            'try port 465 with smtp.security = "tls"; "none" is for a server on this machine',
        )
    with explained(server, Stage.TLS):
        await client.starttls()
    with explained(server, Stage.HELLO):
        await client.ehlo()


async def log_in(server: SmtpServer, client: aiosmtplib.SMTP) -> None:
    """Logs in if `username` is set. Raises `ServerUnavailable`, which quotes no secret."""
    if server.username is None:
        return
    username, password = server.username, server.password or ""
    methods = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
    offered = [log_in for name, log_in in methods.items() if name in client.server_auth_methods]
    if not offered:
        raise ServerUnavailable(
            str(server),
            "the server offers no login with a password",
            "check smtp.port (587 or 465), or remove smtp.username",
        )
    try:
        with explained(server, Stage.LOGIN):
            await offered[0](username, password)  # only one try: more may lock the account
    except ServerUnavailable as error:
        # A server may quote what it was sent, so its words are cleaned and the exception has no cause.
        reason = _without_secret(error.reason, username, password)
        raise ServerUnavailable(error.server, reason, error.remedy) from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _without_secret(text: str, username: str, password: str) -> str:
    plain = f"\0{username}\0{password}".encode()
    for secret in (base64.b64encode(plain).decode(), base64.b64encode(password.encode()).decode(), password):
        text = text.replace(secret, "…") if secret else text
    return text


@contextmanager
def explained(server: SmtpServer, stage: Stage) -> Iterator[None]:
    """Converts every failure of the network, of TLS and of the server to `ServerUnavailable`."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as refusal:
        raise refused(server, stage, Reply(code=refusal.code, text=refusal.message)) from refusal
    except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
        raise ServerUnavailable(
            str(server), *explain_unreached(stage, server.security, server.timeout, error)
        ) from error


def refused(server: SmtpServer, stage: Stage, reply: Reply) -> ServerUnavailable:
    """The error for a reply that concerns every mail."""
    verdict = judge(stage, reply)
    return ServerUnavailable(str(server), f"{verdict.cause} ({reply})", verdict.remedy, verdict.wait)


def greeting_name(machine: str, sender: str) -> str | None:
    """The name for EHLO (RFC 5321, section 4.1.1.1); `None` if neither name is suitable.

    It is `machine` if that name may be known to others, else the domain of `sender`.
    """
    for name in (machine.rstrip("."), sender.rpartition("@")[2]):
        if is_full_name(name) and name.lower().rpartition(".")[2] not in _NOWHERE:
            return name
    return None


@cache
def machine_name() -> str:
    """The full name of this machine, if it is known. This may query the name service."""
    name = socket.gethostname()
    return name if "." in name else socket.getfqdn()

"""Checks the mail server in steps: name, connection, encryption, certificate, login, sender."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiosmtplib

from digest.errors import ServerUnavailable
from digest.mail.message import wire_address
from digest.mail.return_addresses import verp
from digest.mail.smtp.connect import (
    SmtpServer,
    encrypt,
    explained,
    greet,
    log_in,
    machine_name,
    name_for,
    refused,
)
from digest.mail.smtp.reply import Reply, ReplyClass, Stage
from digest.mail.smtp.reply_codes import judge
from digest.service.finding import Finding, failed, ok, warning

_PATIENCE = timedelta(seconds=30)
_PROBE_SECONDS = 5.0
_RENEWAL = timedelta(days=7)
_MAILING = "0" * 24  # as long as the token of a mailing

_LOGINS = {
    "gmail.com": "Gmail: turn on 2-Step Verification, then create an app password at"
    " https://myaccount.google.com/apppasswords",
    "office365.com": "Microsoft 365: an administrator must turn on Authenticated SMTP for this user; security"
    " defaults or conditional access must not forbid it",
    "smtp-mail.outlook.com": "private accounts of outlook.com accept no passwords from programs: use another"
    " server",
    "fastmail.com": "Fastmail: create an app password in Settings, Privacy & Security",
    "mail.me.com": "iCloud: create an app-specific password at https://account.apple.com",
    "yahoo.com": "Yahoo: create an app password in Account security",
    "amazonaws.com": "SES: name and password are SMTP credentials from its console, not access keys",
    "mailgun.org": "Mailgun: name and password are SMTP credentials of your domain there",
    "sendgrid.net": 'SendGrid: the username is the word "apikey", the password an API key',
    "postmarkapp.com": "Postmark: a server token is both username and password",
}
"""What a provider needs for a login, by the suffix of its host name."""


async def check_mail_server(server: SmtpServer, sender: str) -> AsyncIterator[Finding]:
    """Checks one step after the other until one fails. Sends no mail."""
    server = replace(server, timeout=min(server.timeout, _PATIENCE))
    client: aiosmtplib.SMTP | None = None
    step = "name"
    try:
        yield ok(_named(step), await _addresses(server))
        step = "connection"
        await _knock(server)
        yield ok(_named(step), f"{server} can be reached")
        step = "greeting" if server.security != "tls" else "encryption"
        client = await greet(server)
        yield await _greeting(server)
        step = "encryption"
        await encrypt(server, client)
        yield _encryption(client)
        if certificate := _certificate(client):
            yield certificate
        step = "login"
        await log_in(server, client)
        yield _login(server)
        step = "sender"
        yield ok(_named(step), await _offer_sender(server, client, sender))
    except ServerUnavailable as error:
        yield await _failure(server, step, error)
    finally:
        if client:
            await _leave(client)


def _named(step: str) -> str:
    return f"mail server: {step}"


async def _addresses(server: SmtpServer) -> str:
    loop = asyncio.get_running_loop()
    with explained(server, Stage.GREETING):
        async with asyncio.timeout(server.timeout.total_seconds()):
            found = await loop.getaddrinfo(server.host, server.port)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return f"{server.host} is {addresses[0]}{more}"


async def _knock(server: SmtpServer) -> None:
    with explained(server, Stage.GREETING):
        async with asyncio.timeout(server.timeout.total_seconds()):
            _, writer = await asyncio.open_connection(server.host, server.port)
    writer.close()


async def _greeting(server: SmtpServer) -> Finding:
    name = await name_for(server)
    if name is None:
        said = f"as {machine_name()}, which is not a full name: many servers refuse it"
        return warning(
            _named("greeting"), said, 'set smtp.helo to a full name, for example "mail.lab.example"'
        )
    return ok(_named("greeting"), f"as {name}")


def _encryption(client: aiosmtplib.SMTP) -> Finding:
    tls = client.get_transport_info("ssl_object")
    if tls is None:
        return ok(_named("encryption"), 'none, because smtp.security = "none"')
    return ok(_named("encryption"), str(tls.version()))


def _certificate(client: aiosmtplib.SMTP) -> Finding | None:
    tls = client.get_transport_info("ssl_object")
    if tls is None:
        return None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(tls.getpeercert()["notAfter"]), UTC)
    return judge_expiry(ends, now=datetime.now(UTC))


def judge_expiry(ends: datetime, *, now: datetime) -> Finding:
    """Judges a certificate that is valid now, and until `ends`."""
    said = f"valid until {ends:%F}"
    if ends - now < _RENEWAL:
        return warning(_named("certificate"), said, "the operator of the server must renew it")
    return ok(_named("certificate"), said)


def _login(server: SmtpServer) -> Finding:
    name = _named("login")
    return ok(name, f"accepted for {server.username}" if server.username else "no login is set")


async def _offer_sender(server: SmtpServer, client: aiosmtplib.SMTP, sender: str) -> str:
    """Offers the envelope sender, without sending. Raises `ServerUnavailable` if it is refused."""
    envelope = wire_address(verp(server.bounce_address, _MAILING) if server.bounce_address else sender)
    options = [] if envelope.isascii() else [b"SMTPUTF8"]
    with explained(server, Stage.SENDER):
        response = await client.execute_command(b"MAIL", f"FROM:<{envelope}>".encode(), *options)
    if not 200 <= response.code < 300:
        raise refused(server, Stage.SENDER, Reply(code=response.code, text=response.message))
    await _offer_recipient(server, client, wire_address(sender), options)
    return f"{envelope} may send"


async def _offer_recipient(
    server: SmtpServer, client: aiosmtplib.SMTP, address: str, options: list[bytes]
) -> None:
    """Raises `ServerUnavailable` if no recipient is accepted, for example because of a wrong machine name."""
    if not address.isascii() and not options:
        return
    with explained(server, Stage.RECIPIENT):
        response = await client.execute_command(b"RCPT", f"TO:<{address}>".encode())
    reply = Reply(code=response.code, text=response.message)
    if judge(Stage.RECIPIENT, reply).reply_class is ReplyClass.SERVER:
        raise refused(server, Stage.RECIPIENT, reply)


async def _leave(client: aiosmtplib.SMTP) -> None:
    if client.is_connected:
        with suppress(aiosmtplib.SMTPException):
            await client.quit(timeout=_PROBE_SECONDS)
    client.close()


async def _failure(server: SmtpServer, step: str, error: ServerUnavailable) -> Finding:
    causes = [*_causes(error)]
    remedy = error.remedy
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        step = "certificate"
    elif any(isinstance(cause, ssl.SSLError) for cause in causes):
        step = "encryption"
    if step in {"greeting", "encryption"}:
        remedy = await _mix_up(server) or remedy
    elif step == "login" and (hint := login_hint(server.host)):
        remedy = f"{remedy}. {hint}"
    return failed(_named(step), error.reason, remedy)


def login_hint(host: str) -> str | None:
    """Returns what the provider of this server needs for a login, if known."""
    return next((hint for end, hint in _LOGINS.items() if host.lower().endswith(end)), None)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__
    return found


async def _mix_up(server: SmtpServer) -> str | None:
    """Returns what to set if the port does not fit `smtp.security`, else `None`."""
    if server.security == "tls" and await _speaks_first(server):
        return f'set smtp.security = "starttls": port {server.port} starts without encryption'
    if server.security != "tls" and await _is_encrypted(server):
        return f'set smtp.security = "tls": port {server.port} is encrypted from the start'
    return None


async def _speaks_first(server: SmtpServer) -> bool:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(server.host, server.port)
            try:
                return await reader.readexactly(3) == b"220"
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def _is_encrypted(server: SmtpServer) -> bool:
    """Whether TLS begins at once. The certificate is not checked: nothing is sent to that server."""
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            _, writer = await asyncio.open_connection(server.host, server.port, ssl=anything)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True

"""Explains why there is no session with a mail server: the network or TLS failure, and the remedy."""

import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta

import aiosmtplib

from digest.mail.smtp.reply import Stage

_LATER = "digest tries again later; if this continues, "
_OPERATOR = "the operator of the server must "
_UNTIL_THEN = "; until then use another server"
_PORTS = 'use smtp.security = "tls" with port 465 and "starttls" with port 587'
_OLD_TLS = (
    "its TLS is older than 1.2, which is no longer safe",
    f"{_OPERATOR}turn on TLS 1.2 or 1.3{_UNTIL_THEN}",
)


def explain_unreached(stage: Stage, security: str, timeout: timedelta, error: Exception) -> tuple[str, str]:
    """Cause and remedy of `error`, an `OSError` or an error of aiosmtplib, that occurred at `stage`."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return _certificate(cause)
            case ssl.SSLError():
                return _handshake(stage, cause)
            case socket.gaierror() | UnicodeError():
                return "no such host", "check smtp.host and the name service of this machine"
            case TimeoutError():
                return _silence(stage, security, timeout)
            case aiosmtplib.SMTPServerDisconnected():
                return _ended(stage, security)
            case ConnectionRefusedError():
                return "nothing listens there", "check smtp.host and smtp.port, and that the server runs"
            case ConnectionError() if security == "tls":
                return _ended(Stage.TLS, security)
    words = str(error.__cause__ or error) or type(error).__name__
    return f"no connection ({words})", "check smtp.host, smtp.port and the network"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """TLS errors first, because a closed connection may hide them; then the others from the outermost on."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__
    yield from (one for one in found if isinstance(one, ssl.SSLError))
    yield from found


def _silence(stage: Stage, security: str, timeout: timedelta) -> tuple[str, str]:
    reason = f"no answer within {timeout.total_seconds():g} s at {stage.value}"
    if stage is Stage.GREETING:
        return reason, f"check smtp.host, smtp.port and the firewall; {_other_port(security)}"
    if stage is Stage.TLS:
        return reason, f'{_LATER}try port 465 with smtp.security = "tls"'
    return reason, "digest tries again later"


def _ended(stage: Stage, security: str) -> tuple[str, str]:
    if stage is Stage.TLS:
        return (
            "the server closed the connection during the TLS handshake",
            f"{_LATER}the server may not support TLS 1.2, or {_other_port(security)}",
        )
    reason = f"the server closed the connection at {stage.value}"
    if stage is Stage.GREETING:
        return reason, f"{_LATER}check smtp.port: {_other_port(security)}"
    return reason, f"{_LATER}check the log of the mail server"


def _other_port(security: str) -> str:
    port, wanted = (587, "starttls") if security == "tls" else (465, "tls")
    return f'port {port} needs smtp.security = "{wanted}"'


def _certificate(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """Uses the codes of OpenSSL's x509_vfy.h."""
    reason = f"its certificate is not valid ({error.verify_message})"
    match error.verify_code:
        case 9 | 10:
            return reason, f"{_OPERATOR}renew it; check the clock of this machine"
        case 18:
            return (
                reason,
                f"{_OPERATOR}get another one; if the server is yours, set SSL_CERT_FILE to its certificate",
            )
        case 62 | 64:
            return reason, "set smtp.host to a name in the certificate"
        case 66 | 67 | 68:
            return (
                f"its certificate is too weak to be trusted ({error.verify_message})",
                f"{_OPERATOR}replace it: an RSA key needs 2,048 bits, a signature SHA-256{_UNTIL_THEN}",
            )
        case _:
            return (
                reason,
                "let this machine trust the authority that signed it, for example with SSL_CERT_FILE",
            )


_PLAIN = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
_TOO_OLD = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
_NOTHING_IN_COMMON = {
    *("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY", "WRONG_CIPHER_RETURNED"),
    *("DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "UNSAFE_LEGACY_RENEGOTIATION_DISABLED"),
    *("WRONG_SIGNATURE_TYPE", "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED", "NO_CIPHERS_AVAILABLE"),
}


def _handshake(stage: Stage, error: ssl.SSLError) -> tuple[str, str]:
    """Uses the reasons of OpenSSL's sslerr.h, which are also the names of alerts."""
    name = error.reason or str(error)
    if name in _TOO_OLD:
        return f"{_OLD_TLS[0]} ({name})", _OLD_TLS[1]
    if name in _NOTHING_IN_COMMON:
        return (
            f"its encryption is too weak for this machine, or they have no method in common ({name})",
            f"{_OPERATOR}allow the ciphers of TLS 1.2 or 1.3{_UNTIL_THEN}",
        )
    if name in _PLAIN and stage is Stage.TLS:
        return (
            f"the server agreed to STARTTLS and continued without encryption ({name})",
            f'{_LATER}try port 465 with smtp.security = "tls"',
        )
    if "CERTIFICATE" in name and "ALERT" in name:
        return (
            f"the server requires a client certificate, and this machine has none ({name})",
            "use the host and port for sending with a login: port 587 or 465",
        )
    return f"no encrypted connection ({name})", _PORTS

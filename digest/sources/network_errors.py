"""Explains why there was no answer, and what to do."""

import errno
import os
import socket
import ssl

import aiohttp

from digest.model.paper import one_line

_CLOSED = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE)
_CONNECTION = "check this machine's connection, or try again later"
_PROXY = "check HTTPS_PROXY (http://NAME:PASSWORD@HOST:PORT), or add the host to NO_PROXY"
_LOGIN_WANTED = 407
_CERTIFICATE = "check this machine's clock, and whether there is a proxy"


def no_answer(error: aiohttp.ClientError | OSError) -> str:
    """The cause, with the host that was not reached; after a semicolon what to do."""
    remedy = _CONNECTION
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        cause = f"the proxy does not answer: {_unreached(error.host, error.os_error)}"
        remedy = _PROXY
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        wants = " and requires a name and password" if error.status == _LOGIN_WANTED else ""
        cause = f"the proxy refused the request (HTTP {error.status} {error.message}){wants}"
        remedy = _PROXY
    elif isinstance(error, aiohttp.ClientConnectorError):
        cause = _unreached(error.host, error.os_error)
        if isinstance(error.os_error, ssl.SSLCertVerificationError):
            remedy = _CERTIFICATE
    elif isinstance(error, aiohttp.ServerDisconnectedError) or getattr(error, "errno", None) in _CLOSED:
        cause = "the server closed the connection"
    else:
        cause = one_line(str(error))[:200] or type(error).__name__
    return f"no answer: {cause}; {remedy}"


def _unreached(host: str, error: OSError) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate of {host} is not valid ({error.verify_message})"
        case ssl.SSLError():
            return f"no encrypted connection to {host} ({error.reason or error})"
        case socket.gaierror(errno=socket.EAI_NONAME):
            return f"there is no host called {host}"
        case socket.gaierror():
            return f"the name service does not find {host} ({error.strerror})"
        case ConnectionRefusedError():
            return f"{host} refused the connection"
        case TimeoutError():
            return f"connecting to {host} timed out"
        case _:
            return f"no connection to {host} ({os.strerror(error.errno) if error.errno else error})"

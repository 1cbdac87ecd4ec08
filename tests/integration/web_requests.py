"""Requests that no browser sends, and what they may leave in a log: nothing."""

import asyncio

import pytest

from tests.integration.web_site import Town
from tests.waiting import LIMIT

FORM = "Content-Type: application/x-www-form-urlencoded"
HOST = "Host: x\r\nConnection: close\r\n"

REQUESTS = {
    "unknown method": "BREW /p/{} HTTP/1.1\r\n{HOST}\r\n",
    "unknown method, small": "get /p/{} HTTP/1.1\r\n{HOST}\r\n",
    "method of WebDAV": "PROPFIND /p/{} HTTP/1.1\r\n{HOST}\r\n",
    "TRACE": "TRACE /p/{} HTTP/1.1\r\n{HOST}\r\n",
    "CONNECT": "CONNECT /p/{} HTTP/1.1\r\n{HOST}\r\n",
    "method with signs": "G\x01T /p/{} HTTP/1.1\r\n{HOST}\r\n",
    "long target": "GET /p/{}" + "a" * 20_000 + " HTTP/1.1\r\n{HOST}\r\n",
    "long query": "GET /p/{}?" + "a=b&" * 5_000 + " HTTP/1.1\r\n{HOST}\r\n",
    "long header": "GET /p/{} HTTP/1.1\r\nX: " + "x" * 20_000 + "\r\n{HOST}\r\n",
    "many headers": "GET /p/{} HTTP/1.1\r\n" + "X: y\r\n" * 2_000 + "{HOST}\r\n",
    "space in the target": "GET /p/{} /p/{} HTTP/1.1\r\n{HOST}\r\n",
    "broken host in the target": "GET http://[::1/p/{} HTTP/1.1\r\n{HOST}\r\n",
    "broken port in the target": "GET http://x:port/p/{} HTTP/1.1\r\n{HOST}\r\n",
    "raw bytes in the target": "GET /p/{}\xff\xfe HTTP/1.1\r\n{HOST}\r\n",
    "broken escapes": "GET /p/{}%zz%f HTTP/1.1\r\n{HOST}\r\n",
    "no version": "GET /p/{}\r\n\r\n",
    "another version": "GET /p/{} HTTP/9.7\r\n{HOST}\r\n",
    "header without a colon": "GET /p/{} HTTP/1.1\r\n{HOST}/p/{}\r\n\r\n",
    "two lengths": "POST /p/{} HTTP/1.1\r\n{HOST}{FORM}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "no length": "POST /p/{} HTTP/1.1\r\n{HOST}{FORM}\r\nContent-Length: many\r\n\r\nab",
    "negative length": "POST /p/{} HTTP/1.1\r\n{HOST}{FORM}\r\nContent-Length: -1\r\n\r\nab",
    "length and chunks": (
        "POST /p/{} HTTP/1.1\r\n{HOST}{FORM}\r\nContent-Length: 3\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "broken chunk": "POST /p/{} HTTP/1.1\r\n{HOST}{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n/p/{}\r\n\r\n",
    "broken second chunk": (
        "POST /p/{} HTTP/1.1\r\n{HOST}{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nat=\r\n/p/{}\r\n\r\n"
    ),
    "no gzip": "POST /p/{} HTTP/1.1\r\n{FORM}\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nat=",
    "another coding": "POST /p/{} HTTP/1.1\r\n{HOST}{FORM}\r\nTransfer-Encoding: x\r\n\r\nat=",
    "expectation": "POST /p/{} HTTP/1.1\r\n{HOST}{FORM}\r\nExpect: /p/{}\r\nContent-Length: 3\r\n\r\nat=",
    "upgrade": "GET /p/{} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x00\x01/p/{}",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03/p/{}\r\n\r\n",
    "a second request that is none": "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nBREW /p/{}\r\n\r\n",
}


def token_of(town: Town) -> str:
    url = town.links().manage
    assert url
    return url.rpartition("/")[2]


def filled(request: str, token: str) -> bytes:
    text = request.replace("{HOST}", HOST).replace("{FORM}", FORM).replace("{}", token)
    return text.encode("latin-1")


async def said_to(town: Town, sent: bytes, *, half_close: bool = False) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(town.address.rpartition(":")[2]))
    try:
        writer.write(sent)
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(LIMIT):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def nothing_is_told(caplog: pytest.LogCaptureFixture, token: str) -> None:
    told = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert token not in told
    assert "Traceback" not in told

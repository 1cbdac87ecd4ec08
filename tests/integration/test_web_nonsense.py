"""What is no request of a browser: refused, without a word of it in any log."""

import asyncio
import logging

import pytest

from digest.web.connections import Connection
from tests.integration.web_requests import REQUESTS, filled, nothing_is_told, said_to, token_of
from tests.integration.web_site import Town
from tests.waiting import until

CUT_OFF = {
    "body": (
        "POST /p/{} HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: 900\r\n\r\n"
        "at=08%3A00&weekly=never&length=normal&paused_until="
    ),
    "chunk": "POST /p/{} HTTP/1.1\r\nHost: x\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nat=07%3A00",
    "headers": "GET /p/{} HTTP/1.1\r\nHost",
    "a form of several parts": (
        "POST /p/{} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: 900\r\n\r\n--b\r\n"
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_it_is_refused_and_no_log_tells_of_it(
    town: Town, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    token, state = token_of(town), town.state()
    caplog.set_level(logging.NOTSET)
    caplog.set_level(logging.DEBUG, "asyncio")
    answer = await said_to(town, filled(REQUESTS[name], token))
    statuses = [
        int(line.split()[1])
        for line in answer.split(b"\r\n")
        if line.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))
    ]
    if name not in {"upgrade", "no version"}:
        assert statuses
        assert 400 <= statuses[-1] < 500
        assert b"aiohttp" not in answer
        assert b"Content-Security-Policy: default-src 'none'" in answer
        assert b"Traceback" not in answer
    assert town.state() == state
    nothing_is_told(caplog, token)


@pytest.mark.parametrize("name", CUT_OFF)
async def test_what_breaks_off_changes_nothing_and_is_not_told(
    town: Town, caplog: pytest.LogCaptureFixture, lost: list[Connection], name: str
) -> None:
    token, state = token_of(town), town.state()
    caplog.set_level(logging.NOTSET)
    sent = filled(CUT_OFF[name], token)
    _, writer = await asyncio.open_connection("127.0.0.1", int(town.address.rpartition(":")[2]))
    writer.write(sent)
    await writer.drain()
    writer.transport.abort()
    await until(lambda: lost)
    assert (await town.get("/healthz")).status == 200
    assert town.state() == state
    nothing_is_told(caplog, token)


async def test_a_mistake_of_ours_is_told_by_its_kind_and_place_alone(
    town: Town, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(town)

    def fail(self: object, email: str) -> None:
        raise KeyError(token)

    monkeypatch.setattr("digest.storage.sqlite.store.SqliteStore.preferences_of", fail)
    answer = await town.get(f"/p/{token}")
    assert (answer.status, "Server error" in answer.body) == (500, True)
    assert "page=/p/{token} cause=KeyError at " in caplog.text
    nothing_is_told(caplog, token)

"""Very many damaged requests: each is answered or closed, and no log has a word of them."""

import logging
from pathlib import Path

import pytest

from tests.damage import damaged
from tests.integration.web_requests import HOST, REQUESTS, filled, nothing_is_told, said_to, token_of
from tests.integration.web_site import serving_town

pytestmark = pytest.mark.long

PIECES = (
    *(b"\r\n\r\n", b"\r\n", b"\n", b"\0", b"%", b":", b" ", b"HTTP/1.1"),
    b"Transfer-Encoding: chunked\r\n",
)


FORMS = tuple(
    f"POST {path} HTTP/1.1\r\n{{HOST}}{{FORM}}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    for path, body in (
        ("/p/{}", "at=07:00&weekly=never&length=normal&timezone=UTC&k-new-1=tea+AND&paused_until="),
        ("/p/{}/address", "email=nobody"),
        ("/p/{}/data", "erase=no"),
        ("/p/{}/interests/2", "forget=no"),
        ("/link", "email=ada@example.org&stamp=1.2"),
    )
)
"""Forms that change nothing."""


async def test_no_damage_ends_the_server_changes_the_state_or_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.NOTSET)
    caplog.set_level(logging.DEBUG, "asyncio")
    async with serving_town(tmp_path) as town:
        token, state = token_of(town), town.state()
        good = f"GET /p/{token} HTTP/1.1\r\n{HOST}\r\n".encode()
        requests = [good, *(filled(request, token) for request in (*REQUESTS.values(), *FORMS))]
        for seed in range(3_000):
            answer = await said_to(town, damaged(requests, PIECES, seed), half_close=True)
            assert not answer or answer.startswith((b"HTTP/1.", b"<!DOCTYPE")), seed
            assert b" 500 " not in answer.partition(b"\r\n")[0], seed
            assert b"Traceback" not in answer, seed
        assert (await town.get("/healthz")).status == 200
        assert town.state() == state
    nothing_is_told(caplog, token)

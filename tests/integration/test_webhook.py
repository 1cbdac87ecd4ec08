"""A webhook is signed, follows no redirect, connects to no private address, and says what became of it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp.resolver
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier

from digest.channels.base import Outcome
from digest.channels.webhook import Webhook
from tests.waiting import until
from tests.webhooks import SECRET, Receiver, make_post, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def webhook(receiver: Receiver, **more: Any) -> Webhook:
    return Webhook(**{"url": receiver.url, "secret": SECRET, "allow_private": True, **more})


async def test_the_library_of_the_standard_verifies_the_signature(receiver: Receiver) -> None:
    answer = await webhook(receiver).send(make_post(token="t1"))
    assert (answer.outcome, answer.reply) == (Outcome.SENT, "204 No Content")
    (one,) = receiver.received
    verified = Verifier(SECRET).verify(one.body, one.headers)
    assert verified["data"]["id"] == one.id == "t1"


async def test_a_body_that_was_changed_on_the_way_is_not_verified(receiver: Receiver) -> None:
    await webhook(receiver).send(make_post())
    (one,) = receiver.received
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(SECRET).verify(one.body.replace(b"tea", b"pea"), one.headers)


async def test_each_attempt_has_the_same_id_and_body(receiver: Receiver) -> None:
    for _ in range(2):
        await webhook(receiver).send(make_post(token="t1"))
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.SENT),
        (202, Outcome.SENT),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (410, Outcome.GONE),
        (413, Outcome.REFUSED),
        (429, Outcome.REFUSED),
        (500, Outcome.UNKNOWN),
        (502, Outcome.UNKNOWN),
        (503, Outcome.REFUSED),
        (504, Outcome.UNKNOWN),
        (599, Outcome.UNKNOWN),
    ],
)
async def test_the_status_says_what_became_of_it(receiver: Receiver, status: int, outcome: Outcome) -> None:
    receiver.answer(status)
    answer = await webhook(receiver).send(make_post())
    assert answer.outcome is outcome
    assert answer.reply.startswith(str(status))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer(status, location=receiver.url)
    answer = await webhook(receiver).send(make_post())
    assert answer.outcome is Outcome.REFUSED
    assert "not followed" in answer.reply
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("99999999999999999999", timedelta(seconds=10**9)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", timedelta(0)),
        ("-5", None),
        ("soon", None),
        ("Thu, 31 Dec 99999999999999 23:59:59 GMT", None),
        ("Thu, 31 Dec 2026 23:59:59 +99999999999999", None),
        ("", None),
    ],
)
async def test_retry_after_is_read(receiver: Receiver, value: str, wait: timedelta | None) -> None:
    receiver.answer(429, retry_after=value)
    answer = await webhook(receiver).send(make_post())
    assert (answer.outcome, answer.wait) == (Outcome.REFUSED, wait)


async def test_a_service_that_hangs_is_left_and_may_have_it(receiver: Receiver) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        raise AssertionError

    receiver.respond = hang
    answer = await webhook(receiver, time_limit=1.0).send(make_post())
    assert (answer.outcome, answer.reply) == (Outcome.UNKNOWN, "no answer within 1 seconds")


async def test_an_answer_without_end_is_not_read(receiver: Receiver) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    receiver.respond = drip
    assert (await webhook(receiver).send(make_post())).outcome is Outcome.SENT


async def _serve_raw(reply: bytes) -> tuple[asyncio.Server, str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    "reply",
    [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, b"HTTP/1.1 200 OK\r\n" * 9],
    ids=["nothing", "another protocol", "a long header", "broken headers"],
)
async def test_an_answer_that_is_none_leaves_it_open(reply: bytes) -> None:
    server, url = await _serve_raw(reply)
    async with server:
        answer = await Webhook(url=url, secret=SECRET, allow_private=True).send(make_post())
    assert answer.outcome is Outcome.UNKNOWN


async def test_without_a_connection_it_certainly_did_not_arrive() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/secret-path"
    answer = await Webhook(url=url, secret=SECRET, allow_private=True).send(make_post())
    assert (answer.outcome, answer.reply) == (Outcome.REFUSED, "no connection: Connection refused")


async def test_without_encryption_it_certainly_did_not_arrive() -> None:
    server, url = await _serve_raw(b"\x15\x03\x01\x00\x02\x02\x28")
    async with server:
        answer = await Webhook(url=url.replace("http:", "https:"), secret=SECRET, allow_private=True).send(
            make_post()
        )
    assert (answer.outcome, answer.reply) == (Outcome.REFUSED, "no encrypted connection with the server")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1", "0x7f000001", "0"])
async def test_this_machine_is_never_connected_to(receiver: Receiver, host: str) -> None:
    url = receiver.url.replace("127.0.0.1", host)
    answer = await webhook(receiver, url=url, allow_private=False).send(make_post())
    assert answer.outcome is Outcome.REFUSED
    assert receiver.received == []


async def test_a_name_that_leads_here_later_is_refused_when_it_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: what a look-up said before does not count."""
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])

    async def resolve(self: object, host: str, *_: object, **__: object) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 4}]

    monkeypatch.setattr(aiohttp.resolver.ThreadedResolver, "resolve", resolve)
    monkeypatch.setattr(aiohttp.resolver.DefaultResolver, "resolve", resolve)
    url = receiver.url.replace("127.0.0.1", "hooks.example.org")
    answer = await webhook(receiver, url=url, allow_private=False).send(make_post())
    assert answer.outcome is Outcome.REFUSED
    assert "allow_private" in answer.reply
    assert receiver.received == []
    assert (await webhook(receiver, url=url).send(make_post())).outcome is Outcome.SENT


async def test_neither_address_nor_secret_is_in_what_is_shown(receiver: Receiver) -> None:
    receiver.answer(404)
    hook = webhook(receiver)
    answer = await hook.send(make_post())
    await until(lambda: receiver.received)
    shown = f"{hook!r} {answer!r}"
    assert "T0KEN" not in shown
    assert "whsec" not in shown

"""Chat services on loopback, by their documented protocols, behind a proxy that has certificates for them."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import trustme

SECRET = "T0KENthatNobodyMaySee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, as a service saw it."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def authorization(self) -> str:
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        return base64.b64decode(value).decode() if kind == "Basic" else value

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


Reply = tuple[int, dict[str, str], Any]


@dataclass(slots=True)
class Town:
    """All services. `refuse` answers instead of one to whom a message is sent, if it returns something.

    `messages` are what readers see: one with an id that is known stands in the place of the first one.
    """

    asked: list[Asked] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    refuse: Callable[[Asked], Reply | None] = lambda asked: None
    hangs: bool = False

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        service = _SERVICES[asked.host]
        if not service.is_message(asked):
            return service.others(asked)
        if (refused := self.refuse(asked)) is not None:
            return refused
        if SECRET not in unquote(asked.path) + asked.authorization:
            return 401, {}, {"message": "bad token"}
        text = service.text(asked)
        if service.size(text) > service.most:
            return 400, {}, {"message": "too long"}
        place = self.known.get(service.identity(asked), len(self.messages))
        self.messages[place:] = [text, *self.messages[place + 1 :]]
        if identity := service.identity(asked):
            self.known[identity] = place
        return 200, {}, service.ok


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """`text` is the message in a request, as it came, `most` its longest by `size`.

    `identity` is the id by which a repeat is known, empty where there is none.
    """

    url: str
    is_message: Callable[[Asked], bool]
    text: Callable[[Asked], str]
    most: int
    size: Callable[[str], int] = len
    identity: Callable[[Asked], str] = lambda asked: ""
    ok: Any = None
    others: Callable[[Asked], Reply] = lambda asked: (404, {}, {})


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _bytes(text: str) -> int:
    return len(text.encode())


def _matrix(asked: Asked) -> Reply:
    if "well-known" in asked.path or "m.room.encryption" in asked.path:
        return 404, {}, {}
    if "whoami" in asked.path:
        return 200, {}, {"user_id": "@digest:matrix.example.org", "device_id": "D"}
    return 200, {}, {"room_id": "!room:matrix.example.org", "joined_rooms": []}


# https://api.slack.com/messaging/webhooks, https://docs.discord.com/developers/resources/webhook,
# https://developers.mattermost.com/integrate/webhooks/incoming, https://spec.matrix.org/latest/client-server-api,
# https://zulip.com/api/send-message, https://core.telegram.org/bots/api#sendmessage, https://docs.ntfy.sh/publish
_SERVICES = {
    "hooks.slack.com": Service(
        url=f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}JKL/",
        is_message=lambda asked: asked.path.startswith("/services/"),
        text=lambda asked: str(asked.json["attachments"][0]["text"]),
        most=40_000,
        ok="ok",
    ),
    "mm.example.org": Service(
        url=f"mmosts://mm.example.org/{SECRET}",
        is_message=lambda asked: asked.path.startswith("/hooks/"),
        text=lambda asked: str(asked.json["text"]),
        most=16_383,
        ok="ok",
    ),
    "matrix.example.org": Service(
        url=f"matrixs://{SECRET}@matrix.example.org/!room:matrix.example.org",
        is_message=lambda asked: "/send/m.room.message/" in asked.path,
        text=lambda asked: str(asked.json["body"]),
        most=65_536,
        size=lambda text: len(json.dumps(text)) + 1_000,
        identity=lambda asked: asked.path.rpartition("/")[2],
        ok={"event_id": "$1"},
        others=_matrix,
    ),
    "zulip.example.org": Service(
        url="zulip://bot@zulip.example.org/" + (SECRET * 2)[:32] + "/papers",
        is_message=lambda asked: asked.path == "/api/v1/messages",
        text=lambda asked: asked.form["content"],
        most=10_000,
        ok={"result": "success", "id": 1, "msg": ""},
    ),
    "discord.com": Service(
        url=f"discord://4174216298/{SECRET}",
        is_message=lambda asked: asked.path.startswith("/api/webhooks/"),
        text=lambda asked: str(asked.json["content"]),
        most=2_000,
        size=_utf16,
        ok={"id": "1"},
    ),
    "flow.example.org": Service(
        url=f"workflows://flow.example.org/643a2b/{SECRET}_sig",
        is_message=lambda asked: "/workflows/" in asked.path,
        text=lambda asked: str(asked.json["attachments"][0]["content"]["body"][-1]["text"]),
        most=28_000,
        size=_bytes,
        ok="",
    ),
    "api.telegram.org": Service(
        url=f"tgram://123456789:{SECRET}_abcdefghijklmnop/12315544",
        is_message=lambda asked: asked.path.endswith("/sendMessage"),
        text=lambda asked: str(asked.json["text"]),
        most=4_096,
        size=_utf16,
        ok={"ok": True, "result": {"message_id": 1}},
    ),
    "ntfy.example.org": Service(
        url=f"ntfys://digest:{SECRET}@ntfy.example.org/papers",
        is_message=lambda asked: True,
        text=lambda asked: str(asked.json["message"]),
        most=4_096,
        size=_bytes,
        identity=lambda asked: asked.headers["x-sequence-id"],
        ok={"id": "1"},
    ),
}
URLS = {url.partition("://")[0]: url for url in (service.url for service in _SERVICES.values())}


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[tuple[Town, dict[str, str]]]:
    """The services, and the variables with which a process reaches them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    contexts = {}
    for host in _SERVICES:
        contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(contexts[host])
    services = Town()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, KeyError):
            head = await reader.readuntil(b"\r\n\r\n")
            host = head.split()[1].decode().partition(":")[0]
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.start_tls(contexts[host])
            while await _serve(services, host, reader, writer):
                pass
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    variables = {"HTTPS_PROXY": proxy, "REQUESTS_CA_BUNDLE": str(folder / "authority.pem"), "NO_PROXY": ""}
    try:
        yield services, variables
    finally:
        server.close()


async def _serve(
    services: Town, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    asked = Asked(host=host, method=method, path=path, headers=headers, body=body)
    status, more, answer = services.answer(asked)
    if services.hangs and _SERVICES[host].is_message(asked):
        await asyncio.sleep(3600)
    content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
    shown = "".join(f"{name}: {value}\r\n" for name, value in more.items())
    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{shown}\r\n".encode() + content)
    await writer.drain()
    return True

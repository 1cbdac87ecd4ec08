"""Each chat gets one message that fits it and shows titles as they are; its refusals are understood."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from digest.channels.base import Outcome, Post
from digest.channels.chat.service import Chat
from digest.model.digest import Entry
from tests.chats import SECRET, URLS, Reply, Town, town
from tests.factories import invented_paper
from tests.webhooks import make_post

NASTY = (
    "On *bold* _claims_ [link](https://evil.example) `x` <!channel> <@U1> @everyone & #tag ~~x~~ |y| :smile:"
)
WIDE = "Über 𝔸lgebra 😀 " * 12
EVERY_SERVICE = pytest.mark.parametrize("service", URLS)


@pytest.fixture
async def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    async with town(tmp_path) as (services, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield services


def post_of(number: int, title: str = "On tea", page: str | None = None) -> Post:
    post = make_post(page=page)
    entries = tuple(
        Entry(invented_paper(f"2606.{at:05}", f"{title} {at}"), ("tea",)) for at in range(1, number + 1)
    )
    return replace(post, digest=replace(post.digest, entries=entries, revisions=()))


def refusing(*reply: object) -> Reply:
    status, headers, body = reply
    return status, headers, body  # type: ignore[return-value]


def shown(service: str, text: str) -> str:
    """What a reader of the service sees of the text."""
    if service in {"slack", "tgram", "zulip"}:
        text = unescape(text)
    if service in {"mmosts", "discord", "workflows"}:
        text = re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", text)
    return text.replace("\u200b", "").replace("\r\n", "\n")


@EVERY_SERVICE
async def test_one_message_has_titles_first_authors_and_links(services: Town, service: str) -> None:
    answer = await Chat(url=URLS[service]).send(post_of(2, NASTY))
    assert answer.outcome is Outcome.SENT, answer
    (text,) = services.messages
    lines = [line for line in shown(service, text).split("\n") if line]
    assert lines == [
        "Lab, 16 June 2026: 2 papers",
        f"{NASTY} 1",
        "Ada Example and Bo Sample: https://arxiv.org/abs/2606.00001",
        f"{NASTY} 2",
        "Ada Example and Bo Sample: https://arxiv.org/abs/2606.00002",
    ]


@pytest.mark.parametrize("service", ["matrixs", "ntfys"])
async def test_a_repeat_is_one_message_where_the_service_knows_its_id(services: Town, service: str) -> None:
    chat, post = Chat(url=URLS[service]), post_of(1)
    for token in ("t1", "t1", "t2"):
        assert (await chat.send(replace(post, token=token))).outcome is Outcome.SENT
    assert len(services.messages) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in services.known)


@pytest.mark.long
@EVERY_SERVICE
async def test_nothing_in_a_title_calls_people_or_is_markup(services: Town, service: str) -> None:
    await Chat(url=URLS[service]).send(post_of(1, NASTY))
    (text,) = services.messages
    if service in {"matrixs", "ntfys"}:  # these show plain text as it is
        return
    assert "<!channel>" not in text
    assert "<@U1>" not in text
    if service in {"slack", "tgram"}:  # with its markup off, or as escaped HTML
        return
    assert "@everyone" not in text
    assert not re.search(r"(?<!\\)[*_`\[~|]", text)
    assert "://evil" not in text


@pytest.mark.long
@pytest.mark.parametrize(
    ("service", "title"),
    [*((one, "On tea") for one in URLS), *((one, WIDE) for one in ("discord", "tgram", "ntfys", "matrixs"))],
)
async def test_a_long_digest_is_one_message_that_says_where_the_rest_is(
    services: Town, service: str, title: str
) -> None:
    page = "https://digest.example.org/d/x"
    answer = await Chat(url=URLS[service]).send(post_of(900, title, page))
    assert answer.outcome is Outcome.SENT, answer
    (text,) = services.messages
    found = len(re.findall(r"arxiv\.org/abs", text))
    assert 0 < found < 900
    assert shown(service, text).rstrip().endswith(f"{900 - found} more: {page}")


@pytest.mark.parametrize("service", ["discord", "ntfys"])
async def test_one_very_long_title_is_cut(services: Town, service: str) -> None:
    answer = await Chat(url=URLS[service]).send(post_of(1, "word " * 20_000))
    assert answer.outcome is Outcome.SENT, answer
    (text,) = services.messages
    assert "…" in text
    assert "https://arxiv.org/abs/2606.00001" in text


WAITS = {
    "slack": ({"Retry-After": "30"}, "rate_limited", 30),
    "mmosts": ({"Retry-After": "7"}, {}, 7),
    "matrixs": ({}, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2_000}, 2),
    "zulip": ({}, {"result": "error", "code": "RATE_LIMIT_HIT", "retry-after": 28.7}, 28.7),
    "discord": ({}, {"message": "You are being rate limited.", "retry_after": 64.57}, 64.57),
    "workflows": ({"Retry-After": "5"}, {}, 5),
    "tgram": ({}, {"ok": False, "error_code": 429, "parameters": {"retry_after": 35}}, 35),
    "ntfys": ({}, {"code": 42901, "http": 429, "error": "limit reached"}, None),
}


@pytest.mark.long
@EVERY_SERVICE
async def test_a_wish_to_wait_is_understood_and_not_waited_for(services: Town, service: str) -> None:
    headers, body, seconds = WAITS[service]
    services.refuse = lambda asked: refusing(429, headers, body)
    answer = await Chat(url=URLS[service]).send(post_of(1))
    assert answer.outcome is Outcome.REFUSED
    assert answer.wait == (None if seconds is None else timedelta(seconds=seconds))
    assert services.messages == []


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ({"retry_after_ms": 10**300}, timedelta(seconds=10**9)),
        ({"retry_after_ms": 10**400}, None),
        ({"retry_after": -(10**400)}, None),
        ({"retry_after_ms": -5}, timedelta(0)),
        ({"retry_after": float("nan")}, timedelta(0)),
    ],
)
async def test_a_wait_that_is_no_time_is_a_refusal_all_the_same(
    services: Town, body: dict[str, object], wait: timedelta | None
) -> None:
    services.refuse = lambda asked: refusing(429, {}, body)
    answer = await Chat(url=URLS["mmosts"]).send(post_of(1))
    assert (answer.outcome, answer.wait) == (Outcome.REFUSED, wait)


@pytest.mark.long
@pytest.mark.parametrize(
    ("service", "status", "outcome"),
    [
        *((one, 403, Outcome.REFUSED) for one in URLS),
        ("mmosts", 410, Outcome.GONE),
        ("mmosts", 500, Outcome.UNKNOWN),
        ("matrixs", 502, Outcome.UNKNOWN),
        ("mmosts", 503, Outcome.REFUSED),
    ],
)
async def test_a_refusal_is_understood(services: Town, service: str, status: int, outcome: Outcome) -> None:
    services.refuse = lambda asked: refusing(status, {}, {"ok": False, "error": SECRET, "message": SECRET})
    answer = await Chat(url=URLS[service]).send(post_of(1))
    assert (answer.outcome, answer.reply) == (outcome, f"the service answered {status}")


async def test_a_redirect_is_not_followed(services: Town) -> None:
    services.refuse = lambda asked: refusing(307, {"Location": "https://mm.example.org/elsewhere"}, {})
    answer = await Chat(url=URLS["mmosts"]).send(post_of(1))
    assert answer.outcome is Outcome.REFUSED
    assert len(services.asked) == 1


async def test_a_service_that_hangs_is_left_and_may_have_it(services: Town) -> None:
    services.hangs = True
    answer = await Chat(url=URLS["mmosts"], time_limit=6).send(post_of(1))
    assert (answer.outcome, answer.reply) == (Outcome.UNKNOWN, "no answer within 6 seconds")


async def test_without_a_connection_it_certainly_did_not_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await Chat(url=f"mmost://127.0.0.1:1/{SECRET}").send(post_of(1))
    assert (answer.outcome, answer.reply) == (Outcome.REFUSED, "no connection")


async def test_nothing_is_imported_from_the_current_folder(
    services: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "apprise.py").write_text("raise SystemExit\n")
    assert (await Chat(url=URLS["slack"]).check()).outcome is Outcome.SENT


@pytest.mark.parametrize("service", ["slack", "zulip"])
async def test_an_address_is_checked_without_asking_anybody(services: Town, service: str) -> None:
    assert (await Chat(url=URLS[service]).check()).outcome is Outcome.SENT
    assert services.asked == []


async def test_an_address_that_is_none_is_told_and_not_shown() -> None:
    answer = await Chat(url="slack://no").check()
    assert answer.outcome is Outcome.REFUSED
    assert "slack://" not in answer.reply

"""What the world cannot do: guess, overload, pretend to be somebody else, or see what is not theirs."""

import asyncio
import logging
import re
import socket
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp.web import Request
from prometheus_client.parser import text_string_to_metric_families

from digest.cli.doctor_checks.web import check_pages, judge_answer
from digest.config.settings import Defaults
from digest.config.web_settings import Web
from digest.errors import ConfigurationError
from digest.service.finding import Verdict
from digest.web import app as app_module
from digest.web.client_address import (
    GUESSES_AT_ONCE,
    SECONDS_PER_GUESS,
    TokenGuesses,
    client_for,
    network_for,
    parse_hops,
)
from digest.web.metrics import Metrics
from digest.web.server import serving
from tests.factories import invented_paper
from tests.integration.web_site import ADA, BASE, BO, NOW, Town, serving_town, stored_directory, told
from tests.waiting import LIMIT, until

TRUSTED = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"))
WRONG = "A" * 24
TOKEN = "figures-for-prometheus-1"


@pytest.mark.parametrize("path", ["/u/{}", "/p/{}", "/d/{}", "/k/{}", "/k/{}/feed.atom", "/f/{}/feed.atom"])
@pytest.mark.parametrize("kind", ["unknown", "short", "odd", "of another kind"])
async def test_every_wrong_token_gets_the_same_answer(town: Town, path: str, kind: str) -> None:
    links = town.links()
    assert links.online
    assert links.manage
    other = (links.manage if path.startswith("/d") else links.online).rpartition("/")[2]
    token = {"unknown": WRONG, "short": "A", "odd": "%00..%20", "of another kind": other}[kind]
    nowhere = await town.get("/nowhere")
    answer = await town.get(path.format(token))
    assert (answer.status, answer.body) == (404, nowhere.body)
    assert {*answer.headers} == {*nowhere.headers}


async def test_a_network_that_guesses_has_to_wait_and_others_do_not(town: Town) -> None:
    url = town.links().manage
    assert url
    for _ in range(GUESSES_AT_ONCE):
        assert (await town.get(f"/p/{WRONG}", X_Forwarded_For="192.0.2.1")).status == 404
    refused = await town.get(f"/p/{WRONG}", X_Forwarded_For="192.0.2.1:4711")
    assert refused.status == 429
    assert 0 < int(refused.headers["Retry-After"]) <= SECONDS_PER_GUESS
    assert (await town.get(f"/p/{WRONG}", X_Forwarded_For="192.0.2.2")).status == 404


async def test_a_right_token_opens_its_page_whatever_else_its_network_sent(town: Town) -> None:
    url = town.links().manage
    assert url
    for _ in range(2 * GUESSES_AT_ONCE):
        await town.get(f"/p/{WRONG}", X_Forwarded_For="192.0.2.1")
    assert (await town.get(url, X_Forwarded_For="192.0.2.1")).status == 200


@pytest.mark.parametrize(
    "header", [{}, {"X_Forwarded_For": "unknown"}, {"Forwarded": "for=_hidden;proto=https"}]
)
async def test_clients_whom_a_proxy_hides_are_not_counted_as_one(town: Town, header: dict[str, str]) -> None:
    for _ in range(3 * GUESSES_AT_ONCE):
        assert (await town.get(f"/p/{WRONG}", **header)).status == 404
    assert '"client_is_known": false' in (await town.get("/healthz", **header)).body
    assert '"client_is_known": true' in (await town.get("/healthz", Forwarded="for=192.0.2.1")).body


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"x", 415),
        ("multipart/form-data; boundary=x", b"no boundary", 415),
        ("application/x-www-form-urlencoded; charset=none", b"at=08:00", 404),
        ("application/x-www-form-urlencoded", b"at=\xff%fe&&=;", 404),
    ],
)
async def test_a_form_that_is_none_is_no_mistake_of_ours(
    town: Town, kind: str, body: bytes, status: int
) -> None:
    answer = await town.ask("POST", f"/p/{WRONG}", data=body, headers={"Content-Type": kind})
    assert answer.status == status


async def test_right_tokens_are_never_counted(town: Town) -> None:
    url = town.links().manage
    assert url
    for _ in range(3 * GUESSES_AT_ONCE):
        assert (await town.get(url)).status == 200


async def test_what_a_stranger_says_of_whom_they_ask_for_is_not_believed(tmp_path: Path) -> None:
    async with serving_town(tmp_path, trusted_proxies=["192.0.2.7"]) as town:
        for number in range(GUESSES_AT_ONCE):
            assert (await town.get(f"/u/{WRONG}", X_Forwarded_For=f"192.0.2.{number}")).status == 404
        assert (await town.get(f"/u/{WRONG}", X_Forwarded_For="192.0.2.99")).status == 429


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["203.0.113.5, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["203.0.113.5", "198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1, nonsense"], ""),
        ("127.0.0.1", ["nonsense, 198.51.100.1"], "198.51.100.1"),
        ("::ffff:127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["10.0.0.1"], "10.0.0.1"),
        ("127.0.0.1", ["203.0.113.9:5678"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.7, 203.0.113.9:5678,10.1.2.3:80"], "203.0.113.9"),
        ("127.0.0.1", ["[2001:db8::1]:5678"], "2001:db8::1"),
        ("127.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", ['"[2001:db8::1]:80"'], "2001:db8::1"),
        ("127.0.0.1", ["[::ffff:203.0.113.9]:80"], "203.0.113.9"),
        ("127.0.0.1", ["fe80::1%eth0"], "fe80::1"),
        ("127.0.0.1", ["198.51.100.1,, "], "198.51.100.1"),
        ("127.0.0.1", ["203.0.113.9:80:90"], ""),
        ("127.0.0.1", ["[2001:db8::1]garbage"], ""),
        ("127.0.0.1", ["[2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", ["203.0.113.009"], ""),
        ("127.0.0.1", ["unknown"], ""),
        ("127.0.0.1", [""], ""),
        ("127.0.0.1", [], ""),
        (None, ["198.51.100.1"], ""),
    ],
)
def test_the_client_is_the_last_one_that_no_trusted_proxy_is(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    assert client_for(peer, parse_hops(forwarded, []), TRUSTED) == client


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60"),
        (['For="[2001:db8:cafe::17]:4711"'], "2001:db8:cafe::17"),
        (['proto=https; for="192.0.2.60:_port"'], "192.0.2.60"),
        (["for=192.0.2.43, for=198.51.100.17"], "198.51.100.17"),
        (["for=192.0.2.43", "for=198.51.100.17, for=10.0.0.1;by=x"], "198.51.100.17"),
        (['for="192.0.2.43, for=198.51.100.17'], "198.51.100.17"),  # a quote left open by a stranger
        (["for=192.0.2.43, by=10.0.0.1"], ""),
        (["for=unknown"], ""),
        (["for=_gazonk"], ""),
        (["for="], ""),
        (["=;=,;"], ""),
    ],
)
def test_the_header_of_rfc_7239_tells_the_client_too(forwarded: list[str], client: str) -> None:
    assert client_for("127.0.0.1", parse_hops([], forwarded), TRUSTED) == client
    assert client_for("127.0.0.1", parse_hops(["203.0.113.5"], forwarded), TRUSTED) == "203.0.113.5"
    assert client_for("192.0.2.1", parse_hops([], forwarded), TRUSTED) == "192.0.2.1"


def test_one_line_of_ipv6_counts_as_one_and_one_address_of_ipv4() -> None:
    assert network_for("2001:db8:1:2:3::4") == network_for("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert network_for("2001:db8:1:3::4") == "2001:db8:1:3::/64"
    assert network_for("::ffff:192.0.2.1") == network_for("192.0.2.1") == "192.0.2.1"
    assert network_for("nonsense") == network_for("") == ""


async def test_doctor_finds_the_pages_and_what_is_no_page_of_ours(town: Town) -> None:
    (found,) = [one async for one in check_pages(Web(base_url=town.address))]
    assert found.verdict is Verdict.OK
    (found,) = [one async for one in check_pages(Web(base_url=f"{town.address}/elsewhere"))]
    assert (found.verdict, "but not with these pages" in found.said) == (Verdict.FAILED, True)
    (found,) = [one async for one in check_pages(Web(base_url="http://127.0.0.1:1"))]
    assert found.verdict is Verdict.WARNING
    assert [one async for one in check_pages(Web())] == []


async def test_doctor_tells_of_a_proxy_that_hides_its_clients(town: Town) -> None:
    url = f"{BASE}/healthz"
    hidden, told = await town.get("/healthz"), await town.get("/healthz", X_Forwarded_For="192.0.2.1:80")
    found = judge_answer(url, hidden.status, hidden.body.encode(), takes_signups=True)
    assert "guessing of links and sign-ups are not limited" in found.said
    found = judge_answer(url, hidden.status, hidden.body.encode())
    assert (found.verdict, "sends no client address" in found.said) == (Verdict.WARNING, True)
    assert judge_answer(url, told.status, told.body.encode()).verdict is Verdict.OK
    for status, body in ((502, b"<html>"), (200, b"[]"), (200, b"\xff"), (404, b"{}"), (301, b"")):
        assert judge_answer(url, status, body).verdict is Verdict.FAILED


def test_guesses_are_forgiven_one_by_one() -> None:
    guesses = TokenGuesses()
    for _ in range(GUESSES_AT_ONCE):
        assert guesses.wait("a", 100.0) == 0
        guesses.count("a", 100.0)
    assert guesses.wait("a", 100.0) == SECONDS_PER_GUESS
    assert guesses.wait("a", 100.0 + SECONDS_PER_GUESS) == 0
    guesses.count("a", 100.0 + SECONDS_PER_GUESS)
    assert guesses.wait("a", 101.0 + SECONDS_PER_GUESS) == SECONDS_PER_GUESS - 1
    assert guesses.wait("b", 100.0) == 0


def test_guesses_of_the_whole_world_fit_into_a_bounded_room() -> None:
    guesses = TokenGuesses()
    for number in range(20_001):
        guesses.count(str(number), 0.0)
    assert len(guesses._paid_at) == 10_000


@pytest.mark.parametrize(
    "path", ["/u/", "/p/", "/d/", "/k/", "/nowhere", "/robots.txt", "/healthz", "/metrics"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_every_answer_has_the_headers_that_keep_it_safe(town: Town, path: str, method: str) -> None:
    links = town.links()
    assert links.keyword_pages
    ends = (links.unsubscribe, links.manage, links.online, links.keyword_pages["tea"])
    urls = {url.removeprefix(BASE)[:3]: url for url in ends if url}
    answer = await town.ask(method, urls.get(path, path))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "Server" not in answer.headers
    if method == "PUT":
        assert answer.status == (404 if path == "/nowhere" else 405)


async def test_search_engines_see_nothing_unless_the_operator_wants_it_and_never_a_subscriber(
    tmp_path: Path,
) -> None:
    async with serving_town(tmp_path) as town:
        assert (await town.get("/robots.txt")).body == "User-agent: *\nDisallow: /\n"
    async with serving_town(tmp_path, robots=True) as town:
        links = town.links()
        assert links.online
        assert links.manage
        assert "Disallow: /\n" not in (await town.get("/robots.txt")).body
        page = await town.get(links.online)
        assert ("X-Robots-Tag" in page.headers, "noindex" in page.body) == (False, False)
        page = await town.get(links.manage)
        assert ("X-Robots-Tag" in page.headers, "noindex" in page.body) == (True, True)


async def test_health_tells_the_age_of_the_last_good_fetch(town: Town) -> None:
    assert '"last_fetch_age_seconds": null' in (await town.get("/healthz")).body
    town.links()
    town.now = NOW.replace(hour=9)
    answer = await town.get("/healthz")
    assert answer.status == 200
    assert '"last_fetch_age_seconds": 7200' in answer.body


async def test_figures_are_in_the_format_of_prometheus_and_name_nobody(tmp_path: Path) -> None:
    async with serving_town(tmp_path, metrics_token=TOKEN) as town:
        links = town.links()
        assert links.manage
        await town.get(links.manage)
        body = (await town.get("/metrics", Authorization=f"Bearer {TOKEN}")).body
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }
    assert found["digest_subscribers",] == 2
    assert found["digest_mailings_waiting",] == 1
    assert found["digest_last_fetch_timestamp_seconds",] == NOW.timestamp()
    assert found["digest_web_requests_total", "/p/{token}", "200"] == 1
    assert "example.org" not in body
    assert links.manage.rpartition("/")[2] not in body


@pytest.mark.parametrize("header", [{}, {"X_Forwarded_For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}])
@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \u00e4"]
)
async def test_figures_are_not_for_the_world_whatever_it_says(
    tmp_path: Path, header: dict[str, str], sent: str
) -> None:
    settings: tuple[dict[str, Any], ...] = ({}, {"metrics_token": TOKEN})
    for web in settings:
        async with serving_town(tmp_path, (ADA, BO), **web) as town:
            assert (await town.get("/metrics", Authorization=sent, **header)).status == 404


async def test_figures_are_there_with_the_token_also_through_a_proxy(tmp_path: Path) -> None:
    async with serving_town(tmp_path, metrics_token=TOKEN) as town:
        for header in ({}, {"X_Forwarded_For": "192.0.2.1"}):
            answer = await town.get("/metrics", Authorization=f"bearer  {TOKEN} ", **header)
            assert (answer.status, "digest_subscribers 2.0" in answer.body) == (200, True)


async def test_figures_are_there_at_the_address_that_is_for_them_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "digest.web")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        probe.listen()
        taken = f"127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=rf'web.metrics_listen = "{taken}": cannot listen there'):
            async with serving_town(tmp_path, metrics_listen=taken):
                pass
    async with serving_town(tmp_path, metrics_listen="127.0.0.1:0") as town:
        (address,) = re.findall(r"metrics served url=(\S+)/metrics", caplog.text)
        async with town.session.get(f"{address}/metrics") as answer:
            assert (answer.status, "digest_subscribers 2.0" in await answer.text()) == (200, True)
        assert (await town.get("/metrics")).status == 404


async def test_a_state_that_cannot_be_read_is_said_to_be_for_a_while(town: Town) -> None:
    url = town.links().manage
    assert url
    town.store._connection.rows("ALTER TABLE preference RENAME TO mislaid")
    answer = await town.get(url)
    assert (answer.status, "Later, please" in told(answer.body)) == (503, True)
    assert "mislaid" not in answer.body
    town.store._connection.rows("ALTER TABLE mislaid RENAME TO preference")
    assert (await town.get(url)).status == 200


async def test_no_log_holds_a_token_or_an_address(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    url = town.links().manage
    assert url
    await town.get(url)
    await town.post(url, {"at": "99"})
    assert url.rpartition("/")[2] not in caplog.text
    assert "ada@example.org" not in caplog.text


async def test_a_request_whose_headers_do_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.web.server._KEEP_ALIVE", 0.5)
    async with serving_town(tmp_path) as town:
        answer, request = await asyncio.open_connection("127.0.0.1", int(town.address.rpartition(":")[2]))
        request.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(LIMIT):
            while not answer.at_eof():
                request.write(b"X-More: 1\r\n")  # each one a sign of life
                await asyncio.sleep(0.1)
        request.close()


def is_answered(port: int) -> bool:
    """Whether the system still has something for whoever asked from that port."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return any(peer.endswith(f":{port:04X}") and state != "07" for _, _, peer, state, *_ in rows)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such limit")
async def test_who_does_not_take_in_the_answer_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = app_module._limit_unread_answer

    def limit_soon(request: Request) -> None:
        with monkeypatch.context() as patched:  # making the answer takes as long as ever
            patched.setattr(app_module, "LONGEST_ANSWER", 1.0)
            limit(request)

    async with serving_town(tmp_path) as town:
        for number in range(1, 101):
            paper = replace(invented_paper(f"2606.{number:05}"), abstract="We poured tea. " * 400)
            town.found(paper)
        links = town.links(number="2606.00101")
        assert links.keyword_pages
        path = links.keyword_pages["tea"].removeprefix(BASE)
        page = len((await town.get(path)).body)
        monkeypatch.setattr(app_module, "_limit_unread_answer", limit_soon)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", int(town.address.rpartition(":")[2])))
            slow.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            await until(lambda: not is_answered(slow.getsockname()[1]))
            taken = 0
            slow.settimeout(LIMIT)
            with suppress(ConnectionResetError):
                while piece := await asyncio.to_thread(slow.recv, 65536):
                    taken += len(piece)
        assert taken < page


async def test_a_port_that_is_taken_is_an_error_of_the_configuration(town: Town, tmp_path: Path) -> None:
    taken = town.address.removeprefix("http://")
    with pytest.raises(ConfigurationError, match=rf'web.listen = "{taken}": cannot listen there'):
        async with serving(
            Web(base_url=BASE, listen=taken),
            tmp_path / "digest.db",
            tuple,
            stored_directory,
            clock=lambda: NOW,
            metrics=Metrics(),
            defaults=Defaults(),
        ):
            pass


async def test_without_a_base_address_nothing_listens_and_no_state_is_opened(tmp_path: Path) -> None:
    async with serving(
        Web(),
        tmp_path / "digest.db",
        tuple,
        stored_directory,
        clock=lambda: NOW,
        metrics=Metrics(),
        defaults=Defaults(),
    ) as address:
        assert address == ""
    assert not (tmp_path / "digest.db").exists()

"""`operator.ping_url` is called as a dead man's switch expects it, and can do no harm."""

import asyncio
import logging
import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from digest.pipeline.coordinator import DeliveryReport
from digest.pipeline.plan import ComposeReport
from digest.pipeline.progress import OutboxStatus
from digest.service import ping as module
from digest.service.ping import AT_LEAST_EVERY, Ping, Pinger, request_for, send_ping
from digest.storage.factory import open_alone
from digest.storage.values import LastFetch
from tests import forked
from tests.integration.ping_server import PingServer, ping_server
from tests.stores import NOW
from tests.waiting import LIMIT, until

GOOD = Ping(failed=(), figures="sent 3, waiting 0")
BAD = Ping(failed=("fetch", "mail"), figures="sent 0, waiting 30")
WORDS = "fetch failed; mail failed; sent 0, waiting 30"
TOKEN = "5d9b1c0e-secret"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(module, "_AT_MOST_EVERY", 0.0)


@pytest.mark.parametrize(
    ("url", "good", "bad"),
    [
        ("https://hc.example/uuid", "https://hc.example/uuid", "https://hc.example/uuid/fail"),
        ("https://hc.example/uuid/", "https://hc.example/uuid/", "https://hc.example/uuid/fail"),
        ("https://hc.example", "https://hc.example", "https://hc.example/fail"),
        (
            "https://hc.example/key/slug?create=1",
            "https://hc.example/key/slug?create=1",
            "https://hc.example/key/slug/fail?create=1",
        ),
        (
            "http://a:b@hc.example:8000/x%2Fy#z",
            "http://a:b@hc.example:8000/x%2Fy",
            "http://a:b@hc.example:8000/x%2Fy/fail",
        ),
    ],
)
def test_after_a_bad_cycle_fail_is_added_to_the_path(url: str, good: str, bad: str) -> None:
    assert request_for(url, GOOD) == ("POST", good, "sent 3, waiting 0")
    assert request_for(url, BAD) == ("POST", bad, WORDS)


def test_an_address_of_uptime_kuma_says_it_in_its_query() -> None:
    url = "https://up.example/api/push/T0ken?status=up&msg=OK&ping="
    start = "https://up.example/api/push/T0ken?status="
    assert request_for(url, GOOD) == ("GET", f"{start}up&msg=sent%203%2C%20waiting%200&ping=", None)
    said = "fetch%20failed%3B%20mail%20failed%3B%20sent%200%2C%20waiting%2030"
    assert request_for(url, BAD) == ("GET", f"{start}down&msg={said}&ping=", None)


@pytest.mark.parametrize(("ping", "path"), [(GOOD, "/key%2F1?a=%20b"), (BAD, "/key%2F1/fail?a=%20b")])
async def test_the_address_is_called_as_it_is_written(ping: Ping, path: str) -> None:
    async with ping_server() as switch:
        assert await send_ping(SecretStr(f"{switch.url}/key%2F1?a=%20b"), ping) is None
    assert switch.asked == [("POST", path, ping.text)]


@pytest.mark.parametrize(
    ("statuses", "tries", "cause"),
    [
        ([500, 429, 200], 3, None),
        ([503, 503, 503], 3, "HTTP 503"),
        ([404], 1, "HTTP 404"),
        ([302], 1, "HTTP 302"),
    ],
)
async def test_what_passes_is_tried_again_and_a_redirect_is_not_followed(
    statuses: list[int], tries: int, cause: str | None
) -> None:
    async with ping_server(*statuses) as switch:
        assert await send_ping(SecretStr(f"{switch.url}/{TOKEN}"), GOOD) == cause
    assert [path for _, path, _ in switch.asked] == [f"/{TOKEN}"] * tries


async def test_a_service_that_says_nothing_or_is_not_there_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{TOKEN}"
        async with asyncio.timeout(LIMIT):
            assert await send_ping(SecretStr(url), GOOD) == "no answer within 0 seconds"
    monkeypatch.setattr(module, "_PATIENCE", LIMIT)
    cause = await send_ping(SecretStr(url), GOOD)
    assert cause is not None
    assert "refused the connection" in cause


@pytest.mark.parametrize("broken", ["http://127.0.0.1:1", "http://no such host", "http://[::1", "ftp://x"])
async def test_no_log_has_the_address(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "aiohttp.access")  # of the server here
    caplog.set_level(logging.DEBUG)
    try:
        cause = await send_ping(SecretStr(f"{broken}/{TOKEN}"), GOOD)
    except ValueError:  # the settings refuse such an address
        cause = "refused"
    async with ping_server(404) as switch:
        await send_ping(SecretStr(f"{switch.url}/{TOKEN}?{TOKEN}"), GOOD)
        await send_ping(SecretStr(f"{switch.url}/{TOKEN}?{TOKEN}"), BAD)
    assert cause
    assert TOKEN not in caplog.text + cause
    assert "ping failed host=127.0.0.1 cause=HTTP 404" in caplog.text
    assert "pinged host=127.0.0.1 state=bad" in caplog.text


# A daemon


class Daemon:
    """What a daemon says of its cycles, at a clock that is set by hand."""

    def __init__(self, switch: PingServer) -> None:
        self.now = NOW
        self.pinger = Pinger(lambda: SecretStr(f"{switch.url}/x"), lambda: self.now)

    def mailed(
        self,
        *,
        sent: int = 0,
        composed: int = 0,
        is_server_down: bool = False,
        fetch_failed_at: datetime | None = None,
    ) -> None:
        report = DeliveryReport(
            sent=sent, composed=ComposeReport(composed=composed), is_server_down=is_server_down
        )
        last = LastFetch(
            began_at=NOW, queries=b"", failed_at=fetch_failed_at, is_missing=False, brought_papers=False
        )
        self.pinger.mailed(report, OutboxStatus(), last)


async def pings(switch: PingServer, daemon: Daemon, count: int) -> list[str]:
    task = asyncio.create_task(daemon.pinger.run())
    try:
        await until(lambda: len(switch.asked) >= count)
        await asyncio.sleep(0.1)
    finally:
        task.cancel()
    return [path for _, path, _ in switch.asked]


async def test_a_cycle_of_this_host_is_told_and_one_of_another_host_is_not() -> None:
    async with ping_server() as switch:
        daemon = Daemon(switch)
        daemon.mailed()
        daemon.mailed(sent=1)
        daemon.mailed(is_server_down=True)
        daemon.mailed()
        daemon.mailed(is_server_down=True)
        daemon.mailed(composed=1)
        daemon.mailed(fetch_failed_at=NOW)
        daemon.mailed(composed=1)
        daemon.pinger.fetched()
        daemon.mailed(fetch_failed_at=NOW)
        daemon.mailed()
        assert await pings(switch, daemon, 4) == ["/x", "/x/fail", "/x", "/x/fail"]


async def test_a_daemon_with_nothing_to_do_says_twice_a_day_that_it_works() -> None:
    async with ping_server() as switch:
        daemon = Daemon(switch)
        for hours in range(49):
            daemon.now = NOW + timedelta(hours=hours)
            before = [*switch.asked]
            daemon.mailed()
            if hours and timedelta(hours=hours) % AT_LEAST_EVERY == timedelta(0):
                await pings(switch, daemon, len(before) + 1)
        assert len(switch.asked) == 4


async def test_a_step_that_raises_an_error_is_a_bad_cycle() -> None:
    async def step() -> datetime:
        raise ValueError("no")

    async with ping_server() as switch:
        daemon = Daemon(switch)
        with pytest.raises(ValueError, match="no"):
            await daemon.pinger.watched("fetch", step)()
        assert await pings(switch, daemon, 1) == ["/x/fail"]
        assert switch.asked[0][2] == "fetch failed; an error ended it"


async def test_while_the_service_does_not_answer_the_last_good_cycle_replaces_those_before() -> None:
    async with ping_server() as switch:
        daemon = Daemon(switch)
        for number in range(100):
            daemon.mailed(sent=number + 1)
        daemon.mailed(is_server_down=True)
        assert await pings(switch, daemon, 2) == ["/x", "/x/fail"]
        assert switch.asked[0][2] == "sent 100, waiting 0"


# Commands


async def run(folder: Path, switch: PingServer, *command: str, entries: str = "", **environ: str) -> str:
    """What a command prints; its arXiv answers nobody."""
    (folder / "subscribers.toml").write_text(entries)
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")},
        "DIGEST_STATE": str(folder / "digest.db"),
        "DIGEST_ARXIV__API_URL": "http://127.0.0.1:9/",
        "DIGEST_ARXIV__RETRY_PAUSE": "0",
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
        "DIGEST_OPERATOR__PING_URL": f"{switch.url}/{TOKEN}",
        **environ,
    }
    done = await asyncio.to_thread(forked.run, *command, cwd=folder, env=given)
    return done.stdout + done.stderr


ENTRY = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["tea"]\n'


@pytest.mark.parametrize(
    ("entries", "asked"),
    [
        ("", ("POST", f"/{TOKEN}", "sent 0, waiting 0")),
        (ENTRY, ("POST", f"/{TOKEN}/fail", "fetch failed; sent 0, waiting 0")),
    ],
)
async def test_a_run_calls_once_how_it_ended(
    tmp_path: Path, entries: str, asked: tuple[str, str, str]
) -> None:
    async with ping_server() as switch:
        printed = await run(tmp_path, switch, "run", entries=entries)
        assert switch.asked == [asked]
        assert TOKEN not in printed
        await run(tmp_path, switch, "run", "--dry-run", entries=entries)
        await run(tmp_path, switch, "run", entries=entries, DIGEST_SMTP__PORT="0")
        assert switch.asked == [asked], "neither a dry run nor wrong settings are a cycle"
        await run(tmp_path, switch, "run", entries="[[")
        assert switch.asked[1:] == [("POST", f"/{TOKEN}/fail", "run failed; an error ended it")]


async def test_a_run_that_an_error_ends_is_a_bad_cycle_unless_another_process_works(tmp_path: Path) -> None:
    async with ping_server() as switch:
        with open_alone(tmp_path / "digest.db"):
            assert "another digest process" in await run(tmp_path, switch, "run")
        assert not switch.asked
        (tmp_path / "digest.db").write_text("no database")
        await run(tmp_path, switch, "run")
        assert switch.asked == [("POST", f"/{TOKEN}/fail", "run failed; an error ended it")]


async def test_a_switch_that_refuses_changes_nothing_but_the_log(tmp_path: Path) -> None:
    async with ping_server(404) as switch:
        printed = await run(tmp_path, switch, "run")
    assert "0 digests sent" in printed
    assert "ping failed host=127.0.0.1 cause=HTTP 404" in printed


@pytest.mark.parametrize(
    ("statuses", "said"), [([], "ok      ping: 127.0.0.1"), ([404], "failed  ping: 127.0.0.1: HTTP 404")]
)
async def test_the_doctor_calls_only_when_asked(tmp_path: Path, statuses: list[int], said: str) -> None:
    async with ping_server(*statuses) as switch:
        assert "ping:" not in await run(tmp_path, switch, "doctor")
        assert not switch.asked
        printed = await run(tmp_path, switch, "doctor", "--ping")
        assert said in printed
        assert TOKEN not in printed
        assert [path for _, path, _ in switch.asked] == [f"/{TOKEN}"]
        assert "set operator.ping_url" in await run(
            tmp_path, switch, "doctor", "--ping", DIGEST_OPERATOR__PING_URL=""
        )

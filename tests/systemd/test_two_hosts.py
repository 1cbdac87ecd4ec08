"""Two machines do what the recipe in docs/service.md says of two hosts and one database."""

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.crash.networks import Networks, networks
from tests.systemd.hosts import Host, database_at, hosts_on
from tests.systemd.machine import wait_until
from tests.systemd.service import Service, documented, next_minute
from tests.systemd.town import Town, town_at

pytestmark = pytest.mark.long

NETWORK = "10.213.58"
NIGHT = [f"night{number}@example.org" for number in range(4)]
MORNING = [f"morning{number}@example.org" for number in range(4)]


@pytest.fixture
def bridge() -> Iterator[Networks]:
    with networks(("ash", "elm"), NETWORK) as made:
        yield made


@pytest.fixture
def town(bridge: Networks) -> Iterator[Town]:
    with database_at(bridge.address), town_at(os.getpid(), {}, bridge.address) as town:
        yield town


def subscribe(host: Host, emails: list[str]) -> datetime:
    """Subscribes them for soon; returns when the host's daemon knows them."""
    at = next_minute(after=timedelta(seconds=20))
    entries = "".join(f"{email},tea,{at:%H:%M}\n" for email in emails)
    host.machine.path("/root/people.csv").write_text(f"email,keywords,at\n{entries}")
    done = host.digest("subscribers", "--import", "/root/people.csv")
    assert done.returncode == 0, done.stdout + done.stderr
    host.machine("systemctl", "reload", "arxiv-digest")
    Service(machine=host.machine).wait_for("reloaded")
    return at


def wait_for_status(host: Host, code: int, seconds: float, what: str) -> str:
    """What `digest status` says as soon as it ends so."""
    said = host.digest("status")
    deadline = time.monotonic() + seconds
    while said.returncode != code:
        assert time.monotonic() < deadline, f"{what}: {said.stdout}{said.stderr}"
        time.sleep(2)
        said = host.digest("status")
    return said.stdout


def wait_for_mails(town: Town, emails: list[str], at: datetime) -> None:
    wait_until(lambda: all(town.mails_to(email) for email in emails), 100, f"mails at {at:%H:%M}")
    mails = [mail for mail in town.post.accepted if mail.recipient in emails]
    assert all(f"Date: {at:%a, %d %b %Y %H:%M:00} +0000".encode() in mail.message for mail in mails)


def test_one_host_is_stopped_in_the_night_and_every_mail_comes_at_its_time(
    bridge: Networks, town: Town, root: Path, downloads: Path, tmp_path: Path
) -> None:
    with hosts_on(bridge, root, tmp_path) as (ash, elm):
        for host in (ash, elm):
            host.install(downloads, town.configuration_outside())
        shown = elm.machine.shell(documented("two hosts: first subscriber"))
        assert "ash" in shown
        assert "elm" in shown

        at = subscribe(elm, NIGHT)
        ash.cut_power()
        assert not town.post.accepted
        wait_for_mails(town, NIGHT, at)
        missing = wait_for_status(elm, 1, 90, "a host is missed")
        assert "the daemon on ash was last seen at" in missing

        ash.switch_on()
        wait_for_status(elm, 0, 60, "both hosts are there")
        at = subscribe(ash, MORNING)
        elm.machine("systemctl", "stop", "arxiv-digest")
        assert not any(map(town.mails_to, MORNING))
        wait_for_mails(town, MORNING, at)
    assert sorted(mail.recipient for mail in town.post.accepted) == sorted(NIGHT + MORNING)

"""The units in systemd/ are right and hardened, as systemd's own tool judges them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "systemd").glob("arxiv-digest*"))
SERVICES = [path for path in UNITS if path.suffix == ".service"]

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env=os.environ | {"TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def settings_of(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def test_there_is_a_daemon_and_a_timer_with_its_service() -> None:
    assert [path.name for path in UNITS] == [
        "arxiv-digest-run.service",
        "arxiv-digest-run.timer",
        "arxiv-digest-web.service",
        "arxiv-digest.service",
    ]


@needs_systemd
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_verify_has_nothing_to_say(path: Path) -> None:
    # It ends with 0 on some bad values: only silence is consent.
    ended = analyze("verify", str(path))
    assert (ended.stdout + ended.stderr, ended.returncode) == ("", 0)


@needs_systemd
@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_the_exposure_is_at_most_one_and_a_half(path: Path) -> None:
    ended = analyze("security", "--offline=true", str(path))
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", ended.stdout)
    assert found, ended.stdout + ended.stderr
    assert float(found[1]) <= 1.5


@needs_systemd
def test_the_timer_runs_after_each_announcement() -> None:
    (timer,) = [path for path in UNITS if path.suffix == ".timer"]
    (calendar,) = [line.partition("=")[2] for line in settings_of(timer) if line.startswith("OnCalendar=")]
    ended = analyze("calendar", "--iterations=5", "--base-time=2026-06-12 12:00:00 UTC", calendar)
    times = re.findall(r"(?:elapse|#\d): (\w+ [\d-]+ [\d:]+) UTC", ended.stdout)
    # Announced Sunday to Thursday at 20:00 US Eastern, which in summer is 00:00 UTC of the next day.
    assert times == [
        f"{day} 2026-06-{number} 02:45:00"
        for day, number in zip(("Mon", "Tue", "Wed", "Thu", "Fri"), range(15, 20), strict=True)
    ]


def test_all_services_own_the_same_state_and_are_equally_hardened() -> None:
    begin, end = "ConfigurationDirectory=arxiv-digest", "[Install]"
    units = [[*settings_of(path), end] for path in SERVICES]
    first, *others = [unit[unit.index(begin) : unit.index(end)] for unit in units]
    assert [unit == first for unit in others] == [True, True]
    assert {"DynamicUser=yes", "User=arxiv-digest", "StateDirectory=arxiv-digest"} <= set(first)

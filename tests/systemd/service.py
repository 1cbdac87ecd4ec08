"""The service in the machine, as its administrator sees it, and what the documentation tells them to type."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from tests.integration.mail_server import Answer
from tests.systemd.machine import Machine, wait_until
from tests.systemd.town import Town, town_at

UNIT = "arxiv-digest.service"
ADA, BO = "ada@example.org", "bo@example.org"
_DOCUMENT = Path(__file__).parents[2] / "docs" / "service.md"
_ADDITIONS = f"/etc/systemd/system/{UNIT}.d"


def documented(name: str) -> str:
    """The code block of docs/service.md that follows the line `<!-- NAME -->`."""
    found = re.search(
        rf"^<!-- {name} -->\n```\w+\n(.*?)^```$", _DOCUMENT.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found, f"docs/service.md has no commands after <!-- {name} -->"
    return found[1]


def make_subscriber(email: str, at: datetime | None = None) -> str:
    """A [[subscriber]]; without `at` their time is ten minutes ago, so that nothing comes for long."""
    at = at or datetime.now(UTC) - timedelta(minutes=10)
    return f'[[subscriber]]\nemail = "{email}"\nkeywords = ["tea"]\nat = "{at:%H:%M}"\n'


def next_minute(*, after: timedelta) -> datetime:
    """The first full minute that leaves so much time until then."""
    return (datetime.now(UTC) + after).replace(second=0, microsecond=0) + timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """`unit` in `machine`, whose files are in /etc/arxiv-digest."""

    machine: Machine
    unit: str = UNIT

    def reset(self) -> None:
        """Not running, never failed, with no state, no additions and an empty journal."""
        self.stop()
        self.machine.shell(f"""
            systemctl reset-failed
            systemctl clean --what=state {UNIT}
            rm -rf {_ADDITIONS} && systemctl daemon-reload
            journalctl --quiet --rotate && journalctl --quiet --vacuum-time=1us
        """)

    @contextmanager
    def in_town(
        self, *subscribers: str, answers: Mapping[str, Answer | Sequence[Answer]] = MappingProxyType({})
    ) -> Iterator[Town]:
        """Its files name an arXiv and a mail server that are there; the latter gives these `answers`."""
        with town_at(self.machine.leader, answers) as town:
            self.write("digest.toml", town.configuration())
            self.write("subscribers.toml", *subscribers)
            yield town

    def write(self, name: str, *parts: str) -> None:
        self.machine.path(f"/etc/arxiv-digest/{name}").write_text("".join(parts))

    def add(self, *lines: str) -> None:
        """What `systemctl edit` does with lines for the section [Service]."""
        folder = self.machine.path(_ADDITIONS)
        folder.mkdir(exist_ok=True)
        (folder / "override.conf").write_text("\n".join(["[Service]", *lines, ""]))
        self.machine("systemctl", "daemon-reload")

    def start(self) -> None:
        """Returns when the daemon said that it is ready."""
        self.machine("systemctl", "start", self.unit)

    def stop(self) -> None:
        self.machine("systemctl", "stop", UNIT, "arxiv-digest-run.timer", "arxiv-digest-run.service")

    def show(self, name: str) -> str:
        """A property of the unit, as `systemctl show` has it."""
        return self.machine("systemctl", "show", "--value", f"--property={name}", self.unit).strip()

    @property
    def journal(self) -> str:
        return self.machine("journalctl", "--quiet", "--output=cat", f"--unit={self.unit}")

    def wait_for(self, words: str, seconds: float = 30) -> None:
        try:
            wait_until(lambda: words in self.journal, seconds, f"{words!r} in the journal")
        except AssertionError as failure:
            failure.add_note(self.journal)
            raise

"""`digest` with many keywords in a folder of its own, over the simulated arXiv."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.peak import family, family_bytes

ROOT = Path(__file__).parents[1]

_KEYWORDS_EACH = 10
_LONGEST_RUN = 1_800
_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One `digest run`: requests sent to arXiv, seconds, peak memory in bytes, and what went wrong.

    `cpu` are the seconds of processor time, from the start of Python to its end. Both count the process that
    writes the mails as well, where there is one.
    """

    requests: int
    papers_new: int
    sent: int
    seconds: float
    cpu: float
    peak: int
    errors: tuple[str, ...]


class Installation:
    """Subscribers whose mails go into a Maildir, unless `settings` say otherwise; `interval` is in seconds.

    As where it is installed, Python finds the modules compiled, from the second run on.
    """

    def __init__(
        self, folder: Path, subscribers: str, arxiv_url: str, *, interval: float, **settings: str
    ) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        (folder / "subscribers.toml").write_text(subscribers, encoding="utf-8")
        self._environ = {name: text for name, text in os.environ.items() if not name.startswith("DIGEST_")}
        self._environ |= {
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
            "DIGEST_SUBSCRIBERS": str(folder / "subscribers.toml"),
            "DIGEST_STATE": str(folder / "digest.db"),
            "DIGEST_ARXIV__API_URL": f"{arxiv_url}/api/query",
            "DIGEST_ARXIV__OAI_URL": f"{arxiv_url}/oai",
            "DIGEST_ARXIV__FEED_URL": f"{arxiv_url}/atom",
            "DIGEST_ARXIV__REQUEST_INTERVAL": str(interval),
            "DIGEST_ARXIV__RETRY_PAUSE": "3",
            **{f"DIGEST_{key.upper()}": text for key, text in settings.items()},
        }

    def run(
        self, now: str | None = None, *, look: Callable[[Sequence[int]], object] = lambda processes: None
    ) -> Ran:
        """`digest run`, perhaps as of `now`. Raises `RuntimeError` with its words if there is no report.

        `look` is called ten times a second with its processes.
        """
        peak = self._folder / "peak"
        began = time.monotonic()
        with subprocess.Popen(  # noqa: S603 (this checkout's own command)
            [
                sys.executable,
                "-m",
                "bench.peak",
                str(peak),
                "run",
                "--json",
                *(["--now", now] if now else []),
            ],
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            told, failures, together = _watched(process, look)
        took = time.monotonic() - began
        if not told.startswith("{"):
            raise RuntimeError(f"digest run ended with {process.returncode}: {told}{failures}")
        report = json.loads(told)
        held, cpu = peak.read_text(encoding="ascii").split()
        return Ran(
            requests=report["requests"],
            papers_new=report["papers_new"],
            sent=report["digests_sent"],
            seconds=took,
            cpu=float(cpu),
            peak=max(int(held), together),
            errors=tuple(report["errors"]),
        )


def _watched(
    process: "subprocess.Popen[str]", look: Callable[[Sequence[int]], object]
) -> tuple[str, str, int]:
    """What a process printed and complained of, and the memory that it and its children held at most."""
    together, until = 0, time.monotonic() + _LONGEST_RUN
    while time.monotonic() < until:
        try:
            return *process.communicate(timeout=_BETWEEN_LOOKS), together
        except subprocess.TimeoutExpired:
            together = max(together, family_bytes(process.pid))
            look(family(process.pid))
    process.kill()
    raise RuntimeError(f"digest run took more than {_LONGEST_RUN} s")


def subscribers(keywords: Sequence[str]) -> str:
    """A subscribers.toml in which each of `keywords` has one subscriber, with ten of them each."""
    left = iter(keywords)
    entries: list[str] = []
    while some := list(islice(left, _KEYWORDS_EACH)):
        email = f"reader{len(entries) + 1}@example.org"
        entries.append(f'[[subscriber]]\nemail = "{email}"\nkeywords = {json.dumps(some)}\n')
    return "\n".join(entries)

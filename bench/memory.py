"""How much memory a run takes at most."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, megabytes
from bench.installation import ROOT, Installation, subscribers
from bench.papers import keywords, papers
from bench.requests import DAILY_RUN, FIRST_RUN
from tests.acceptance.installation import simulator

_KEYWORDS = 10_000
_MOST = 250e6


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """Peak memory of `digest run`, from fetch to mail: of the first run, then of a daily one."""
    texts = keywords(papers(9_000), max(3, int(_KEYWORDS * scale)))
    with tempfile.TemporaryDirectory() as folder, simulator("--min-interval", "0") as arxiv:
        installation = Installation(Path(folder, "installation"), subscribers(texts), arxiv.url, interval=0)
        naive = ""
        for kind, now in (("first", FIRST_RUN), ("daily", DAILY_RUN)):
            arxiv.tell(now=now)
            ran = installation.run(now)
            if kind == "daily":
                naive = _naive(f"{arxiv.url}/api/query")
            yield Figure(
                what=f"peak memory, {kind} run, {len(texts):,} keywords, {ran.papers_new:,} papers new",
                must="≤ 250 MB" if kind == "daily" else "",
                ours=f"{megabytes(ran.peak)}{''.join(f'; {error}' for error in ran.errors[:1])}",
                naive=naive,
                is_held=ran.peak <= _MOST and not ran.errors if kind == "daily" else None,
            )


def _naive(api_url: str) -> str:
    """What was announced today may have been submitted two weeks ago, so this reads two weeks."""
    done = subprocess.run(  # noqa: S603 (this checkout's own module)
        [sys.executable, "-m", "bench.naive_reader", api_url, "202606030000", "202606172359"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    return f"{megabytes(found['peak'])} ({found['papers']:,} papers held)"

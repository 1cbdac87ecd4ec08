"""How many requests a daily run sends to arXiv, and whether each comes in its time."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, seconds
from bench.installation import Installation, subscribers
from bench.papers import keywords, papers
from tests.acceptance.installation import simulator

FIRST_RUN = "2026-06-16T12:00:00Z"
DAILY_RUN = "2026-06-17T12:00:00Z"

_INTERVAL = 3.0
_MOST_REQUESTS = {3: 2, 100: 4, 10_000: 4}


def measure(scale: float = 1.0) -> Iterator[Figure]:
    """The run of the second day, at three numbers of keywords, under arXiv's rule of three seconds."""
    texts = keywords(papers(9_000), max(_MOST_REQUESTS))
    with tempfile.TemporaryDirectory() as folder, simulator("--min-interval", "3", "--enforce") as arxiv:
        for wanted, most in _MOST_REQUESTS.items():
            some = texts[: max(3, int(wanted * scale))]
            arxiv.tell(reset=True, now=FIRST_RUN)
            installation = Installation(
                Path(folder, str(wanted)), subscribers(some), arxiv.url, interval=_INTERVAL
            )
            first = installation.run(FIRST_RUN)
            arxiv.tell(now=DAILY_RUN)
            daily = installation.run(DAILY_RUN)
            violations = arxiv.tell()["violations"]
            wrong = [*first.errors, *daily.errors]
            yield Figure(
                what=f"requests of a daily run with {len(some):,} keywords",
                must=f"≤ {most}, none early",
                ours=f"{daily.requests}, {violations} early, {seconds(daily.seconds)}"
                f" (first run {first.requests}){''.join(f'; {error}' for error in wrong[:1])}",
                naive=f"{len(some):,} (counted), ≥ {seconds(_INTERVAL * (len(some) - 1))}",
                is_held=daily.requests <= most and violations == 0 and not wrong,
            )

"""`python -m bench [requests] [matching] [writing] [--scale 0.1]` and others: measures, prints one table."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench import (
    composing,
    databases,
    delivery,
    growth,
    hosts,
    interest,
    matching,
    memory,
    requests,
    scale,
    seen,
    subscribers,
    tex,
    whole_run,
    workers,
    writing,
)
from bench.figures import Figure, seconds, table
from bench.papers import CORPUS
from tests.acceptance.installation import SIMULATOR

_MEASURES: Mapping[str, Callable[[float], Iterator[Figure]]] = {
    "requests": requests.measure,
    "matching": matching.measure,
    "seen": seen.measure,
    "memory": memory.measure,
    "writing": writing.measure,
    "subscribers": subscribers.measure,
    "delivery": delivery.measure,
    "composing": composing.measure,
    "run": whole_run.measure,
    "workers": workers.measure,
    "databases": databases.measure,
    "hosts": hosts.measure,
    "growth": growth.measure,
    "interest": interest.measure,
    "scale": scale.measure,
    "tex": tex.measure,
}
_ONLY_IF_NAMED = {"databases", "hosts", "scale"}
"""They need PostgreSQL, and the last takes half an hour."""

_OVER_ARXIV = {"requests", "memory", "run", "workers", "databases", "hosts", "growth"}


def main(arguments: Sequence[str]) -> int:
    """Prints the table; 1 if a limit is not held."""
    wanted = _parsed(arguments)
    began = time.monotonic()
    if not CORPUS.exists():
        _say("no real papers at hand: these are invented")
    figures: list[Figure] = []
    for name in wanted.measures or [name for name in _MEASURES if name not in _ONLY_IF_NAMED]:
        if name in _OVER_ARXIV and not SIMULATOR.is_file():
            _say(f"{name}: left out, the simulated arXiv is not beside this checkout")
            continue
        _say(f"{name} …")
        figures += _MEASURES[name](wanted.scale)
    sys.stdout.write(f"{table(figures, is_full_size=wanted.scale == 1)}\n")
    _say(f"measured in {seconds(time.monotonic() - began)}")
    return 1 if wanted.scale == 1 and any(one.is_held is False for one in figures) else 0


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures beside a naive loop.")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"of {', '.join(_MEASURES)}; else all")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="a part of all sizes, above 0 up to 1: for a quick look"
    )
    wanted = parser.parse_args(arguments)
    if unknown := set(wanted.measures) - _MEASURES.keys():
        parser.error(f"no measure is called {', '.join(sorted(unknown))}; there are {', '.join(_MEASURES)}")
    if not 0 < wanted.scale <= 1:
        parser.error("--scale takes a number above 0, up to 1")
    return wanted


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

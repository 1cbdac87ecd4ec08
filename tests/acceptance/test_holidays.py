"""Evenings on which arXiv announces nothing: a holiday on a Friday, and one that is in no list.

The papers are real, the days on which they are announced are not.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.installation import SHARED, Installation, Simulator, needs_simulator, simulator

pytestmark = [needs_simulator, pytest.mark.long]

# Many enough that all of arXiv is read, not only what the search API finds.
CATEGORIES = ("cs.LG", "cs.CL", "cs.CV", "quant-ph")
SUBSCRIBERS = (
    "[[subscriber]]\nemail = 'ada@example.org'\n"
    f"keywords = {['diffusion', 'quantum', *(f'cat:{category}' for category in CATEGORIES)]}\n"
)


@contextmanager
def installed(folder: Path, moved: Mapping[str, str]) -> Iterator[tuple[Installation, Simulator]]:
    """An installation, and an arXiv that announces the lists of some days on others."""
    corpus = folder / "corpus.jsonl.gz"
    with (
        gzip.open(SHARED / "arxiv" / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines,
        gzip.open(corpus, "wt", encoding="utf-8", compresslevel=1) as changed,
    ):
        for line in lines:
            paper = json.loads(line)
            paper["announced"] = moved.get(paper["announced"], paper["announced"])
            changed.write(json.dumps(paper) + "\n")
    with simulator("--min-interval", "0", "--corpus", str(corpus)) as arxiv:
        yield (
            Installation(
                folder,
                SUBSCRIBERS,
                arxiv__api_url=f"{arxiv.url}/api/query",
                arxiv__oai_url=f"{arxiv.url}/oai",
                arxiv__feed_url=f"{arxiv.url}/atom",
                delivery__transport="maildir",
                delivery__maildir=str(folder / "Maildir"),
                defaults__timezone="UTC",
            ),
            arxiv,
        )


def test_the_monday_after_a_friday_holiday_brings_nothing_and_says_why(tmp_path: Path) -> None:
    with installed(tmp_path, {"2026-06-17": "2026-06-19", "2026-06-18": "2026-06-23"}) as (lab, arxiv):
        arxiv.tell(now="2026-06-19T12:00:00Z")
        lab.run("2026-06-19T12:30:00Z")
        arxiv.tell(now="2026-06-22T12:00:00Z")
        monday = lab.run("2026-06-22T12:30:00Z")
        (note,) = monday["notes"]
        assert note.endswith("no announcement follows a holiday on a Friday (Juneteenth)")
        assert (monday["errors"], monday["papers_new"], monday["digests_sent"]) == ([], 0, 0)
        status = lab("status", "--now", "2026-06-22T12:30:00Z")
        assert (note in status.stdout, status.returncode) == (True, 0)
        arxiv.tell(now="2026-06-23T12:00:00Z")
        tuesday = lab.run("2026-06-23T12:30:00Z")
        assert (tuesday["papers_new"] > 200, tuesday["notes"], tuesday["digests_sent"]) == (True, [], 1)


def test_an_evening_that_arxiv_leaves_out_is_told_and_what_comes_late_is_found(tmp_path: Path) -> None:
    with installed(tmp_path, {"2026-06-17": "2026-06-18"}) as (lab, arxiv):
        arxiv.tell(now="2026-06-16T12:00:00Z")
        lab.run("2026-06-16T12:30:00Z")
        arxiv.tell(now="2026-06-17T12:00:00Z")
        report = lab.run("2026-06-17T12:30:00Z")
        assert (report["errors"], report["papers_new"]) == ([], 0)
        assert "evening of Tuesday, 2026-06-16 (New York), though it was to" in report["notes"][0]
        status = lab("status", "--now", "2026-06-17T12:30:00Z")
        assert ("though it was to" in status.stdout, status.returncode) == (True, 0)
        arxiv.tell(now="2026-06-18T12:00:00Z")
        report = lab.run("2026-06-18T12:30:00Z")
        assert (report["papers_new"] > 400, report["notes"], report["digests_sent"]) == (True, [], 1)

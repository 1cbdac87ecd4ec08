"""Nine real days of arXiv, day by day: who is mailed what is exact."""

import gzip
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import snowballstemmer

from tests.acceptance.installation import (
    SHARED,
    Inbox,
    Installation,
    Simulator,
    mail_server,
    needs_simulator,
    simulator,
)

pytestmark = needs_simulator

READERS = {
    "ada@example.org": ["reinforcement learning", "graph neural network", "state of the art"],
    "bo@example.org": ["compiler", "Error-Correction"],
    "cy@example.org": ["neural operator"],
}
SUBSCRIBERS = "\n".join(
    f'[[subscriber]]\nemail = "{email}"\nkeywords = {json.dumps(keywords)}\n'
    for email, keywords in READERS.items()
)
CALENDAR = [f"2026-06-{day:02}" for day in range(8, 19)]
STOP_WORDS = set(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these"  # noqa: SIM905
    " they this to was will with".split()
)

stem = cache(snowballstemmer.stemmer("porter").stemWord)


def plain_stems(text: str) -> str:
    """The stems of a text between blanks, a stop word as `_`: an oracle with nothing of the project in it."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()
    words = [
        word.removesuffix("'s") for word in re.findall(r"[^\W_]+(?:'[^\W_]+)*", folded.replace("’", "'"))
    ]
    return f" {' '.join('_' if word in STOP_WORDS else stem(word) for word in words)} "


@dataclass
class Oracle:
    """Who should get what on which day, straight from the corpus."""

    papers: list[dict[str, Any]]

    def announced(self, day: str, email: str) -> set[str]:
        return {
            paper["id"]
            for paper in self.papers
            if paper["announced"] == day and any(paper["matches"][word] for word in READERS[email])
        }


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    with gzip.open(SHARED / "arxiv" / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines]
    needles = {word: plain_stems(word) for words in READERS.values() for word in words}
    for paper in papers:
        texts = plain_stems(paper["title"]), plain_stems(paper["abstract"])
        paper["matches"] = {word: any(needle in text for text in texts) for word, needle in needles.items()}
    return Oracle(papers)


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Simulator]:
    with simulator("--min-interval", "0.05", "--enforce") as running:
        yield running


@pytest.fixture
def server() -> Iterator[tuple[int, Inbox]]:
    with mail_server() as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, arxiv: Simulator, server: tuple[int, Inbox]) -> Installation:
    arxiv.tell(reset=True)
    return Installation(
        tmp_path,
        SUBSCRIBERS,
        arxiv__api_url=f"{arxiv.url}/api/query",
        arxiv__request_interval=0.06,
        smtp__host="127.0.0.1",
        smtp__port=server[0],
        smtp__security="none",
    )


def test_each_reader_is_mailed_exactly_what_was_announced_and_matches(
    lab: Installation, arxiv: Simulator, server: tuple[int, Inbox], oracle: Oracle
) -> None:
    inbox = server[1]
    brought: dict[str, set[str]] = {email: set() for email in READERS}
    for day in CALENDAR:
        arxiv.tell(now=f"{day}T12:00:00Z")
        report = lab.run(f"{day}T12:30:00Z")
        mailed = inbox.take()
        for email, keywords in READERS.items():
            papers = mailed.get(email, [])
            assert len(papers) == len(set(papers))
            if day == CALENDAR[0]:
                assert 0 < len(papers) <= 10 * len(keywords)
            else:
                assert set(papers) == oracle.announced(day, email), (day, email)
            assert brought[email].isdisjoint(papers)
            brought[email].update(papers)
        assert report["requests"] == 1
        assert report["digests_sent"] == len(mailed)
        assert report["subscribers_nothing_new"] == len(READERS) - len(mailed)
        assert lab.run(f"{day}T18:00:00Z")["digests_sent"] == 0
    assert arxiv.tell()["violations"] == 0


def test_days_that_were_missed_come_in_one_digest(
    lab: Installation, arxiv: Simulator, server: tuple[int, Inbox], oracle: Oracle
) -> None:
    inbox = server[1]
    for day in ("2026-06-09", "2026-06-10", "2026-06-18"):
        arxiv.tell(now=f"{day}T12:00:00Z")
        lab.run(f"{day}T12:30:00Z")
        mailed = inbox.take()
    missed = [day for day in CALENDAR if day > "2026-06-10"]
    for email in READERS:
        assert set(mailed[email]) == set().union(*(oracle.announced(day, email) for day in missed))


def test_a_reader_whose_mailbox_refuses_gets_everything_later_and_the_others_wait_for_nothing(
    lab: Installation, arxiv: Simulator, server: tuple[int, Inbox], oracle: Oracle
) -> None:
    inbox = server[1]
    arxiv.tell(now="2026-06-09T12:00:00Z")
    lab.run("2026-06-09T12:30:00Z")
    inbox.take()
    inbox.refusing["bo@example.org"] = "452 4.2.2 mailbox full"
    arxiv.tell(now="2026-06-10T12:00:00Z")
    report = lab.run("2026-06-10T12:30:00Z", exit_code=1)
    assert (report["digests_sent"], report["digests_deferred"]) == (2, 1)
    assert any("452" in error and "bo@example.org" in error for error in report["errors"])
    assert set(inbox.take()) == {"ada@example.org", "cy@example.org"}
    inbox.refusing.clear()
    arxiv.tell(now="2026-06-11T12:00:00Z")
    lab.run("2026-06-11T12:30:00Z")
    both_days = oracle.announced("2026-06-10", "bo@example.org") | oracle.announced(
        "2026-06-11", "bo@example.org"
    )
    mailed = inbox.take()["bo@example.org"]
    assert len(mailed) == len(set(mailed))
    assert set(mailed) == both_days

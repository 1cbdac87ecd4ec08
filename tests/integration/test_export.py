"""`digest export`: papers of the state as references; arXiv is asked for those that it does not have."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import rispy
from bibtexparser.entrypoint import parse_string

from digest.demo.arxiv import LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, SECOND_MORNING
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Matched
from tests import forked
from tests.factories import invented_paper, make_subscriber
from tests.stores import LONG_AGO, NOW, key

TEA = invented_paper("2606.59001", "Green tea")
MILK = invented_paper("2606.59002", "Milk & tea")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol([make_subscriber()], now=NOW, current_since=NOW)
        found = [Matched(paper=paper, query_keys=(key("tea"),)) for paper in (TEA, MILK)]
        store.record(found, covered={key("tea"): LONG_AGO}, now=NOW)
    return tmp_path


def export(
    folder: Path, *arguments: str, api: str = "http://127.0.0.1:9", **environment: str
) -> CompletedProcess[str]:
    environ = os.environ | {
        "DIGEST_ARXIV__API_URL": api,
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
        "DIGEST_STATE": str(folder / "digest.db"),
        **environment,
    }
    return forked.run("export", *arguments, cwd=folder, env=environ)


def test_papers_come_from_the_state_in_the_order_of_the_arguments(folder: Path) -> None:
    done = export(folder, "https://arxiv.org/abs/2606.59002v3", "10.48550/arXiv.2606.59001", "2606.59002")
    assert (done.returncode, done.stderr) == (0, "")
    titles = [entry.fields_dict["title"].value for entry in parse_string(done.stdout).entries]
    assert titles == [r"Milk \& tea", "Green tea"]


@pytest.mark.parametrize("where", ["papers.ris", "/dev/stdout", "-"])
def test_a_file_is_written_as_it_would_be_printed(folder: Path, where: str) -> None:
    printed = export(folder, "2606.59001", "--format", "ris").stdout
    done = export(folder, "2606.59001", "--format", "ris", "-o", where)
    text = done.stdout if where in ("/dev/stdout", "-") else (folder / where).read_bytes().decode()
    assert text == printed
    assert [entry["title"] for entry in rispy.loads(text)] == ["Green tea"]
    assert not (folder / "-").exists()


def test_the_output_is_utf_8_whatever_the_terminal_is(folder: Path) -> None:
    with SqliteStore(folder / "digest.db") as store:
        paper = replace(invented_paper("2606.59003", "Thé"), authors=("Zoë Ошибка",))
        store.record(
            [Matched(paper=paper, query_keys=(key("tea"),))], covered={key("tea"): LONG_AGO}, now=NOW
        )
    done = export(folder, "2606.59003", PYTHONIOENCODING="latin-1")
    assert ("{Thé}" in done.stdout, "Ошибка, Zoë" in done.stdout) == (True, True)


def test_what_names_no_paper_is_refused_by_name(folder: Path) -> None:
    done = export(folder, "2606.59001", "tea")
    assert (done.returncode, done.stdout) == (2, "")
    assert "not an arXiv identifier: 'tea'" in done.stderr


def test_a_file_that_cannot_be_written_is_named(folder: Path) -> None:
    done = export(folder, "2606.59001", "-o", "no/papers.bib")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no/papers.bib: cannot be written")


@pytest.fixture
async def arxiv() -> AsyncIterator[LocalArxiv]:
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as server:
        yield server


async def test_arxiv_is_asked_for_a_paper_that_was_never_fetched(folder: Path, arxiv: LocalArxiv) -> None:
    done = await asyncio.to_thread(export, folder, "2606.99114", "2606.59001", api=arxiv.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "eprint = {2606.99114}" in done.stdout


async def test_a_paper_that_arxiv_does_not_have_is_named(folder: Path, arxiv: LocalArxiv) -> None:
    done = await asyncio.to_thread(export, folder, "2606.59001", "2606.00009", api=arxiv.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: arXiv has no paper 2606.00009:")

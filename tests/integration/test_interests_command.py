"""`digest like`, `dislike` and `interests`: judgements of papers, what is learned, and whole libraries."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest import cli
from digest.cli.libraries import zotero as zotero_module
from digest.cli.libraries.parser import Reference
from digest.cli.libraries.zotero import fetch_library
from digest.errors import ConfigurationError
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.interest.judgements import Judgement
from tests.integration.zotero_server import Zotero, serving
from tests.stores import found, profile_of, record

ADA = "ada@example.org"
KEY = "k3y"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


Digest = Callable[..., Ended]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Digest:
    """Runs the command in a folder with one subscriber and a state of two papers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    Path("subscribers.toml").write_text(f'[[subscriber]]\nemail = "{ADA}"\nkeywords = ["tea"]\n')
    with SqliteStore(tmp_path / "digest.db") as store:
        record(store, found("2606.00001", "tea"), found("2606.00002", "tea"), covered=("tea",))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["digest", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return Ended(code=ended.value.code if isinstance(ended.value.code, int) else 0, out=out, err=err)

    return run


def judgements(folder: Path) -> tuple[Judgement, ...]:
    with SqliteStore(folder / "digest.db") as store:
        return store.judgements(ADA)


def verdicts(folder: Path) -> list[tuple[str, bool]]:
    return [(one.example.name, one.is_liked) for one in judgements(folder)]


def test_papers_are_liked_and_disliked_and_it_is_told_what_changed(digest: Digest, tmp_path: Path) -> None:
    ended = digest("like", "Ada@Example.org", "arXiv:2606.00001v3", "https://arxiv.org/pdf/2606.00002")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "2606.00001 On nothing in particular: liked",
        "2606.00002 On nothing in particular: liked",
    ]
    assert digest("like", ADA, "2606.00001").out.endswith(": liked already\n")
    assert digest("dislike", ADA, "2606.00001").out.endswith(": disliked, no longer liked\n")
    assert sorted(verdicts(tmp_path)) == [("2606.00001", False), ("2606.00002", True)]


def test_it_can_be_taken_back(digest: Digest, tmp_path: Path) -> None:
    digest("like", ADA, "2606.00001")
    assert digest("like", ADA, "2606.00001", "--undo").out.endswith(": taken back\n")
    assert digest("dislike", ADA, "2606.00001", "--undo").out.endswith(": it has no judgement\n")
    assert verdicts(tmp_path) == []


def test_a_paper_that_was_never_fetched_is_named_and_nothing_changes(digest: Digest, tmp_path: Path) -> None:
    ended = digest("like", ADA, "2606.00001", "2606.00009")
    assert ended.code == 2
    assert "2606.00009: this paper was never fetched" in ended.err
    assert "nothing was changed" in ended.err
    assert verdicts(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("like", ADA, "tea"),
        ("like", "nobody@example.org", "2606.00001"),
        ("interests", "nobody@example.org"),
        ("interests", ADA, "--forget", "--json"),
        ("interests", ADA, "--import", "missing.bib"),
        ("interests", ADA, "--zotero", "ada", "--key-file", "subscribers.toml"),
        ("interests", ADA, "--zotero", "12"),
        ("interests", ADA, "--zotero", "12", "--key-file", "missing"),
        ("interests", ADA, "--zotero", "12", "--key-file", "subscribers.toml"),
        ("interests", ADA, "--import", "subscribers.toml"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    digest: Digest, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ended = digest(*arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert verdicts(tmp_path) == []


def test_what_was_said_and_learned_is_shown_and_forgotten(digest: Digest, tmp_path: Path) -> None:
    assert "has judged no paper" in digest("interests", ADA).out
    digest("like", ADA, "2606.00001")
    digest("dislike", ADA, "2606.00002")
    shown = digest("interests", ADA).out
    assert "2606.00001  liked" in shown
    assert "2606.00002  disliked" in shown
    assert "Learned, for: " in shown
    told = json.loads(digest("interests", ADA, "--json").out)
    assert [(one["id"], one["is_liked"], one["origin"]) for one in told["papers"]] == [
        ("2606.00001", True, "command"),
        ("2606.00002", False, "command"),
    ]
    assert told["terms"][0]["weight"] > 0
    assert "2 judgements" in digest("interests", ADA, "--forget").out
    assert verdicts(tmp_path) == []
    with SqliteStore(tmp_path / "digest.db") as store:
        assert profile_of(store, ADA) is None


LIBRARY = """
@article{a, title = {As the file has it}, eprint = {2606.00001}, archiveprefix = {arXiv}}
@article{b, title = {Of arXiv, and never fetched}, abstract = {We boil.}, doi = {10.48550/arXiv.2606.00009}}
@article{c, title = {Elsewhere}, abstract = {We wait.}}
@article{d, eprint = {2606.00008}, archiveprefix = {arXiv}}
@article{e, author = {Nobody}}
"""


def test_a_library_is_liked_by_identifier_or_else_by_its_texts(digest: Digest, tmp_path: Path) -> None:
    Path("x.bib").write_text(LIBRARY)
    ended = digest("interests", ADA, "--import", "x.bib")
    assert ended.code == 0
    assert (
        f"x.bib: 5 references; 3 papers liked by {ADA}, 2 of them by arXiv identifier,"
        " 1 by title and abstract; 3 are new."
    ) in ended.out
    assert "Not used: 2." in ended.out
    assert "  d: it has no title, and this paper of arXiv was never fetched" in ended.out
    assert "  e: it has neither a title nor an arXiv identifier" in ended.out
    assert {(one.example.title, one.example.abstract) for one in judgements(tmp_path)} == {
        ("On nothing in particular", "We say little, and show less."),
        ("Of arXiv, and never fetched", "We boil."),
        ("Elsewhere", "We wait."),
    }
    assert "0 are new." in digest("interests", ADA, "--import", "x.bib").out


def test_what_was_disliked_before_stays_so(digest: Digest, tmp_path: Path) -> None:
    digest("dislike", ADA, "2606.00001")
    Path("x.bib").write_text(LIBRARY)
    assert f"Disliked by {ADA}, and that stays: 1." in digest("interests", ADA, "--import", "x.bib").out
    assert ("2606.00001", False) in verdicts(tmp_path)


def items(number: int) -> list[object]:
    return [
        {"key": f"K{place}", "data": {"itemType": "preprint", "title": f"Kettle {place}"}}
        for place in range(number)
    ]


@pytest.mark.parametrize("number", [0, 1, 100, 101, 250])
async def test_the_whole_library_of_zotero_is_read_page_by_page(number: int) -> None:
    async with serving(Zotero(user="12", key=KEY, items=items(number))) as zotero:
        entries = await fetch_library("12", KEY, endpoint=zotero.address)
    assert [one.title for one in entries if isinstance(one, Reference)] == [
        f"Kettle {place}" for place in range(number)
    ]


async def test_zotero_is_asked_again_when_it_is_busy() -> None:
    async with serving(Zotero(user="12", key=KEY, items=items(2), refusals=2)) as zotero:
        assert len(await fetch_library("12", KEY, endpoint=zotero.address)) == 2
        assert len(zotero.asked) == 3


@pytest.mark.parametrize(
    ("user", "key", "refusals", "says"),
    [
        ("12", "wrong", 0, "refuses the key"),
        ("13", KEY, 0, "has no user 13"),
        ("12", KEY, 9, "answered with status 429"),
    ],
)
async def test_refusals_of_zotero_are_explained(user: str, key: str, refusals: int, says: str) -> None:
    async with serving(Zotero(user="12", key=KEY, items=[], refusals=refusals)) as zotero:
        with pytest.raises(ConfigurationError, match=says):
            await fetch_library(user, key, endpoint=zotero.address)


@pytest.mark.parametrize("answer", ["", "{}", '"x"', "<html>", "[" * 100_000])
async def test_a_strange_answer_of_zotero_is_refused(answer: str) -> None:
    async with serving(Zotero(user="12", key=KEY, items=[], strange=answer)) as zotero:
        with pytest.raises(ConfigurationError, match="gave no"):
            await fetch_library("12", KEY, endpoint=zotero.address)


async def test_an_unreachable_zotero_is_told() -> None:
    async with serving(Zotero(user="12", key=KEY, items=[])) as zotero:
        pass
    with pytest.raises(ConfigurationError, match="could not be asked"):
        await fetch_library("12", KEY, endpoint=zotero.address)


def test_a_library_of_zotero_is_liked(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch(user: str, key: str) -> list[Reference]:
        assert (user, key) == ("12", KEY)
        return [Reference(label="T", title="T", abstract="", arxiv_id=None)]

    monkeypatch.setattr(zotero_module, "fetch_library", fetch)
    Path("key").write_text(f"{KEY}\n")
    ended = digest("interests", ADA, "--zotero", "12", "--key-file", "key")
    assert "the library of user 12: 1 reference; 1 paper liked" in ended.out
    assert [one.example.title for one in judgements(tmp_path)] == ["T"]

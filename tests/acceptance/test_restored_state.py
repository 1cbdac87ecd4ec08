"""A state that is put back two days late, by the commands: no mail takes another's name, no paper is lost."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation, Simulator, needs_simulator, paper_ids, simulator
from tests.acceptance.oracle import CALENDAR, READERS, SUBSCRIBERS, Oracle, load_oracle

pytestmark = [needs_simulator, pytest.mark.long]

OLDER = "an older copy of the state"


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return load_oracle()


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Simulator]:
    with simulator("--min-interval", "0") as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, arxiv: Simulator) -> Installation:
    arxiv.tell(reset=True)
    return Installation(
        tmp_path,
        SUBSCRIBERS,
        arxiv__api_url=f"{arxiv.url}/api/query",
        arxiv__oai_url=f"{arxiv.url}/oai",
        arxiv__feed_url=f"{arxiv.url}/atom",
        delivery__maildir=tmp_path / "Maildir",
        smtp__sender="digest@example.org",
    )


def run(lab: Installation, arxiv: Simulator, day: str) -> list[str]:
    """A cycle on that day, whose mails are then read; returns its notes."""
    arxiv.tell(now=f"{day}T12:00:00Z")
    notes: list[str] = lab.run(f"{day}T12:30:00Z")["notes"]
    for mail in (lab.folder / "Maildir" / "new").iterdir():
        mail.rename(lab.folder / "Maildir" / "cur" / f"{mail.name}:2,S")
    return notes


def mails(lab: Installation) -> list[EmailMessage]:
    files = sorted((lab.folder / "Maildir" / "cur").iterdir())
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


@pytest.mark.parametrize("way", ["digest backup", "copy of the file"])
def test_no_mail_has_the_name_of_another_and_no_paper_is_lost(
    lab: Installation, arxiv: Simulator, oracle: Oracle, way: str
) -> None:
    state, copy = lab.folder / "state" / "digest.db", lab.folder / "copy.db"
    first, second, third, fourth, fifth, sixth = CALENDAR[:4] + CALENDAR[7:9]
    for day in (first, second):
        run(lab, arxiv, day)
    if way == "digest backup":
        assert lab("backup", str(copy)).returncode == 0
    else:
        shutil.copyfile(state, copy)
    for day in (third, fourth):
        assert not any(OLDER in note for note in run(lab, arxiv, day))
    for beside in state.parent.glob("digest.db-*"):
        beside.unlink()
    shutil.copyfile(copy, state)
    paper = next(iter(oracle.announced(second, "ada@example.org")))
    arxiv.tell(now=f"{fifth}T12:00:00Z")
    for looks in (
        ("why", paper, "ada@example.org"),
        ("run", "--dry-run", "--now", f"{fifth}T12:00:00Z"),
        ("subscribers",),
    ):
        done = lab(*looks)
        assert done.returncode == 0, (looks, done.stderr)
    assert json.loads(lab("status", "--json").stdout)["restored"]["noticed_at"] is None
    assert any(OLDER in note for note in run(lab, arxiv, fifth))
    assert not any(OLDER in note for note in run(lab, arxiv, sixth))
    assert len({mail["Message-ID"] for mail in mails(lab)}) == len(mails(lab)) == 6 * len(READERS)
    for email in READERS:
        brought = Counter(paper for mail in mails(lab) if mail["To"] == email for paper in paper_ids(mail))
        again = oracle.announced(third, email) | oracle.announced(fourth, email)
        for day in CALENDAR[1:9]:
            assert oracle.announced(day, email) <= brought.keys(), (day, email)
        assert {paper for paper, mails_with_it in brought.items() if mails_with_it > 1} == again
        assert max(brought.values()) <= 2

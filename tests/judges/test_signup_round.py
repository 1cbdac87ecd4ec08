"""Somebody with a browser: joins by an invite with a typo, confirms, reads, changes, and leaves."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from time import monotonic, sleep

import pytest

from digest.demo.arxiv import LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, FIRST_MORNING
from tests.acceptance.installation import Installation, paper_ids
from tests.judges.browser import AXE, Visit, filling, opening, pressing, visits, waiting
from tests.judges.correspondence import BASE, SENDER
from tests.judges.website import behind_tls
from tests.processes import started
from tests.waiting import LIMIT

pytestmark = pytest.mark.long

DEE = "dee@readers.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An installation whose pages are served; `port` is where a browser finds `BASE`."""

    installation: Installation
    port: int

    def visit(self, *steps: Mapping[str, object], is_dark: bool = False, width: int = 700) -> Visit:
        found = visits(self, {"one": steps}, is_dark=is_dark, width=width)["one"]
        assert [one for one in found.errors if "status of 422" not in one] == []
        assert [(one.address, one.violations) for one in found.seen if one.violations] == []
        return found

    def mails(self, subject: str) -> list[EmailMessage]:
        """Those with this in their subject, once there is one."""
        end = monotonic() + LIMIT
        while monotonic() < end:
            folder = self.installation.folder / "state" / "Maildir" / "new"
            files = sorted(folder.iterdir()) if folder.exists() else []
            read = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
            if found := [one for one in read if subject in one["Subject"]]:
                return [one for one in found if isinstance(one, EmailMessage)]
            sleep(0.1)
        raise AssertionError(f"no mail about {subject}")


@contextmanager
def served(folder: Path, arxiv_url: str) -> Iterator[Place]:
    installation = Installation(
        folder,
        "",
        arxiv__api_url=arxiv_url,
        web__base_url=BASE,
        web__listen="127.0.0.1:0",
        web__signup="invite",
        delivery__transport="maildir",
        smtp__sender=SENDER,
        defaults__timezone="UTC",
    )
    with started(
        *(sys.executable, "-m", "digest", "web"),
        cwd=installation.folder,
        env=installation.environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = process.stderr.readline().rpartition(" url=")[2].strip()
        with behind_tls(int(address.rpartition(":")[2])) as port:
            yield Place(installation=installation, port=port)


def link_in(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body(("plain",))
    assert body
    found = re.search(rf"{re.escape(BASE)}/{kind}/[\w-]+", body.get_content())
    assert found
    return found[0]


def subscribers(place: Place) -> list[dict[str, object]]:
    done = place.installation("subscribers", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def make_the_round(place: Place) -> None:
    invite = place.installation("invite", "--uses", "1").stdout.strip()
    place.visit(opening(invite), AXE, is_dark=True, width=360)
    joined = place.visit(
        opening(invite),
        AXE,
        filling("Mail address", DEE),
        filling("Keyword 1", "exoplanet"),
        filling("Keyword 2", "compiler AND (pass"),
        waiting(3.5),
        pressing("Sign up"),
        AXE,
        filling("Keyword 2", "compiler"),
        pressing("Preview"),
        AXE,
        pressing("Sign up"),
        AXE,
    )
    refused, previewed = joined.seen[6], joined.seen[9]
    assert (refused.status, "this bracket is not closed" in refused.text) == (422, True)
    assert "arXiv is asked at most once a minute" in previewed.text
    assert "Look into your mailbox" in joined.last.text
    assert subscribers(place) == []

    (mail,) = place.mails("Confirm")
    assert mail["To"] == DEE
    link = link_in(mail, "c")
    place.visit(opening(link), AXE, is_dark=True, width=360)
    assert subscribers(place) == []
    confirmed = place.visit(opening(link), AXE, pressing("Subscribe"), AXE)
    assert f"{DEE} is subscribed" in confirmed.last.text
    (dee,) = subscribers(place)
    assert (dee["email"], dee["keywords"]) == (DEE, ["exoplanet", "compiler"])
    assert "no longer valid" in place.visit(opening(invite), AXE).last.text


def go_on(place: Place) -> None:
    (digest,) = [mail for mail in place.mails("") if "Confirm" not in mail["Subject"]]
    assert digest["To"] == DEE
    assert paper_ids(digest)
    manage = link_in(digest, "p")
    end = monotonic() + LIMIT
    while "Save" not in place.visit(opening(manage)).last.text:  # the pages read the entries now and then
        assert monotonic() < end
        sleep(1)
    saved = place.visit(opening(manage), filling("Keyword 1", "reinforcement learning"), pressing("Save"))
    assert "Saved." in saved.last.text
    (dee,) = subscribers(place)
    assert "reinforcement learning" in json.dumps(dee)
    left = place.visit(opening(link_in(digest, "u")), pressing("Unsubscribe"))
    assert "is not subscribed" in left.last.text
    (dee,) = subscribers(place)
    assert dee["left_at"] is not None


async def test_somebody_joins_by_an_invite_reads_changes_and_leaves(tmp_path: Path) -> None:
    async with LocalArxiv(ANNOUNCEMENTS, FIRST_MORNING) as arxiv:
        with served(tmp_path, arxiv.url) as place:
            await asyncio.to_thread(make_the_round, place)
            report = await asyncio.to_thread(place.installation.run, FIRST_MORNING.isoformat())
            assert report["digests_sent"] == 1
            await asyncio.to_thread(go_on, place)

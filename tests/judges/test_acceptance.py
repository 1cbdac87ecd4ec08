"""The whole way of a subscriber: joins by an invite with a slip of the pen, confirms, reads the first digest,
changes a keyword, changes their address, reads the next digest there, and leaves.

A daemon with a state file, an arXiv and a mail server run; the person has a browser and two mailboxes.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from digest.demo.arxiv import Announcement, LocalArxiv
from tests.acceptance.installation import Inbox, Installation, mail_server, paper_ids
from tests.crash.hosts import Clock, Host
from tests.factories import invented_paper, moment
from tests.judges.browser import (
    AXE,
    AXE_EVERYWHERE,
    Papers,
    Step,
    filling,
    following,
    opening,
    pressing,
    visits,
    waiting,
)
from tests.judges.correspondence import BASE, SENDER
from tests.judges.on_node import html_errors
from tests.judges.website import behind_tls
from tests.waiting import until

pytestmark = pytest.mark.long

DEE, NEW, BO = "dee@readers.example", "dee@uni.example", "bo@readers.example"
_BO = f"""
[[subscriber]]
email = "{BO}"
keywords = ["compiler"]
at = "08:05"
"""
"""Somebody of the operator's file, who is mailed after Dee on each morning."""

SIGNING_UP = moment("2026-06-16 06:30")
FIRST_MORNING, SECOND_MORNING, THIRD_MORNING = (moment(f"2026-06-{day} 08:05") for day in (16, 17, 18))

_FIRST_EVENING = {"On Tea and Its Cups": "2606.90001", "A Compiler Pass That Forgets": "2606.90002"}
_SECOND_EVENING = {
    "On Tea Again": "2606.90003",
    "Another Compiler Pass": "2606.90004",
    "Old Harbours on New Maps": "2606.90005",
}
_THIRD_EVENING = {"A Third Compiler Pass": "2606.90006"}


def announcements() -> list[Announcement]:
    evenings = (
        (moment("2026-06-16 00:00"), _FIRST_EVENING),
        (moment("2026-06-17 00:00"), _SECOND_EVENING),
        (moment("2026-06-18 00:00"), _THIRD_EVENING),
    )
    return [
        Announcement(
            paper=replace(
                invented_paper(number, title, submitted=f"{at - timedelta(hours=14):%Y-%m-%d %H:%M}"),
                abstract="We say little.",
            ),
            announced_at=at,
        )
        for at, papers in evenings
        for title, number in papers.items()
    ]


@dataclass(slots=True, kw_only=True)
class Life:
    """An installation, and somebody with a browser; `port` is where it finds `BASE`."""

    host: Host
    arxiv: LocalArxiv
    inbox: Inbox
    port: int
    has_scripts: bool

    async def visit(self, *steps: Step) -> list[Papers]:
        """Each page that the steps lead to. Axe looks at them: with scripts in all forms, else in one."""
        leads_on, look = {"open", "follow", "press"}, AXE_EVERYWHERE if self.has_scripts else AXE
        looking = [one for step in steps for one in (step, look)[: 1 + bool(leads_on & step.keys())]]
        found = (await asyncio.to_thread(visits, self, {"one": looking}, scripts=self.has_scripts))["one"]
        assert [one for one in found.errors if "status of 4" not in one] == []  # a form is refused with 422
        assert {one.address: one.violations for one in found.seen if one.violations} == {}
        assert set(found.hosts) <= {BASE.removeprefix("https://")}
        pages = [seen for step, seen in zip(looking, found.seen, strict=True) if step == look]
        named = {f"{number} {one.address}": one.html for number, one in enumerate(pages)}
        assert await asyncio.to_thread(html_errors, named) == []
        return pages

    async def mail_to(self, address: str, words: str) -> EmailMessage:
        """The one mail to them with these words in its subject, once it is there."""

        def found() -> list[EmailMessage]:
            return [mail for to, mail in self.inbox.mails if to == address and words in mail["Subject"]]

        try:
            await until(found)
        except TimeoutError:
            told = [(to, mail["Subject"]) for to, mail in self.inbox.mails]
            raise AssertionError(f"{told}\n{self.host.log()}") from None
        (mail,) = found()
        return mail

    async def digests_on(self, morning: datetime, *whom: str) -> list[tuple[EmailMessage, set[str]]]:
        """The digests that these get on a morning, with their papers, once all have come."""
        told = len(self.inbox.mails)
        self.arxiv.now = morning
        self.host.clock.set(morning + timedelta(seconds=1))
        found: dict[str, tuple[EmailMessage, set[str]]] = {}

        def have_come() -> bool:
            for address, mail in self.inbox.mails[told:]:
                if "List-Unsubscribe" in mail:
                    found[address] = (mail, set(paper_ids(mail)))
            return set(whom) <= set(found)

        await until(have_come)
        return [found[address] for address in whom]

    def subscribers(self) -> dict[str, dict[str, Any]]:
        """What `digest subscribers` tells of those who are not in the file, by address."""
        return {one["email"]: one for one in self.told("subscribers") if one["email"] != BO}

    def told(self, *command: str) -> Any:
        """What a command tells as JSON."""
        done = self.host.installation(*command, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@asynccontextmanager
async def life(folder: Path, *, has_scripts: bool) -> AsyncIterator[Life]:
    clock = Clock(folder / "clock")
    clock.set(SIGNING_UP)
    async with LocalArxiv(announcements(), SIGNING_UP) as arxiv, AsyncExitStack() as processes:
        smtp_port, inbox = processes.enter_context(mail_server())
        installation = Installation(
            folder,
            _BO,
            arxiv__api_url=arxiv.url,
            web__base_url=BASE,
            web__listen="127.0.0.1:0",
            web__signup="invite",
            smtp__sender=SENDER,
            smtp__host="127.0.0.1",
            smtp__port=smtp_port,
            smtp__security="none",
            defaults__timezone="UTC",
        )
        installation.environ["CLOCK"] = str(clock.file)
        host = Host(name="digest", installation=installation, clock=clock, processes=processes)
        await host.start()
        await until(lambda: any("web pages served" in line for line in host.said))
        (served,) = (line for line in host.said if "web pages served" in line)
        port = processes.enter_context(behind_tls(int(served.rpartition(":")[2])))
        try:
            yield Life(host=host, arxiv=arxiv, inbox=inbox, port=port, has_scripts=has_scripts)
        finally:
            await host.end()
        assert not [line for line in host.said if "Traceback" in line or " ERROR " in line], host.log()


def link_in(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body(("plain",))
    assert body
    found = re.search(rf"{re.escape(BASE)}/{kind}/[\w-]+", body.get_content())
    assert found, body.get_content()
    return found[0]


async def join(life: Life) -> None:
    invite = life.host.installation("invite", "--uses", "1").stdout.strip()
    _, refused, previewed, joined = await life.visit(
        opening(invite),
        filling("Mail address", DEE),
        filling("Keyword 1", "tea"),
        filling("Keyword 2", "compiler AND (pass"),
        filling("Time", "08:00"),
        waiting(3.5),
        pressing("Sign up"),
        filling("Keyword 2", "compiler AND pass"),
        pressing("Preview"),
        pressing("Sign up"),
    )
    assert (refused.status, "this bracket is not closed" in refused.text) == (422, True)
    said = ("On Tea and Its Cups", "arXiv is asked at most once a minute")
    assert any(one in previewed.text for one in said), previewed.text
    assert "Look into your mailbox" in joined.text
    mail = await life.mail_to(DEE, "Confirm your arXiv digest")
    assert "compiler" not in mail.as_string()
    confirm = link_in(mail, "c")
    (asked,) = await life.visit(opening(confirm))
    assert "is not subscribed yet" in asked.text
    assert life.subscribers() == {}
    *_, confirmed = await life.visit(opening(confirm), pressing("Subscribe"))
    assert f"{DEE} is subscribed" in confirmed.text
    assert life.subscribers()[DEE]["keywords"] == ["tea", "compiler AND pass"]
    (used_up,) = await life.visit(opening(invite))
    assert "no longer valid" in used_up.text


async def change_a_keyword(life: Life, digest: EmailMessage) -> None:
    """After another slip; a mail tells of it and offers to undo it."""
    _, refused, saved = await life.visit(
        opening(link_in(digest, "p")),
        filling("Keyword 1", "harbours AND"),
        pressing("Save"),
        filling("Keyword 1", "harbours"),
        pressing("Save"),
    )
    assert (refused.status, "is expected here" in refused.text) == (422, True)
    assert "Saved." in saved.text
    told = await life.mail_to(DEE, "Your arXiv digest was changed")
    assert "harbours" in told.get_content()
    (undoing,) = await life.visit(opening(link_in(told, "b")))
    assert "Undo" in undoing.text


async def change_address(life: Life, digest: EmailMessage) -> None:
    manage = link_in(digest, "p")
    _, _, refused, asked = await life.visit(
        opening(manage),
        following("Change your address"),
        filling("New address", "dee at uni"),
        pressing("Send the mail"),
        filling("New address", NEW),
        pressing("Send the mail"),
    )
    assert refused.status == 422
    assert "Look into your mailbox" in asked.text
    await life.mail_to(DEE, "is to go to another address")
    confirm = link_in(await life.mail_to(NEW, "Is this your new address"), "b")
    *_, used = await life.visit(opening(confirm), pressing("Use this address"))
    assert f"Your digests go to {NEW}" in used.text
    assert set(life.subscribers()) == {NEW}
    (former,) = await life.visit(opening(manage))
    assert former.status == 404


async def leave(life: Life, digest: EmailMessage) -> None:
    """By the link of a mail. Another mail tells of it, and has the way back."""
    *_, left = await life.visit(opening(link_in(digest, "u")), pressing("Unsubscribe"))
    assert "is not subscribed" in left.text
    told = await life.mail_to(NEW, "You are unsubscribed")
    assert life.subscribers()[NEW]["left_at"]
    (returning,) = await life.visit(opening(link_in(told, "b")))
    assert "Subscribe again" in returning.text
    await life.visit(opening(link_in(digest, "p")), following("Your data"))


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_somebody_joins_reads_changes_what_they_get_and_where_and_leaves(
    tmp_path: Path, has_scripts: bool
) -> None:
    async with life(tmp_path, has_scripts=has_scripts) as dees:
        await join(dees)
        ((digest, papers), _) = await dees.digests_on(FIRST_MORNING, DEE, BO)
        assert papers == set(_FIRST_EVENING.values())
        await change_a_keyword(dees, digest)
        await change_address(dees, digest)
        ((digest, papers), _) = await dees.digests_on(SECOND_MORNING, NEW, BO)
        assert papers == {
            _SECOND_EVENING["Another Compiler Pass"],
            _SECOND_EVENING["Old Harbours on New Maps"],
        }
        await leave(dees, digest)
        await dees.digests_on(THIRD_MORNING, BO)
        assert [one["state"] for one in dees.told("history", NEW)] == ["sent", "sent"]

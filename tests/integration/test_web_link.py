"""Somebody who lost the link to their preferences has it mailed: the page tells nothing, the mail all."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from digest.mail.message import SenderIdentity
from digest.pipeline.confirm import confirm_changes
from digest.storage.confirmations import PageChange
from tests.fakes import FakeTransport
from tests.forms import form_with, submitted
from tests.integration.web_site import ADA, BASE, Town, serving_town, told

BUTTON = "Mail me the link"
SENDER = SenderIdentity(sender="digest@example.org", contact="operator@example.org")


async def asked(town: Town, email: str, **fields: str) -> str:
    """What is answered to somebody who asks for the link to that address."""
    form = form_with((await town.get("/link")).body, BUTTON)
    answer = await town.post("/link", submitted(form, BUTTON, email=email, **fields))
    return f"{answer.status} {told(answer.body)}"


def waiting(town: Town) -> list[str]:
    return [one.email for one in town.store.confirmations(now=town.now) if one.change is PageChange.LINK]


async def test_the_answer_is_the_same_and_a_known_address_gets_one_mail_a_day(town: Town) -> None:
    known, unknown = await asked(town, "ADA@example.org"), await asked(town, "nobody@example.org")
    assert known == unknown
    assert known.startswith("200 ")
    assert "Look into your mailbox." in known
    assert await asked(town, ADA.email) == known
    assert waiting(town) == [ADA.email]
    town.now += timedelta(days=1, minutes=1)
    await asked(town, ADA.email)
    assert waiting(town) == [ADA.email] * 2


async def test_an_address_that_is_none_is_told_in_its_place(town: Town) -> None:
    answer = await asked(town, "ada@lab")
    assert "It should have a period." in answer
    assert ".." not in answer.partition("ada@lab")[2].partition("</form>")[0]


async def test_the_mail_has_the_link_to_the_preferences(town: Town) -> None:
    await asked(town, ADA.email)
    (one,) = town.store.confirmations(now=town.now)
    transport = FakeTransport()
    assert await confirm_changes(town.store, transport, SENDER, BASE, town.subscribers, now=town.now) == 1
    (mail,) = transport.taken
    (url,) = re.findall(rf"{BASE}/p/\S+", mail.message.decode())
    assert (mail.recipient, (await town.get(url)).status) == (ADA.email, 200)
    assert (await town.get(f"/b/{one.token}")).status == 404
    assert waiting(town) == []


@pytest.mark.parametrize(
    "fields",
    [{"stamp": ""}, {"stamp": "1.2"}, {"stamp": "9" * 30 + ".x"}, {"website": "x"}, {"email": "ada"}],
)
async def test_a_form_that_is_not_ours_or_filled_by_a_machine_mails_nobody(
    town: Town, fields: dict[str, str]
) -> None:
    form = form_with((await town.get("/link")).body, BUTTON)
    state = town.state()
    await town.post("/link", submitted(form, BUTTON, **{"email": ADA.email, **fields}))
    assert town.state() == state


async def test_a_form_of_yesterday_and_an_incomplete_one_mail_nobody(town: Town) -> None:
    form = form_with((await town.get("/link")).body, BUTTON)
    town.now += timedelta(days=1)
    state = town.state()
    assert (await town.post("/link", submitted(form, BUTTON, email=ADA.email))).status == 422
    assert (await town.post("/link", {})).status == 422
    assert (await town.post("/link", {"email": ADA.email})).status == 422
    assert town.state() == state


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
async def test_a_form_of_another_site_is_refused(town: Town, headers: dict[str, str]) -> None:
    form = form_with((await town.get("/link")).body, BUTTON)
    state = town.state()
    sent = submitted(form, BUTTON, email=ADA.email)
    assert (await town.ask("POST", "/link", data=sent, headers=headers)).status == 403
    assert town.state() == state


async def test_a_network_asks_so_often_and_all_together_so_often(tmp_path: Path) -> None:
    async with serving_town(tmp_path, signups_per_network=2, signups_per_hour=3) as town:
        answers = []
        for network in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "198.51.100.1", "203.0.113.1"):
            town.own_headers["X-Forwarded-For"] = network
            answers.append((await asked(town, "x@example.org")).partition(" ")[0])
        assert answers == ["200", "200", "422", "200", "422"]

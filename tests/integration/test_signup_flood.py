"""Sign-ups by programs, in small: few mails go out, at most one to an address, and readers notice nothing."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.forms import form_with, submitted
from tests.integration.web_site import serving_town
from tests.signup_flood import flood, meanwhile
from tests.signups import filled, mailed
from tests.waiting import LIMIT


async def test_a_flood_of_sign_ups_sends_few_mails_and_disturbs_no_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.web.frame.LONGEST_QUEUE", LIMIT)  # how long it is does not matter here
    async with serving_town(tmp_path, signup="open", signups_per_hour=40, signups_per_network=5) as town:
        page = town.links().manage
        assert page
        form = await filled(town)
        town.now += timedelta(minutes=1)
        flooding = asyncio.create_task(
            flood(town.session, town.address, form, signups=400, networks=40, strangers=200)
        )

        async def change() -> int:
            own = form_with((await town.get(page)).body, "Save")
            return (await town.post(page, submitted(own, "Save", at="08:15"))).status

        readers = await meanwhile(change, flooding, pause=0.05)
        statuses = await flooding
        assert set(readers) == {200}
        assert statuses == Counter({200: 40, 422: 360})
        recipients = Counter(mail.recipient for mail in await mailed(town))
        assert 1 <= len(recipients) <= 40
        assert set(recipients.values()) == {1}
        assert await mailed(town) == []
        town.now += timedelta(hours=1)
        again = await flood(town.session, town.address, form, signups=100, networks=40, strangers=200)
        assert again[200] == 40
        later = Counter(mail.recipient for mail in await mailed(town))
        assert max((recipients + later).values()) == 1

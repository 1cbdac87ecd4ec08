"""Writes pages of which the docs have pictures: `python -m tests.screens FOLDER`, for `screenshots/take`."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from digest.keywords.query import parse
from digest.model.paper import Paper
from digest.storage.values import Matched
from tests.admin_screen import write_admin_page
from tests.factories import invented_paper, make_subscriber
from tests.integration.web_site import NOW, Town, serving_town
from tests.signups import link_in, mailed, send

FOLLOWED = "graph neural network"
_SUBJECTS = (
    *("for Tram Timetables", "That Forget on Purpose", "on Maps of Old Harbours", "with Patient Neighbours"),
    *("for Counting Swans", "under a Budget of One Joule", "and the Shape of Queues"),
)
_TRIED = {
    "email": "you@uni.example",
    "k-new-1": FOLLOWED,
    "k-new-2": "compiler AND (proof",
    "timezone": "Europe/Berlin",
    "at": "08:00",
}


def _papers() -> Sequence[Paper]:
    """Some for each day, and none at weekends, as arXiv has it."""
    days = [day for day in range(1, 22) if (NOW - timedelta(days=day)).weekday() < 5]
    counts = [(day, number) for day in days for number in range(1 + day * 5 % 4)]
    return [
        replace(
            invented_paper(f"2606.{900 - 10 * day + number:05}"),
            title=f"Graph Neural Networks {_SUBJECTS[(day + number) % len(_SUBJECTS)]}",
            submitted_at=NOW - timedelta(days=day, hours=3 + number),
        )
        for day, number in counts
    ]


def know(town: Town) -> None:
    """Somebody follows `FOLLOWED`, and it finds some papers a day."""
    town.subscribers.append(make_subscriber("ada@uni.example", FOLLOWED))
    town.enrol()
    key = parse(FOLLOWED).key
    found = [Matched(paper=paper, query_keys=(key,)) for paper in _papers()]
    town.store.record(found, covered={key: NOW - timedelta(days=90)}, now=NOW)


async def _write(folder: Path) -> None:
    with TemporaryDirectory() as state:
        async with serving_town(Path(state), signup="domains", domains=["uni.example"]) as town:
            know(town)
            refused = await send(town, _TRIED, button="Preview")
            (folder / "signup.html").write_text(refused.body, encoding="utf-8")
            await send(town, {**_TRIED, "k-new-2": ""})
            (mail,) = await mailed(town)
            page = await town.get(link_in(mail))
            (folder / "signup-confirm.html").write_text(page.body, encoding="utf-8")
    with TemporaryDirectory() as state:
        await write_admin_page(folder, Path(state))


if __name__ == "__main__":
    asyncio.run(_write(Path(sys.argv[1])))

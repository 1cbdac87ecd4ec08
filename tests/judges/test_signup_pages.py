"""Each page of sign-up, in each of its states: as markup, and for who cannot see well."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.web_site import BASE, NOW, Town, serving_town
from tests.judges.browser import AXE, Step, filling, opening, pressing, visits
from tests.judges.on_node import html_errors
from tests.judges.website import behind_tls
from tests.screens import FOLLOWED, know
from tests.signups import link_in, mailed, send

pytestmark = pytest.mark.long


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    port: int


def form(*steps: Step) -> Sequence[Step]:
    return [opening(f"{BASE}/join"), filling("Mail address", "dee@example.org"), *steps, AXE]


async def pages(town: Town) -> dict[str, Sequence[Step]]:
    know(town)
    await send(town, {"k-new-1": FOLLOWED})
    (mail,) = await mailed(town)
    confirm = link_in(mail)
    return {
        "form": [opening(f"{BASE}/join"), AXE],
        "refused": form(
            filling("Keyword 1", "tea AND ("), filling("Time zone", "Berln"), pressing("Sign up")
        ),
        "previewed": form(filling("Keyword 1", FOLLOWED), filling("Keyword 2", "milk"), pressing("Preview")),
        "sent": form(filling("Keyword 1", "tea"), pressing("Sign up")),
        "preview by itself": [opening(f"{BASE}/join/preview?k=milk&k={FOLLOWED}"), AXE],
        "to confirm": [opening(confirm), AXE],
        "confirmed": [opening(confirm), pressing("Subscribe"), AXE],
        "confirmed before": [opening(confirm), AXE],
    }


async def invites(town: Town) -> dict[str, Sequence[Step]]:
    invite = town.store.add_invite(uses=None, until_at=NOW, now=NOW - timedelta(days=1))
    return {
        "without an invite": [opening(f"{BASE}/join"), AXE],
        "over": [opening(f"{BASE}/join/{invite.token}"), AXE],
    }


async def look(folder: Path, signup: str, *, is_dark: bool, width: int) -> dict[str, str]:
    """The pages as the server sent them, after axe has seen them."""
    async with serving_town(folder, signup=signup) as town:
        wanted = await (invites(town) if signup == "invite" else pages(town))
        with behind_tls(int(town.address.rpartition(":")[2])) as port:
            found = await asyncio.to_thread(visits, Browser(port=port), wanted, is_dark=is_dark, width=width)
    for name, one in found.items():
        assert (name, one.last.violations) == (name, [])
        assert (name, one.last.scrolls) == (name, False)
        assert (name, [error for error in one.errors if "status of 422" not in error]) == (name, [])
    return {name: one.last.html for name, one in found.items()}


@pytest.mark.parametrize("width", [360, 700])
@pytest.mark.parametrize("is_dark", [False, True])
async def test_axe_and_html_validate_find_nothing(
    tmp_path_factory: pytest.TempPathFactory, is_dark: bool, width: int
) -> None:
    for signup in ("open", "invite"):
        sent = await look(tmp_path_factory.mktemp(signup), signup, is_dark=is_dark, width=width)
        assert html_errors(sent) == []

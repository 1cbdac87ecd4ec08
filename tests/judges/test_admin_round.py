"""An administrator with a browser: signs in at a certified provider, looks, acts, and signs out."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.storage.values import MailingState
from tests.factories import make_subscriber
from tests.integration.web_site import ADA, BASE, BO, Town, serving_town, written
from tests.judges.browser import (
    AXE,
    ENTER,
    SPACE,
    Step,
    Visit,
    filling,
    following,
    opening,
    pressing,
    tabbing,
    typing,
    visits,
)
from tests.judges.on_node import SCRIPTS, html_errors
from tests.judges.presence import NODE, requires
from tests.judges.website import behind_tls
from tests.processes import started
from tests.stores import claim, record_results

pytestmark = pytest.mark.long

CLIENT = {"id": "digest", "secret": "between us!", "redirect": f"{BASE}/admin/callback"}
ADMIN = f"{BASE}/admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    town: Town
    port: int

    async def visit(self, *steps: Step, is_dark: bool = False, width: int = 700) -> Visit:
        found = await asyncio.to_thread(visits, self, {"one": steps}, is_dark=is_dark, width=width)
        return found["one"]


@contextmanager
def provider() -> Iterator[str]:
    """The issuer of a provider that runs."""
    requires("chromium", is_on_node=True)
    with started(
        *(NODE, SCRIPTS / "oidc_provider.mjs"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        with process.stdin as stdin:
            json.dump(CLIENT, stdin)
        issuer: str = json.loads(process.stdout.readline())["issuer"]
        yield issuer


@asynccontextmanager
async def going_round(folder: Path, **admin: object) -> AsyncIterator[Round]:
    """At the time of the browser's clock: it forgets cookies that have ended."""
    now = datetime.now(UTC).replace(microsecond=0)
    many = [make_subscriber(f"reader{number:02}@lab.example", "tea") for number in range(30)]
    with provider() as issuer:
        settings = {
            "issuer": issuer,
            "client_id": CLIENT["id"],
            "client_secret": CLIENT["secret"],
            "users": ["grace@lab.example"],
            **admin,
        }
        async with serving_town(folder, (ADA, BO, *many), admin=settings, signup="invite") as town:
            town.now = now
            town.enrol()
            town.found(*(written(f"On tea {n}", n) for n in range(1, 4)))
            town.mail(ADA)
            (mailing,) = claim(town.store, now=now)
            record_results(town.store, mailing, MailingState.SENT, "250 taken")
            town.store.suppress(BO.email, cause="550 nobody here", now=now)
            with behind_tls(int(town.address.rpartition(":")[2])) as port:
                yield Round(town=town, port=port)


@pytest.fixture
async def round_(tmp_path: Path) -> AsyncIterator[Round]:
    async with going_round(tmp_path) as found:
        yield found


def signing_in(name: str) -> tuple[Step, ...]:
    return (
        opening(ADMIN),
        following("Sign in"),
        filling("Enter any login", name),
        filling("and password", "x"),
        pressing("Sign-in"),
        pressing("Continue"),
    )


async def test_an_administrator_signs_in_acts_and_signs_out(round_: Round) -> None:
    town = round_.town
    seen = await round_.visit(
        *signing_in("grace"),
        pressing("Mail again bo@example.org"),
        following("Actions"),
        opening(ADMIN),
        pressing("Sign out"),
        opening(ADMIN),
    )
    done, log, _, out, after = seen.seen[-5:]
    assert "bo@example.org gets mail again" in done.text
    assert "grace@lab.example: Mail again bo@example.org" in log.text
    assert "You are signed out." in out.text
    assert "To look after this installation, sign in." in after.text
    assert town.store.suppressions() == ()
    assert not [error for error in seen.errors if "Security Policy" in error]


async def test_a_group_may_and_a_stranger_may_not(tmp_path: Path) -> None:
    async with going_round(tmp_path, users=[], groups=["staff"]) as found:
        assert "linus@lab.example" in (await found.visit(*signing_in("linus"))).last.text
        refused = (await found.visit(*signing_in("grace"))).last
        assert (refused.status, "You may not open this page" in refused.text) == (403, True)


async def test_a_round_by_keyboard_on_a_narrow_screen(round_: Round) -> None:
    until = datetime.now(UTC).date() + timedelta(days=20)
    seen = await round_.visit(
        opening(ADMIN),
        tabbing("Sign in"),
        ENTER,
        tabbing("Enter any login"),
        typing("grace"),
        tabbing("and password"),
        typing("x"),
        ENTER,
        tabbing("Continue"),
        ENTER,
        tabbing("Change ada@example.org"),
        SPACE,
        tabbing("First day with mail again"),
        typing(f"{until:%m%d%Y}"),
        tabbing("Pause ada@example.org"),
        ENTER,
        tabbing("Subscribers"),
        ENTER,
        tabbing("Part of an address or a name"),
        typing("reader07"),
        ENTER,
        tabbing("Change reader07@lab.example"),
        SPACE,
        tabbing("Unsubscribe reader07@lab.example"),
        ENTER,
        width=360,
    )
    assert "reader07@lab.example is unsubscribed" in seen.last.text
    assert not any(one.scrolls for one in seen.seen if one.address.startswith(BASE))
    store = round_.town.store
    assert store.preferences_of(ADA.email).paused_until == until
    assert store.preferences_of("reader07@lab.example").left_at
    assert [one.action for one in store.actions(limit=9)] == ["remove", "pause"]


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
async def test_the_pages_are_for_those_too_who_cannot_see_well(
    round_: Round, width: int, is_dark: bool
) -> None:
    pages = [
        step for name in ("subscribers", "suppressed", "actions") for step in (following(name.title()), AXE)
    ]
    seen = await round_.visit(
        opening(ADMIN),
        AXE,
        *signing_in("grace"),
        AXE,
        tabbing("Change ada@example.org"),
        SPACE,
        AXE,
        pressing("Mail the link to their preferences ada@example.org"),
        AXE,
        *pages,
        width=width,
        is_dark=is_dark,
    )
    ours = [one for one in seen.seen if one.address.startswith(BASE)]
    assert [one.violations for one in ours if one.violations] == []
    assert not any(one.scrolls for one in ours)
    assert len(ours) > 10
    assert html_errors({f"{place} {one.title}": one.html for place, one in enumerate(ours)}) == []

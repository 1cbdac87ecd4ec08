"""Administrators behind a real nginx: as docs/admin.md tells to set it up, and set up carelessly."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, encode_basic_auth

from digest.cli.doctor_checks.web import check_admin
from digest.config.admin_settings import Admin
from digest.config.web_settings import Web
from digest.service.finding import Verdict
from tests.integration.admin_town import GRACE, Administrators, form_of, looked_after
from tests.integration.web_site import ADA
from tests.judges.nginx import CARELESS, documented, nginx

pytestmark = pytest.mark.long

SIGNED_IN = {"Authorization": encode_basic_auth("grace", "hopper")}


@pytest.fixture
async def admins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Administrators]:
    (tmp_path / "state").mkdir()
    async with looked_after(tmp_path / "state", caplog) as admins:
        yield admins


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


async def verdict(address: str) -> Verdict:
    """What the doctor says of the proxy."""
    admin = Admin.model_validate({"header": "X-Remote-User", "users": ["grace"]})
    (finding,) = [found async for found in check_admin(Web(base_url=address), admin)]
    return finding.verdict


async def test_the_documented_proxy_lets_in_who_signs_in_and_no_forged_header(
    admins: Administrators, tmp_path: Path
) -> None:
    ports = {"public": port_of(admins.town.address), "admin": port_of(admins.address)}
    with nginx(tmp_path, **ports, location=documented()) as address:
        async with ClientSession() as session:
            for forged in ({}, GRACE, {"x-remote-user": "grace"}, {"X_Remote_User": "grace"}):
                for path in ("/admin", "/admin/", "/admin/do", "/%61dmin", "//admin", "/x/../admin"):
                    async with session.get(address + path, headers=forged) as answer:
                        assert answer.status in {401, 403, 404}, (path, forged)
                        assert ADA.email not in await answer.text()
            for headers in (SIGNED_IN, {**SIGNED_IN, "X-Remote-User": "mallory"}):
                async with session.get(f"{address}/admin", headers=headers) as answer:
                    assert answer.status == 200
                    page = await answer.text()
            form = form_of(page, "remove", ADA.email)
            own = {"Origin": "https://digest.example.org", "Sec-Fetch-Site": "same-origin"}
            async with session.post(f"{address}/admin/do", data=form, headers={**SIGNED_IN, **own}) as answer:
                assert answer.status == 200
        assert admins.town.store.preferences_of(ADA.email).left_at
        assert await verdict(address) is Verdict.OK


async def test_the_doctor_finds_a_proxy_that_passes_on_what_strangers_send(
    admins: Administrators, tmp_path: Path
) -> None:
    ports = {"public": port_of(admins.town.address), "admin": port_of(admins.address)}
    with nginx(tmp_path, **ports, location=CARELESS) as address:
        assert await verdict(address) is Verdict.FAILED


async def test_a_header_that_comes_by_the_proxy_of_the_other_pages_is_nothing(
    admins: Administrators, tmp_path: Path
) -> None:
    ports = {"public": port_of(admins.town.address), "admin": port_of(admins.address)}
    with nginx(tmp_path, **ports, location="") as address:
        async with ClientSession() as session, session.get(f"{address}/admin", headers=GRACE) as answer:
            assert answer.status == 403
        assert await verdict(address) is Verdict.OK

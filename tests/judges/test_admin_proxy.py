"""Administrators behind real proxies: as docs/admin.md tells to set them up, and set up carelessly."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from aiohttp import ClientSession, encode_basic_auth, web

from digest.cli.doctor_checks.web import check_admin
from digest.config.admin_settings import Admin
from digest.config.web_settings import Web
from digest.service.finding import Verdict
from tests.integration.admin_town import GRACE, HERE, Administrators, form_of, looked_after
from tests.integration.web_site import ADA
from tests.judges.caddy import ADMINISTRATORS, PAGES, caddy
from tests.judges.caddy import documented as documented_for_caddy
from tests.judges.nginx import CARELESS, documented, nginx

pytestmark = pytest.mark.long

SIGNED_IN = {"Authorization": encode_basic_auth("grace", "hopper")}
FORGED: tuple[dict[str, str], ...] = ({}, GRACE, {"x-remote-user": "grace"}, {"X_Remote_User": "grace"})
PATHS = (
    "/admin",
    "/admin/",
    "/admin/do",
    "/%61dmin",
    "//admin",
    "/x/../admin",
    "/Admin",
    "/admin;x",
    "/admin%2f",
)


@pytest.fixture
async def admins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Administrators]:
    (tmp_path / "state").mkdir()
    async with looked_after(tmp_path / "state", caplog) as admins:
        yield admins


def ports_of(admins: Administrators) -> dict[str, int]:
    addresses = {"public": admins.town.address, "admin": admins.address}
    return {name: int(address.rpartition(":")[2]) for name, address in addresses.items()}


def documented_proxy(name: str, admins: Administrators, folder: Path) -> AbstractContextManager[str]:
    """Its address."""
    if name == "nginx":
        return nginx(folder, **ports_of(admins), location=documented()[0])
    return caddy(folder, documented_for_caddy(ADMINISTRATORS), **ports_of(admins))


async def verdict(address: str) -> Verdict:
    """What the doctor says of the proxy."""
    admin = Admin.model_validate({"header": "X-Remote-User", "users": ["grace"]})
    (finding,) = [found async for found in check_admin(Web(base_url=address), admin)]
    return finding.verdict


async def expect_no_stranger(session: ClientSession, address: str, statuses: set[int]) -> None:
    for forged in FORGED:
        for path in PATHS:
            async with session.get(address + path, headers=forged, allow_redirects=False) as answer:
                assert answer.status in statuses, (path, forged)
                assert ADA.email not in await answer.text()


async def remove_ada(session: ClientSession, address: str, headers: dict[str, str]) -> None:
    """As somebody who signed in, looks, and presses a button."""
    async with session.get(f"{address}/admin", headers=headers) as answer:
        assert answer.status == 200
        form = form_of(await answer.text(), "remove", ADA.email)
    async with session.post(f"{address}/admin/do", data=form, headers={**headers, **HERE}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("name", ["nginx", "caddy"])
async def test_the_documented_proxy_lets_in_who_signs_in_and_no_forged_header(
    name: str, admins: Administrators, tmp_path: Path
) -> None:
    with documented_proxy(name, admins, tmp_path) as address:
        async with ClientSession() as session:
            await expect_no_stranger(session, address, {401, 403, 404})
            await remove_ada(session, address, {**SIGNED_IN, "X-Remote-User": "mallory"})
            async with session.get(f"{address}/healthz") as answer:
                assert answer.status == 200
        assert admins.town.store.preferences_of(ADA.email).left_at
        assert await verdict(address) is Verdict.OK


async def test_the_documented_proxy_asks_oauth2_proxy(admins: Administrators, tmp_path: Path) -> None:
    """A server in its place, with the addresses and headers that its documentation names."""
    asked: list[tuple[str, int | None]] = []

    async def authenticate(request: web.Request) -> web.Response:
        asked.append((request.method, request.content_length))
        if request.cookies.get("_oauth2_proxy") != "signed":
            return web.Response(status=401)
        return web.Response(status=202, headers={"X-Auth-Request-Email": "grace"})

    async def sign_in(request: web.Request) -> web.Response:
        return web.Response(text=f"sign in for {request.query['rd']}", status=403)

    app = web.Application()
    app.add_routes([web.get("/oauth2/auth", authenticate), web.get("/oauth2/sign_in", sign_in)])
    app.router.add_post("/oauth2/auth", authenticate)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        oauth2 = runner.addresses[0][1]
        with nginx(tmp_path, **ports_of(admins), location=documented()[1], oauth2=oauth2) as address:
            async with ClientSession() as session:
                await expect_no_stranger(session, address, {302, 404})
                await remove_ada(session, address, {"Cookie": "_oauth2_proxy=signed"})
                async with session.get(f"{address}/admin", headers=GRACE) as answer:
                    assert await answer.text() == "sign in for /admin"
    finally:
        await runner.cleanup()
    assert admins.town.store.preferences_of(ADA.email).left_at
    assert {length for _, length in asked} == {None}


async def test_the_doctor_finds_a_proxy_that_passes_on_what_strangers_send(
    admins: Administrators, tmp_path: Path
) -> None:
    with nginx(tmp_path, **ports_of(admins), location=CARELESS) as address:
        assert await verdict(address) is Verdict.FAILED


@pytest.mark.parametrize("name", ["nginx", "caddy"])
async def test_a_header_that_comes_by_the_proxy_of_the_other_pages_is_nothing(
    name: str, admins: Administrators, tmp_path: Path
) -> None:
    proxy = (
        nginx(tmp_path, **ports_of(admins), location="")
        if name == "nginx"
        else caddy(tmp_path, documented_for_caddy(PAGES), **ports_of(admins))
    )
    with proxy as address:
        async with ClientSession() as session, session.get(f"{address}/admin", headers=GRACE) as answer:
            assert answer.status == 403
        assert await verdict(address) is Verdict.OK

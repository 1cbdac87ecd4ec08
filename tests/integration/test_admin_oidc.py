"""Administrators who sign in at a provider: what is believed, and what is refused."""

import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web
from joserfc.jwk import KeySet, OctKey, RSAKey

from digest.cli.doctor_checks.web import check_admin
from digest.config.admin_settings import Admin
from digest.config.web_settings import Web
from digest.errors import ConfigurationError
from digest.service.finding import Verdict
from tests.integration.oidc_provider import ScriptedProvider, providing
from tests.integration.web_site import BASE, Answer, Town, serving_town, told


@dataclass(slots=True, kw_only=True)
class Browser:
    """Keeps cookies as a browser does; `__Host-` only with Secure and Path=/."""

    town: Town
    provider: ScriptedProvider
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, url: str) -> Answer:
        return self._kept(await self.town.ask("GET", url, headers=self._headers()))

    async def post(self, url: str, data: dict[str, str], **headers: str) -> Answer:
        own = {"Origin": "null", "Sec-Fetch-Site": "same-origin", **headers}
        return self._kept(await self.town.ask("POST", url, data=data, headers={**self._headers(), **own}))

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _kept(self, answer: Answer) -> Answer:
        for line in answer.headers.getall("Set-Cookie", []):  # type: ignore[attr-defined]
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {
                one.strip() for one in line.split(";")
            }
            assert "Domain" not in line
            assert name.startswith("__Host-")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return answer

    async def begin(self) -> str:
        """Follows the link of the page; returns what the provider sends the browser back to."""
        page = await self.get("/admin")
        assert (page.status, "Sign in" in told(page.body)) == (403, True)
        sent = await self.get(f"{BASE}/admin/login")
        assert sent.status == 303, sent.body
        location = sent.headers["Location"]
        assert location.startswith(f"{self.provider.issuer}/authorize?")
        return self.provider.sign_in(dict(parse_qsl(urlsplit(location).query)))

    async def sign_in(self) -> Answer:
        return await self.get(await self.begin())

    async def sign_out(self) -> Answer:
        page = await self.get("/admin")
        token = re.search(r'/admin/logout">\s*<input type="hidden" name="token" value="([^"]+)"', page.body)
        assert token
        return await self.post("/admin/logout", {"token": token[1]})


@asynccontextmanager
async def a_browser(folder: Path, **admin: object) -> AsyncIterator[Browser]:
    from tests.integration.web_site import NOW

    async with providing(NOW.timestamp()) as provider:
        settings = {
            "issuer": provider.issuer,
            "client_id": "digest",
            "client_secret": "hush!",
            "users": ["grace@lab.example"],
            **admin,
        }
        async with serving_town(folder, admin=settings) as town:
            yield Browser(town=town, provider=provider)


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with a_browser(tmp_path) as browser:
        yield browser


async def test_who_is_in_the_settings_signs_in_and_out(browser: Browser) -> None:
    answer = await browser.sign_in()
    assert (answer.status, answer.headers["Location"]) == (303, f"{BASE}/admin")
    assert set(browser.cookies) == {"__Host-digest-admin"}
    page = await browser.get("/admin")
    assert (page.status, "grace@lab.example" in page.body) == (200, True)
    kept = dict(browser.cookies)
    assert (await browser.sign_out()).status == 200
    assert browser.cookies == {}
    browser.cookies = kept  # a copy of the cookie
    assert (await browser.get("/admin")).status == 403


async def test_who_signs_out_at_one_process_is_signed_out_at_each(tmp_path: Path) -> None:
    async with a_browser(tmp_path) as browser, a_browser(tmp_path) as other:
        await browser.sign_in()
        other.cookies = dict(browser.cookies)
        assert (await other.get("/admin")).status == 200
        await browser.sign_out()
        assert (await other.get("/admin")).status == 403
        assert (await other.post("/admin/do", {"action": "invite"})).status == 403


async def test_a_session_ends_after_an_hour(browser: Browser) -> None:
    await browser.sign_in()
    browser.town.now += timedelta(minutes=59)
    assert (await browser.get("/admin")).status == 200
    browser.town.now += timedelta(minutes=2)
    assert (await browser.get("/admin")).status == 403


@pytest.mark.parametrize(
    ("admin", "user"),
    [
        ({"users": ["4711"]}, {}),
        ({"users": ["someone@lab.example"], "groups": ["staff"]}, {"groups": ["other", "staff"]}),
        ({"users": [], "groups": ["staff"], "group_claim": "roles"}, {"roles": "staff"}),
        ({}, {"email_verified": "true"}),
    ],
)
async def test_subjects_and_groups_may_be_named_too(
    tmp_path: Path, admin: dict[str, object], user: dict[str, object]
) -> None:
    async with a_browser(tmp_path, **admin) as browser:
        browser.provider.user = {**browser.provider.user, **user}
        assert (await browser.sign_in()).status == 303
        assert (await browser.get("/admin")).status == 200


@pytest.mark.parametrize("groups", [["ops"], []])
async def test_a_group_that_is_taken_out_of_the_settings_is_out(tmp_path: Path, groups: list[str]) -> None:
    async with a_browser(tmp_path, groups=["staff", "ops"]) as browser:
        browser.provider.user = {"sub": "4712", "groups": ["staff"]}
        assert (await browser.sign_in()).status == 303
        assert (await browser.get("/admin")).status == 200
    async with a_browser(tmp_path, groups=groups) as later:
        later.cookies = browser.cookies
        assert (await later.get("/admin")).status == 403


async def test_what_is_not_in_the_id_token_is_asked_for(browser: Browser) -> None:
    browser.provider.claims = {"email": None, "email_verified": None}
    assert (await browser.sign_in()).status == 303
    assert browser.provider.asked[-1] == "/userinfo"


Fault = Callable[[ScriptedProvider], None]


def claims(**values: object) -> Fault:
    return lambda provider: provider.claims.update(values)


def header(**values: object) -> Fault:
    return lambda provider: provider.header.update(values)


def _another_key(provider: ScriptedProvider) -> None:
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "one"})


def _secret_as_key(provider: ScriptedProvider) -> None:
    provider.signs_with = OctKey.import_key("hush!hush!hush!hush!hush!hush!hush!")
    provider.header = {"alg": "HS256", "kid": "one"}


def _public_key_as_secret(provider: ScriptedProvider) -> None:
    provider.signs_with = OctKey.import_key(json.dumps(provider.key.as_dict(private=False)))
    provider.header = {"alg": "HS256"}


def answers(path: str, **response: object) -> Fault:
    return lambda provider: provider.answers.update({path: web.Response(**response)})  # type: ignore[arg-type]


def tokens(**values: object) -> Fault:
    return lambda provider: provider.tokens.update(values)


FAULTS: dict[str, Fault] = {
    "no signature": header(alg="none"),
    "a key of somebody else": _another_key,
    "the client secret as a key": _secret_as_key,
    "the public key as a secret": _public_key_as_secret,
    "an unknown key": header(kid="two"),
    "another issuer": claims(iss="https://evil.example"),
    "another client": claims(aud="another"),
    "another client, for us as its party": claims(aud="another", azp="digest"),
    "several clients, no party": claims(aud=["digest", "another"]),
    "several clients, another party": claims(aud=["digest", "another"], azp="another"),
    "no client": claims(aud=None),
    "ended": claims(exp=1_000),
    "no end": claims(exp=None),
    "an end that is no number": claims(exp="never"),
    "not begun": claims(nbf=99_999_999_999),
    "of the future": claims(iat=99_999_999_999),
    "another nonce": claims(nonce="another"),
    "no nonce": claims(nonce=None),
    "no subject": claims(sub=None),
    "hash of another access token": claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "an address that is not verified": claims(email_verified=False),
    "an address that may be verified": lambda provider: (
        claims(email_verified=None)(provider),
        provider.user_info.update(email_verified=None),
    )[0],
    "an address that is verified, in place of the one of the token": lambda provider: (
        claims(email_verified=None)(provider),
        provider.user_info.update(email="mallory@lab.example"),
    )[0],
    "another address": claims(email="mallory@lab.example"),
    "the address as a subject": lambda provider: setattr(provider, "user", {"sub": "grace@lab.example"}),
    "another subject in the user info": lambda provider: (
        claims(email=None)(provider),
        provider.user_info.update(sub="4712"),
    )[0],
    "no ID token": tokens(id_token=None),
    "no token at all": tokens(id_token="grace"),
    "a token that is a list": tokens(id_token=["grace"]),
    "a refusal": answers("/token", status=400, text='{"error": "invalid_grant"}'),
    "a redirect": answers("/token", status=302, headers={"Location": "http://127.0.0.1:1/"}),
    "no JSON": answers("/token", text="<html>grace"),
    "deep JSON": answers("/token", text="[" * 100_000),
    "a list": answers("/token", text="[]"),
    "much": answers("/token", text=json.dumps({"id_token": "x" * 300_000})),
    "no keys": answers("/keys", text="{}"),
    "keys that are none": answers("/keys", text='{"keys": [{"kty": "RSA"}]}'),
    "a server error": answers("/keys", status=500),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_an_answer_that_is_not_right_lets_nobody_in_and_leaves_no_secret_in_the_log(
    browser: Browser, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    fault(browser.provider)
    back = await browser.begin()
    answer = await browser.get(back)
    assert answer.status == 403
    assert "__Host-digest-admin" not in browser.cookies
    assert (await browser.get("/admin")).status == 403
    (refused,) = (record for record in caplog.records if "was refused" in record.message)
    query = dict(parse_qsl(urlsplit(back).query))
    for secret in (*query.values(), "lab.example", "hush", "evil", "access", "mallory", "<html>"):
        assert secret not in refused.message, secret
        assert secret not in answer.body
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("state=", "state=x"),
        lambda url: re.sub(r"&?state=[^&]*", "", url),
        lambda url: re.sub(r"code=[^&]*", "code=", url),
        lambda url: re.sub(r"code=[^&]*", "code=wrong", url),
        lambda url: re.sub(r"code=[^&]*", "error=access_denied", url),
        lambda url: f"{url}&iss=https://evil.example",
        lambda url: re.sub(r"state=[^&]*", "state=%ff%00", url),
    ],
    ids=["state", "no state", "no code", "wrong code", "denied", "issuer", "nonsense"],
)
async def test_a_forged_answer_is_refused(browser: Browser, change: Callable[[str], str]) -> None:
    answer = await browser.get(change(await browser.begin()))
    assert answer.status == 403
    assert "__Host-digest-admin" not in browser.cookies


async def test_an_answer_is_taken_once_and_only_from_the_browser_that_asked(browser: Browser) -> None:
    back = await browser.begin()
    began = dict(browser.cookies)
    browser.cookies = {}
    assert (await browser.get(back)).status == 403
    browser.cookies = dict(began)
    assert (await browser.get(back)).status == 303
    browser.cookies = dict(began)
    tokens_asked = browser.provider.asked.count("/token")
    assert (await browser.get(back)).status == 403
    assert browser.provider.asked.count("/token") == tokens_asked


async def test_an_answer_to_somebody_else_is_refused(browser: Browser) -> None:
    """Who gets another one to open it would let them work under a name that is not theirs."""
    theirs = await browser.begin()
    browser.cookies.clear()
    await browser.begin()
    assert (await browser.get(theirs)).status == 403
    assert "__Host-digest-admin" not in browser.cookies


async def test_an_answer_that_comes_late_is_refused(browser: Browser) -> None:
    back = await browser.begin()
    browser.town.now += timedelta(minutes=11)
    assert (await browser.get(back)).status == 403


async def test_a_cookie_is_not_forged(browser: Browser) -> None:
    await browser.sign_in()
    (name, value), *_ = browser.cookies.items()
    others = [f"{value[:at]}{'B' if value[at] == 'A' else 'A'}{value[at + 1 :]}" for at in (0, -5)]
    for forged in (*others, value[::-1], "", "x" * 5_000, "ü"):
        browser.cookies[name] = forged
        assert (await browser.get("/admin")).status == 403
    await browser.begin()
    (login,) = (value for name, value in browser.cookies.items() if "-login-" in name)
    browser.cookies = {name: login}
    assert (await browser.get("/admin")).status == 403


async def test_new_keys_of_the_provider_are_found(browser: Browser) -> None:
    assert (await browser.sign_in()).status == 303
    browser.provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    browser.provider.header["kid"] = "two"
    browser.town.now += timedelta(minutes=5)
    browser.provider.now = browser.town.now.timestamp()
    browser.cookies.clear()
    assert (await browser.sign_in()).status == 303


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA", "kid": "new"},
        {"kty": "EC", "crv": "brainpoolP256r1", "x": "AAAA", "y": "AAAA", "kid": "new"},
        {"kty": "OKP", "crv": "X9999", "x": "AAAA"},
        {"kty": "RSA", "kid": "new"},
        {"kid": "new"},
        {"kty": ["RSA"]},
        "new",
    ],
    ids=["kind", "curve", "curve without kid", "no numbers", "no kind", "kinds", "text"],
)
async def test_a_key_that_is_not_understood_keeps_nobody_out(browser: Browser, key: object) -> None:
    (right,) = KeySet([browser.provider.key]).as_dict(private=False)["keys"]
    browser.provider.answers["/keys"] = web.Response(text=json.dumps({"keys": [key, right]}))
    assert (await browser.sign_in()).status == 303


async def test_wrong_answers_are_limited_by_network(browser: Browser) -> None:
    browser.town.own_headers["X-Forwarded-For"] = "192.0.2.7"
    found = []
    for _ in range(11):
        back = re.sub(r"code=[^&]*", "code=wrong", await browser.begin())
        found.append((await browser.get(back)).status)
    assert found == [*([403] * 10), 429]


async def test_answers_that_belong_to_no_sign_in_keep_nobody_out(browser: Browser) -> None:
    """Any page that an administrator reads may have many links to such answers."""
    browser.town.own_headers["X-Forwarded-For"] = "192.0.2.7"
    found = {(await browser.get("/admin/callback?code=x&state=y")).status for _ in range(20)}
    assert found == {403}
    assert (await browser.sign_in()).status == 303


async def test_two_tabs_sign_in_at_the_same_time(browser: Browser) -> None:
    first, second = await browser.begin(), await browser.begin()
    assert (await browser.get(first)).status == 303
    assert (await browser.get(second)).status == 303
    assert list(browser.cookies) == ["__Host-digest-admin"]


async def test_a_browser_keeps_few_sign_ins(browser: Browser) -> None:
    backs = [await browser.begin() for _ in range(8)]
    assert len(browser.cookies) == 5
    browser.cookies["__Host-digest-login-[strange]"] = "x"
    assert (await browser.get(backs[0])).status == 403
    assert [(await browser.get(back)).status for back in backs[3:]] == [303] * 5


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": ["x"]},
        {"jwks_uri": "http://[::1"},
        {"padding": "x" * 300_000},
    ],
)
async def test_wrong_metadata_send_nobody_anywhere(
    browser: Browser, metadata: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    browser.provider.metadata = metadata
    answer = await browser.get("/admin/login")
    assert answer.status == 503
    assert "nobody can sign in for /admin" in caplog.text
    assert "evil" not in caplog.text


async def test_a_redirect_of_the_provider_is_not_followed(browser: Browser) -> None:
    provider = browser.provider
    right = json.dumps(provider._own_metadata())
    provider.answers["/moved"] = web.Response(text=right, content_type="application/json")
    path = "/.well-known/openid-configuration"
    provider.answers[path] = web.Response(status=302, headers={"Location": f"{provider.issuer}/moved"})
    assert (await browser.get("/admin/login")).status == 503
    assert provider.asked == [path]


async def test_a_provider_that_is_away_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_browser(tmp_path, issuer="http://127.0.0.1:1") as browser:
        assert (await browser.get("/admin/login")).status == 503
    assert "the provider cannot be asked" in caplog.text


async def test_a_provider_that_fails_is_asked_again_after_a_while(browser: Browser) -> None:
    path = "/.well-known/openid-configuration"
    browser.provider.answers[path] = web.Response(status=500)
    for _ in range(5):
        assert (await browser.get("/admin/login")).status == 503
    assert browser.provider.asked == [path]
    del browser.provider.answers[path]
    browser.town.now += timedelta(seconds=6)
    assert (await browser.get("/admin/login")).status == 303


async def test_a_provider_that_hangs_is_left(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("digest.web.oidc._SECONDS", 0.2)
    browser.provider.delay = 5
    assert (await browser.get("/admin/login")).status == 503
    assert "the provider did not answer within" in caplog.text


async def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "digest.web.oidc", None)
    with pytest.raises(ConfigurationError, match=r"arxiv-digest-mailer\[oidc\]"):
        async with a_browser(tmp_path):
            pass
    admin = Admin.model_validate(
        {"issuer": "https://l.example", "client_id": "x", "users": ["ada@l.example"]}
    )
    assert [one.verdict async for one in check_admin(Web(base_url=BASE), admin)] == [Verdict.FAILED]


async def test_the_doctor_asks_the_provider(browser: Browser) -> None:
    admin = Admin.model_validate(
        {"issuer": browser.provider.issuer, "client_id": "digest", "users": ["grace@lab.example"]}
    )
    found = [one async for one in check_admin(Web(base_url=BASE), admin)]
    assert [one.verdict for one in found] == [Verdict.OK]
    browser.provider.metadata = {"issuer": "https://evil.example"}
    (wrong,) = [one async for one in check_admin(Web(base_url=BASE), admin)]
    assert (wrong.verdict, "calls itself by another address" in wrong.said) == (Verdict.FAILED, True)


async def test_the_doctor_warns_of_an_address_that_others_can_reach() -> None:
    admin = Admin.model_validate({"header": "X-User", "users": ["grace"], "listen": "0.0.0.0:8346"})
    found = [one async for one in check_admin(Web(base_url="http://127.0.0.1:1"), admin)]
    assert [one.verdict for one in found] == [Verdict.WARNING]

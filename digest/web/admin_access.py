"""Who may open the pages of the administrators: by a header of a proxy, or by OpenID Connect."""

import asyncio
import hmac
import logging
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from digest.config.admin_settings import Admin
from digest.errors import ConfigurationError
from digest.model.paper import one_line
from digest.web.admin_actions import SESSION
from digest.web.client_address import TokenGuesses, is_trusted
from digest.web.connections import Connection
from digest.web.frame import Frame
from digest.web.signing import Signer

if TYPE_CHECKING:
    from digest.web.oidc import Identity, Provider

_log = logging.getLogger(__name__)

_LOGIN = timedelta(minutes=10)
"""How long somebody may take to sign in at the provider."""

_LOGINS = 5
"""How many sign-ins a browser may have begun: each tab may be at the provider."""

_LOGIN_NAME = re.compile(r"login-[A-Za-z0-9_-]{8}")
_CODE = re.compile(r"[\x21-\x7e]{1,2000}")
_LOGGED_EVERY = 60.0
_KEPT = 10_000


class Refused(Exception):
    """A request with a forged sender, or of a person without access. Its text contains no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """An administrator. `session` is empty if a proxy vouches for each request."""

    name: str
    session: str = ""


class Access(Protocol):
    """A way to sign in."""

    login_url: str | None
    """The page that begins to sign in; `None` if the proxy does that."""

    def visitor(self, request: web.Request) -> Visitor | None:
        """Who asks; `None` if they have not signed in. Raises `Refused`, or `HTTPException`."""
        ...

    def routes(self) -> Iterable[web.RouteDef]: ...


class RefusalLog:
    """Logs that requests are refused, but not each one: strangers must not fill the log."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._logged_at: dict[str, datetime] = {}

    def note(self, cause: str) -> None:
        now, last = self._clock(), self._logged_at.get(cause)
        if last is None or (now - last).total_seconds() >= _LOGGED_EVERY:
            if len(self._logged_at) >= _KEPT:
                self._logged_at.clear()
            self._logged_at[cause] = now
            _log.warning("a request for /admin was refused cause=%s", cause)


class HeaderAccess:
    """A proxy, which has an address of its own to find the page, names the person in a header.

    The proxy of the other pages cannot reach it: it may pass on whatever headers its clients send.
    """

    def __init__(self, admin: Admin) -> None:
        self.login_url: str | None = None
        self._header = admin.header or ""
        self._proxies = admin.proxies
        self._users = frozenset(admin.users)

    def routes(self) -> Iterable[web.RouteDef]:
        return ()

    def visitor(self, request: web.Request) -> Visitor | None:
        names = request.headers.getall(self._header, [])
        protocol = request.protocol
        if not (isinstance(protocol, Connection) and protocol.listener == "admin"):
            if names:
                raise Refused("a header that only admin.listen takes came to web.listen")
            raise web.HTTPNotFound
        if not is_trusted(request.remote, self._proxies):
            raise Refused("it came from an address that is not in admin.proxies")
        if len(names) != 1:
            raise Refused(f"the proxy sent {len(names)} headers of the name in admin.header instead of one")
        if names[0] not in self._users:  # also not with other spaces around it: such a name is another one
            raise Refused("the name that the proxy sent is not in admin.users")
        return Visitor(name=names[0])


class OidcAccess:
    """The browser is sent to a provider, and comes back with a code. A signed cookie is the session."""

    def __init__(
        self,
        admin: Admin,
        frame: Frame,
        *,
        base_url: str,
        signer: Signer,
        provider: "Provider",
        refusals: RefusalLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._admin = admin
        self._frame = frame
        self._base_url = base_url
        self._signer = signer
        self._provider = provider
        self._refusals = refusals
        self._clock = clock
        self._guesses = TokenGuesses()
        # Answers that were taken. Other processes do not know them, but the provider takes none twice.
        self._used: OrderedDict[str, None] = OrderedDict()
        self.login_url: str | None = f"{base_url}/admin/login"
        # A browser takes a cookie with __Host- only by TLS, and then from no other host of the domain.
        self._is_secure = urlsplit(base_url).scheme == "https"
        self._prefix = "__Host-digest-" if self._is_secure else "digest-"

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.get("/admin/login", self._login), web.get("/admin/callback", self._callback)]

    def visitor(self, request: web.Request) -> Visitor | None:
        """By the cookie, if its account still has access. Their session may have been ended in the state."""
        session = self._read("admin", request)
        if session is None:
            return None
        if session["by"] == "user" and session["name"] not in self._admin.users:
            raise Refused("an account that is not in admin.users any more")
        if session["by"] == "group" and session.get("group") not in self._admin.groups:
            raise Refused("an account of a group that is not in admin.groups any more")
        return Visitor(name=session["name"], session=session["id"])

    def forget(self, response: web.StreamResponse) -> None:
        """Removes the session from the browser."""
        self._forget("admin", response)

    async def _login(self, request: web.Request) -> web.StreamResponse:
        from digest.web.oidc import OidcError

        state = secrets.token_urlsafe(24)
        nonce, verifier = self._secrets_of(state)
        try:
            url = await self._provider.login_url(state=state, nonce=nonce, verifier=verifier)
        except OidcError as error:
            _log.error("nobody can sign in for /admin cause=%s", error)
            raise web.HTTPServiceUnavailable from None
        response = _sent_to(url)
        self._keep(_login_of(state), {"state": state}, response, lasting=_LOGIN)
        self._forget_earlier(request, response)
        return response

    def _forget_earlier(self, request: web.Request, response: web.StreamResponse) -> None:
        """Browsers send the cookies of earlier sign-ins first (RFC 6265, 5.4)."""
        named = (name.removeprefix(self._prefix) for name in request.cookies)
        begun = [name for name in named if _LOGIN_NAME.fullmatch(name)]
        for name in begun[: max(0, len(begun) + 1 - _LOGINS)]:
            self._forget(name, response)

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        """Handles the return from the provider. A wrong answer counts as a wrong token."""
        from digest.web.oidc import OidcError

        state = self._state_of(request)
        now, network = asyncio.get_running_loop().time(), self._frame.network(request)
        if network and self._guesses.wait(network, now):
            raise web.HTTPTooManyRequests(headers={"Retry-After": "30"})
        try:
            session = self._session_for(await self._identified(request, state))
        except (OidcError, Refused) as error:
            if network:
                self._guesses.count(network, now)
            raise Refused(str(error)) from None
        response = _sent_to(f"{self._base_url}/admin")
        self._keep("admin", session, response, lasting=SESSION)
        self._forget(_login_of(state), response)
        return response

    def _state_of(self, request: web.Request) -> str:
        """Raises `Refused`, without a count: nobody can guess a state, and any page may link to us."""
        state = request.query.get("state", "")
        begun = self._read(_login_of(state), request)
        if begun is None or not hmac.compare_digest(begun["state"].encode(), state.encode(errors="replace")):
            raise Refused("the answer belongs to no sign-in that this browser began")
        if state in self._used:
            raise Refused("the answer was used before")
        return state

    async def _identified(self, request: web.Request, state: str) -> "Identity":
        query = request.query
        self._use(state)
        if "error" in query or not _CODE.fullmatch(code := query.get("code", "")):
            raise Refused("the provider did not let them sign in")
        nonce, verifier = self._secrets_of(state)
        return await self._provider.identify(
            code=code, issuer=query.get("iss"), nonce=nonce, verifier=verifier
        )

    def _session_for(self, identity: "Identity") -> dict[str, str]:
        """By a verified address, by a subject without @, or by a group."""
        for name in (identity.email, identity.subject if "@" not in identity.subject else ""):
            if name and name in self._admin.users:
                return {"id": secrets.token_urlsafe(16), "name": name, "by": "user"}
        if group := next((one for one in self._admin.groups if one in identity.groups), ""):
            name = one_line(identity.email or identity.subject)[:200]
            return {"id": secrets.token_urlsafe(16), "name": name, "by": "group", "group": group}
        raise Refused("an account that is neither in admin.users nor in admin.groups")

    def _secrets_of(self, state: str) -> tuple[str, str]:
        """The nonce and the code verifier of a sign-in. Only this installation can make them."""
        return self._signer.derive("nonce", state), self._signer.derive("verifier", state)

    def _use(self, name: str) -> None:
        self._used[name] = None
        if len(self._used) > _KEPT:
            self._used.popitem(last=False)

    def _read(self, purpose: str, request: web.Request) -> dict[str, str] | None:
        signed = request.cookies.get(self._prefix + purpose)
        found = signed and self._signer.read(purpose, signed, now=self._clock())
        return dict(found) if found else None

    def _keep(
        self, purpose: str, content: dict[str, str], response: web.StreamResponse, *, lasting: timedelta
    ) -> None:
        """Lax and not Strict: the browser comes back from another site."""
        response.set_cookie(
            self._prefix + purpose,
            self._signer.sign(purpose, content, until=self._clock() + lasting),
            max_age=round(lasting.total_seconds()),
            httponly=True,
            secure=self._is_secure,
            samesite="Lax",
        )

    def _forget(self, purpose: str, response: web.StreamResponse) -> None:
        response.del_cookie(self._prefix + purpose, httponly=True, secure=self._is_secure, samesite="Lax")


def _login_of(state: str) -> str:
    """The name of a sign-in: a browser may have begun several."""
    return f"login-{state[:8]}"


def access_for(
    admin: Admin,
    frame: Frame,
    *,
    base_url: str,
    signer: Signer,
    refusals: RefusalLog,
    clock: Callable[[], datetime],
) -> Access:
    """The way in that the settings name. Raises `ConfigurationError` if a library for it is missing."""
    if admin.header:
        return HeaderAccess(admin)
    provider = provider_for(admin, base_url=base_url, clock=lambda: clock().timestamp())
    return OidcAccess(
        admin, frame, base_url=base_url, signer=signer, provider=provider, refusals=refusals, clock=clock
    )


def provider_for(admin: Admin, *, base_url: str, clock: Callable[[], float]) -> "Provider":
    """The provider that the settings name. Raises `ConfigurationError` if a library for it is missing."""
    try:
        from digest.web.oidc import Client, Provider
    except ImportError as error:
        raise ConfigurationError(
            "admin.issuer needs a library that is not installed:"
            " install the extra, as in pip install 'arxiv-digest-mailer[oidc]'"
        ) from error
    secret = admin.client_secret
    client = Client(
        id=admin.client_id or "",
        secret=secret.get_secret_value() if secret else None,
        redirect_url=f"{base_url}/admin/callback",
        group_claim=admin.group_claim if admin.groups else None,
    )
    return Provider(admin.issuer or "", client, clock=clock)


def _sent_to(url: str) -> web.Response:
    """303 to another page. It is no exception: the frame would leave out where to."""
    return web.Response(status=303, headers={"Location": url})

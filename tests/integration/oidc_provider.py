"""A small OpenID Connect provider on loopback, which does as it is told: also what none should do."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey


@cache
def _key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one"})


@dataclass(slots=True, kw_only=True)
class ScriptedProvider:
    """`claims`, `header`, `metadata` and `tokens` replace what is right; `None` leaves it out.

    `now` is its clock, in seconds. `signs_with` may be another key than the one that it shows.
    """

    now: float
    issuer: str = ""
    key: RSAKey = field(default_factory=_key)
    signs_with: RSAKey | OctKey | None = None
    user: Mapping[str, Any] = field(
        default_factory=lambda: {"sub": "4711", "email": "grace@lab.example", "email_verified": True}
    )
    user_info: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "one"})
    metadata: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, web.Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    delay: float = 0.0
    _codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def sign_in(self, query: Mapping[str, str]) -> str:
        """What the browser is sent back to, after the user signed in."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = token_urlsafe()
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        await asyncio.sleep(self.delay)
        if (wanted := self.answers.get(request.path)) is not None:
            return web.Response(body=wanted.body, status=wanted.status, headers={**wanted.headers})
        match request.path:
            case "/.well-known/openid-configuration":
                return self._json({**self._own_metadata(), **self.metadata})
            case "/keys":
                return self._json(KeySet([self.key]).as_dict(private=False))
            case "/token":
                return self._json({**self._tokens(await request.post(), request), **self.tokens})
            case "/userinfo":
                assert request.headers["Authorization"] == "Bearer access"
                return self._json({**self.user, **self.user_info})
        raise web.HTTPNotFound

    def _json(self, content: Mapping[str, Any]) -> web.Response:
        return web.json_response({key: value for key, value in content.items() if value is not None})

    def _own_metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _tokens(self, sent: Mapping[str, Any], request: web.Request) -> dict[str, Any]:
        asked = self._codes.pop(str(sent.get("code")), None)
        challenge = hashlib.sha256(str(sent.get("code_verifier")).encode()).digest()
        if (
            asked is None
            or request.headers.get("Authorization") != f"Basic {base64.b64encode(b'digest:hush%21').decode()}"
            or base64.urlsafe_b64encode(challenge).decode().rstrip("=") != asked["code_challenge"]
            or sent.get("redirect_uri") != asked["redirect_uri"]
        ):
            raise web.HTTPBadRequest(text=json.dumps({"error": "invalid_grant"}))
        claims = {
            "iss": self.issuer,
            "aud": "digest",
            "iat": int(self.now),
            "exp": int(self.now) + 300,
            "nonce": asked["nonce"],
            **self.user,
            **self.claims,
        }
        left = {key: value for key, value in claims.items() if value is not None}
        if self.header["alg"] == "none":
            token = f"{_part(self.header)}.{_part(left)}."
        else:
            key = self.signs_with or self.key
            token = jwt.encode(dict(self.header), left, key, algorithms=["RS256", "HS256"])
        return {"access_token": "access", "token_type": "Bearer", "id_token": token}


def _part(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@asynccontextmanager
async def providing(now: float) -> AsyncIterator[ScriptedProvider]:
    provider = ScriptedProvider(now=now)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield provider
    finally:
        await runner.cleanup()

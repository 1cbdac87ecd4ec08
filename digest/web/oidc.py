"""OpenID Connect (Core 1.0, authorization code flow with PKCE): a provider says who somebody is.

Authlib checks metadata and claims, and writes the requests; joserfc verifies signatures. Both come with the
extra `oidc`. The requests themselves are made here, bounded in time and size.
"""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from digest.config.parsing import is_loopback

_SECONDS = 10.0
_LARGEST = 256 * 1024
"""Bytes of an answer: metadata have 5 kB, keys have 10 kB."""

_FRESH = 3600.0
"""Seconds for which metadata and keys are used; keys that are missing are asked for earlier."""

_PATIENCE = 60.0
"""Seconds until the keys are asked for again because one is missing: tokens name any key they like."""

_PAUSE = 5.0
"""Seconds until a provider that failed is asked for its metadata again."""

_AT_ONCE = 4
_LEEWAY = 60
"""Seconds that the clocks may differ."""

_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Signatures with a key that only the provider has: neither `none`, nor a secret that we have too."""


class OidcError(Exception):
    """Nobody is signed in. Its text contains no code, token, secret or address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signed in. `email` is empty unless the provider says that it is verified."""

    subject: str
    email: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What a provider knows of this installation; a public client has no `secret`."""

    id: str
    secret: str | None
    redirect_url: str
    group_claim: str | None


class Provider:
    """A provider, of whom metadata and keys are read when they are needed."""

    def __init__(self, issuer: str, client: Client, *, clock: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._client = client
        self._clock = clock
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._failed: tuple[float, str] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def login_url(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser is sent to sign in. Raises `OidcError`."""
        metadata = await self._known()
        # Groups are in the scope that the provider offers for them, if it does.
        offered = metadata.get("scopes_supported") or ()
        groups = " groups" if self._client.group_claim and "groups" in offered else ""
        return str(
            prepare_grant_uri(
                metadata["authorization_endpoint"],
                self._client.id,
                "code",
                redirect_uri=self._client.redirect_url,
                scope=f"openid email{groups}",
                state=state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        )

    async def identify(self, *, code: str, issuer: str | None, nonce: str, verifier: str) -> Identity:
        """Who signed in, by the code of an answer; `issuer` is as in the answer (RFC 9207).

        Raises `OidcError`.
        """
        metadata = await self._known()
        is_named = metadata.get("authorization_response_iss_parameter_supported") is True
        if (issuer is not None or is_named) and issuer != self._issuer:
            raise OidcError("the answer is of another issuer")
        tokens = await self._tokens(metadata, code, verifier)
        claims = await self._verified(metadata, tokens, nonce)
        wanted = {"email", "email_verified", self._client.group_claim} - {None} - set(claims)
        if wanted and isinstance(metadata.get("userinfo_endpoint"), str):
            info = await self._user_info(metadata, tokens, str(claims["sub"]))
            if info.get("email", claims.get("email")) != claims.get("email", info.get("email")):
                info = {**info, "email_verified": None}  # it is said of another address
            claims = {**info, **claims}
        return _identity(claims, self._client.group_claim)

    async def _known(self) -> Mapping[str, Any]:
        """The metadata. A provider that fails is not asked for a while: strangers cause requests."""
        now = self._clock()
        if self._metadata is None or now - self._metadata[0] > _FRESH:
            if self._failed is not None and now - self._failed[0] < _PAUSE:
                raise OidcError(self._failed[1])
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                self._metadata = (now, self._checked(await self._json("GET", url)))
            except OidcError as error:
                self._failed = (now, str(error))
                raise
        return self._metadata[1]

    def _checked(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """The metadata, if they are of this issuer and name all that is needed."""
        if found.get("issuer") != self._issuer:
            raise OidcError(
                "the provider calls itself by another address: set admin.issuer as it is in its metadata"
            )
        metadata = OpenIDProviderMetadata(found)
        if not is_loopback(urlsplit(self._issuer).hostname):
            try:
                metadata.validate()
            except ValueError as error:
                raise OidcError("the metadata of the provider are not valid") from error
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._address(found, name)
        return found

    def _address(self, metadata: Mapping[str, Any], name: str) -> str:
        """An address of the provider: by https, unless the provider is on this machine."""
        url = metadata.get(name)
        try:
            parts = urlsplit(url if isinstance(url, str) else "")
        except ValueError:
            parts = urlsplit("")
        is_here = is_loopback(parts.hostname) and is_loopback(urlsplit(self._issuer).hostname)
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
            raise OidcError(f"the metadata of the provider have no https address for {name}")
        return str(url)

    async def _tokens(self, metadata: Mapping[str, Any], code: str, verifier: str) -> Mapping[str, Any]:
        """The answer to a code, which proves that we asked for it."""
        client, headers, more = self._client, {"Accept": "application/json"}, {"client_id": self._client.id}
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if client.secret and "client_secret_basic" in methods:  # RFC 6749, 2.3.1
            pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}".encode()
            headers["Authorization"], more = f"Basic {b64encode(pair).decode()}", {}
        elif client.secret:
            more["client_secret"] = client.secret
        body = prepare_token_request(
            "authorization_code",
            redirect_uri=client.redirect_url,
            code=code,
            code_verifier=verifier,
            **more,
        )
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return await self._json("POST", self._address(metadata, "token_endpoint"), headers=headers, data=body)

    async def _verified(
        self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], nonce: str
    ) -> Mapping[str, Any]:
        """The claims of the ID token: of this provider, for us, for this sign-in and not ended."""
        token = tokens.get("id_token")
        if not isinstance(token, str) or not token.isascii():
            raise OidcError("the provider sent no ID token")
        try:
            read = await self._decoded(metadata, token)
            claims = CodeIDToken(
                read.claims,
                read.header,
                options={
                    "iss": {"essential": True, "value": self._issuer},
                    "aud": {"essential": True, "value": self._client.id},
                    "sub": {"essential": True},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._client.id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(now=int(self._clock()), leeway=_LEEWAY)
        except JoseError as error:
            kind = getattr(error, "claim", None) or error.error
            raise OidcError(f"the ID token is not valid ({kind})") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise OidcError("the ID token is not valid") from None  # the cause would hold parts of it
        return dict(claims)

    async def _decoded(self, metadata: Mapping[str, Any], token: str) -> jwt.Token:
        """The token with a signature by a key of the provider, also if it changed its keys lately."""
        url, now = self._address(metadata, "jwks_uri"), self._clock()
        if self._keys is not None and now - self._keys[0] <= _FRESH:
            try:
                return jwt.decode(token, self._keys[1], algorithms=list(_ALGORITHMS))
            except (JoseError, ValueError):
                if now - self._keys[0] < _PATIENCE:
                    raise
        keys = _understood(await self._json("GET", url))
        self._keys = (now, keys)
        return jwt.decode(token, keys, algorithms=list(_ALGORITHMS))

    async def _user_info(
        self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], subject: str
    ) -> Mapping[str, Any]:
        """What the provider says beside the ID token (OpenID Connect Core 1.0, 5.3)."""
        token = tokens.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise OidcError("the provider sent no access token")
        url = self._address(metadata, "userinfo_endpoint")
        found = await self._json("GET", url, headers={"Authorization": f"Bearer {token}"})
        if found.get("sub") != subject:
            raise OidcError("the provider's user information is about another subject than its ID token")
        return found

    async def _json(self, method: str, url: str, **options: Any) -> Mapping[str, Any]:
        """An answer of the provider, within a time and a size, and without following it elsewhere."""
        try:
            async with (
                self._places,
                asyncio.timeout(_SECONDS),
                aiohttp.ClientSession(trust_env=True) as session,
                session.request(method, url, allow_redirects=False, **options) as answer,
            ):
                body = await _bounded(answer)
                if answer.status != 200:
                    raise OidcError(f"the provider answers with status {answer.status}")
                found = json.loads(body)
        except TimeoutError:
            raise OidcError(f"the provider did not answer within {_SECONDS:.0f} s") from None
        except aiohttp.ClientError as error:
            raise OidcError(f"the provider cannot be asked ({type(error).__name__})") from None
        except (ValueError, RecursionError):
            raise OidcError("the provider did not answer with JSON") from None
        if not isinstance(found, dict):
            raise OidcError("the provider did not answer with a JSON object")
        return found


def _understood(found: Mapping[str, Any]) -> KeySet:
    """The keys that can be used. One of another kind does not make the others unusable (RFC 7517, 5)."""
    listed, keys = found.get("keys"), []
    for one in listed if isinstance(listed, list) else ():
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
            key = JWKRegistry.import_key(one)
            key.ensure_kid()
            keys.append(key)
    if not keys:
        raise OidcError("the provider shows no key that can be used")
    return KeySet(keys)


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > _LARGEST:
            raise OidcError("an answer of the provider is too large")
    return bytes(body)


def _identity(claims: Mapping[str, Any], group_claim: str | None) -> Identity:
    """Some providers write `"true"`; a group may be the only one, without a list."""
    email = claims.get("email") if claims.get("email_verified") in (True, "true") else ""
    listed = claims.get(group_claim) if group_claim else None
    groups = [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else []
    return Identity(
        subject=str(claims["sub"]),
        email=email if isinstance(email, str) else "",
        groups=tuple(one for one in groups if isinstance(one, str)),
    )

"""`[admin]`: who may open the page of the administrators, and how they prove who they are."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from digest.config.parsing import is_loopback
from digest.config.secret_file import secret_of
from digest.config.section import Section, WrongKey, parse_url
from digest.config.web_settings import Network, address_of, parse_listen, parse_networks

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


def _header(value: str) -> str:
    """A name with `_` is refused: some servers take it for the same name with `-`."""
    taken = {"authorization", "connection", "content-length", "cookie", "forwarded", "host", "origin"}
    if not _HEADER.fullmatch(value) or value.lower() in taken:
        raise ValueError('must be the name of a header, for example "X-Remote-User"')
    return value


def _names(value: object) -> tuple[str, ...]:
    """From a list, or from the environment, separated by commas."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not all(isinstance(one, str) for one in listed):
        raise ValueError("must be a list of names")
    names = tuple(dict.fromkeys(one.strip() for one in listed))
    if any(not one or not one.isprintable() for one in names):
        raise ValueError("must be a list of names, none of them empty")
    return names


def _issuer(value: str) -> str:
    parts = urlsplit(parse_url(value))
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ValueError("must be an https address")
    if parts.query or parts.fragment:
        raise ValueError("must be an address without ? and #, as the provider names it")
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]


class Admin(Section):
    """`[admin]`: the page of the administrators; there is none without `header` or `issuer`."""

    header: Annotated[str, AfterValidator(_header)] | None = Field(
        default=None, description='the name of a header, for example "X-Remote-User"'
    )
    listen: Annotated[str, AfterValidator(parse_listen)] = Field(
        default="127.0.0.1:8346", description='an address and a port, as in "127.0.0.1:8346"'
    )
    proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(parse_networks)] = Field(
        default=(ip_network("127.0.0.1"), ip_network("::1")),
        description="addresses or networks, as in 10.0.0.0/8",
    )
    issuer: Annotated[str, AfterValidator(_issuer)] | None = Field(
        default=None, validate_default=True, description="an https address"
    )
    client_id: str | None = Field(
        default=None, min_length=1, validate_default=True, description="the name that the provider gave"
    )
    client_secret_file: Path | None = Field(
        default=None, description="the path of a file that holds only the secret"
    )
    client_secret: SecretStr | None = Field(
        default=None, min_length=1, validate_default=True, description="text"
    )
    groups: Names = Field(default=(), validate_default=True, description="a list of names of groups")
    group_claim: str = Field(default="groups", min_length=1, description="the name of a claim")
    users: Names = Field(default=(), validate_default=True, description="a list of names")

    @field_validator("issuer")
    @classmethod
    def _one_way_in(cls, issuer: str | None, info: ValidationInfo) -> str | None:
        if issuer and info.data.get("header"):
            raise ValueError("must not be set beside admin.header: use only one of the two")
        return issuer

    @field_validator("client_id")
    @classmethod
    def _client_is_known(cls, client_id: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("issuer") and client_id is None:
            raise WrongKey("admin.issuer", "set admin.client_id too, the name that the provider gave")
        return client_id

    @field_validator("client_secret")
    @classmethod
    def _secret_is_read(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        file = info.data.get("client_secret_file")
        return secret_of(file.expanduser() if file else None, secret)

    @field_validator("groups")
    @classmethod
    def _groups_have_an_issuer(cls, groups: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if groups and not info.data.get("issuer"):
            raise ValueError("has an effect only with admin.issuer; with admin.header, list admin.users")
        return groups

    @field_validator("users")
    @classmethod
    def _somebody_may(cls, users: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        is_on = info.data.get("header") or info.data.get("issuer")
        if is_on and not users and not info.data.get("groups"):
            key = "header" if info.data.get("header") else "issuer"
            raise WrongKey(f"admin.{key}", "nobody could open /admin: list in admin.users who may")
        return users

    @property
    def is_on(self) -> bool:
        return bool(self.header or self.issuer)

    @property
    def address(self) -> tuple[str, int]:
        """Where the proxy that sets `header` finds the page."""
        return address_of(self.listen)

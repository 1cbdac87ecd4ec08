"""`[web]`: where the web pages are, and whose word is taken for who asks."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

from digest.config.parsing import address_key, is_loopback, parse_address
from digest.config.section import Section, WrongKey, parse_url

Network: TypeAlias = IPv4Network | IPv6Network


def _base_url(value: str) -> str:
    """Without a final slash, so that paths can be added."""
    parts = urlsplit(parse_url(value))
    if parts.query or parts.fragment:
        raise ValueError("must be an address without ? and #, because paths are added to it")
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ValueError(
            "must be an https address, because links in mails carry a secret; http only on loopback"
        )
    return value.rstrip("/")


def parse_listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise ValueError(
            'must be an address and a port, for example "127.0.0.1:8345" or "[::1]:8345"'
        ) from error
    if not port.isascii() or not port.isdigit() or int(port) > 65535 or (":" in host and host[0] != "["):
        raise ValueError('must be an address and a port up to 65535, for example "127.0.0.1:8345"')
    return value


def parse_networks(value: object) -> tuple[Network, ...]:
    """From a list, or from the environment, separated by commas."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        raise ValueError("must be a list of addresses or networks")  # noqa: TRY004 - it is no bug
    try:
        return tuple(ip_network(str(one).strip()) for one in listed)
    except ValueError as error:
        raise ValueError(
            f"must be a list of addresses or networks, for example 10.0.0.0/8: {error}"
        ) from error


def _domains(value: object) -> tuple[str, ...]:
    """From a list, or from the environment, separated by commas; in ASCII and lower case."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        raise ValueError("must be a list of domains")  # noqa: TRY004 - it is no bug
    return tuple(dict.fromkeys(map(_domain, listed)))


def _domain(value: object) -> str:
    name = str(value).strip()
    try:
        return address_key(parse_address(f"somebody@{name}")).rpartition("@")[2]
    except ValueError:
        raise ValueError(
            f'must be a list of domains, as after the @ of an address; "{name}" is none'
        ) from None


def _metrics_token(value: SecretStr) -> SecretStr:
    """Never quotes it."""
    token = value.get_secret_value()
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("must be a token of 16 or more ASCII characters without spaces")
    return value


class Web(Section):
    """`[web]`: the web pages; none without `base_url`."""

    base_url: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None, description="an https address"
    )
    listen: Annotated[str, AfterValidator(parse_listen)] = Field(
        default="127.0.0.1:8345", description='an address and a port, as in "127.0.0.1:8345"'
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(parse_networks)] = Field(
        default=(ip_network("127.0.0.1"), ip_network("::1")),
        description="addresses or networks, as in 10.0.0.0/8",
    )
    robots: bool = Field(default=False, description="true or false")
    metrics_token: Annotated[SecretStr, AfterValidator(_metrics_token)] | None = Field(
        default=None, description="16 or more letters, digits and signs without spaces"
    )
    metrics_listen: Annotated[str, AfterValidator(parse_listen)] | None = Field(
        default=None, description='an address and a port, as in "127.0.0.1:9345"'
    )

    signup: Literal["domains", "invite", "open"] | None = Field(
        default=None, validate_default=True, description='"domains", "invite" or "open"'
    )
    domains: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_domains)] = Field(
        default=(), validate_default=True, description='domains of addresses, as in ["uni.example"]'
    )
    most_papers_a_day: int = Field(
        default=200, ge=1, le=100_000, description="a number of papers from 1 to 100000"
    )
    signups_per_hour: int = Field(default=60, ge=1, le=10_000, description="a number from 1 to 10000")
    signups_per_network: int = Field(default=30, ge=1, le=10_000, description="a number from 1 to 10000")

    @field_validator("signup")
    @classmethod
    def _signup_has_pages(cls, signup: str | None, info: ValidationInfo) -> str | None:
        if signup and info.data.get("base_url", "unknown") is None:
            raise ValueError("needs web.base_url, the address of the pages")
        return signup

    @field_validator("domains")
    @classmethod
    def _domains_have_a_use(cls, domains: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        is_used = info.data.get("signup", "unknown") == "domains"
        if is_used and not domains:
            raise WrongKey("web.signup", 'is "domains": set web.domains too, as in domains = ["uni.example"]')
        if domains and not is_used and "signup" in info.data:
            raise ValueError('has an effect only with signup = "domains"')
        return domains

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen."""
        return address_of(self.listen)

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where to listen for those who ask for figures."""
        return address_of(self.metrics_listen) if self.metrics_listen else None


def address_of(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)

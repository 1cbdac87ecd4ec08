"""`[smtp]`: the mail server, and the sender of the mails."""

import socket
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from digest.config.parsing import is_full_name, is_loopback, nearest, parse_address, parse_host
from digest.config.providers import PROVIDERS
from digest.config.secret_file import read_secret
from digest.config.section import Address, Count, FilePath, Line, Seconds, Section, WrongKey

_LONGEST_BOUNCE_NAME = 39
"""Together with `+` and a token of 24 characters: 64, the limit of RFC 5321, 4.5.3.1.1, before the @."""

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _provider(value: object) -> str:
    """The name of a provider, as in the table."""
    name = value.casefold() if isinstance(value, str) else ""
    if name not in PROVIDERS:
        near = nearest(name, PROVIDERS)
        hint = f'; did you mean "{near}"?' if near else "; for other servers set smtp.host"
        raise ValueError(f"must be one of {', '.join(PROVIDERS)}{hint}")
    return name


def _bounce_address(value: object) -> str:
    address = parse_address(value)
    if len(address.rpartition("@")[0]) > _LONGEST_BOUNCE_NAME:
        raise ValueError(
            f"must be a mail address with at most {_LONGEST_BOUNCE_NAME} characters before the @,"
            " because digest adds a token of each mailing there"
        )
    return address


def _host_name(value: str | None) -> str | None:
    if value is not None and not is_full_name(value):
        raise ValueError('must be the full name of this machine, for example "mail.lab.example"')
    return value


def _is_address(value: str | None) -> bool:
    try:
        return value is not None and bool(parse_address(value))
    except ValueError:
        return False


class Smtp(Section):
    """`[smtp]`: the mail server, and the sender of the mails.

    `provider` sets keys that are not set otherwise. Port and security depend on each other: it sets both or
    none.
    """

    provider: Annotated[str | None, BeforeValidator(_provider)] = Field(
        default=None, description="the name of a provider"
    )
    host: Annotated[Line, AfterValidator(parse_host)] | None = Field(
        default=None, validate_default=True, description="the name or address of a mail server"
    )
    allow_plaintext: bool = Field(default=False, description="true or false")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", validate_default=True, description='"starttls", "tls" or "none"'
    )
    port: int = Field(
        default_factory=lambda known: _PORTS[known["security"]],
        ge=1,
        le=65535,
        description="a whole number from 1 to 65535",
    )
    username: Line | None = Field(default=None, description="the name to log in with, in one line")
    password_file: FilePath | None = Field(
        default=None, description="the path of a file that holds only the password"
    )
    password: SecretStr | None = Field(default=None, min_length=1, validate_default=True, description="text")
    sender: Address = Field(
        default_factory=lambda known: _default_sender(known), description="a mail address"
    )
    sender_name: Line = Field(default="arXiv digest", description="text in one line")
    bounce_address: Annotated[str | None, BeforeValidator(_bounce_address)] = Field(
        default=None, description="a mail address"
    )
    helo: Annotated[str | None, AfterValidator(_host_name)] = Field(
        default=None, description='the full name of this machine, for example "mail.lab.example"'
    )
    connections: int = Field(default=2, ge=1, le=50, description="a whole number from 1 to 50")
    messages_per_connection: Count | None = Field(default=None, description="a whole number from 1")
    messages_per_minute: Count | None = Field(default=None, description="a whole number from 1")
    messages_per_day: Count | None = Field(default=None, description="a whole number from 1")
    timeout: Seconds = Field(
        default=timedelta(seconds=60),
        gt=timedelta(0),
        le=timedelta(hours=1),
        description="a number of seconds above 0, at most 3600",
    )

    @model_validator(mode="before")
    @classmethod
    def _provider_defaults(cls, given: Any) -> Any:
        """Defaults that follow from provider and port."""
        if not isinstance(given, dict):
            return given
        provider = PROVIDERS.get(str(given.get("provider")).casefold())
        preset = provider.keys() if provider else {}
        if "port" in given or "security" in given:
            preset = {key: value for key, value in preset.items() if key not in {"port", "security"}}
        if "security" not in given and str(given.get("port")) == "465":  # RFC 8314, 3.3: TLS begins at once
            preset["security"] = "tls"
        return {**preset, **given}

    @field_validator("host")
    @classmethod
    def _provider_has_a_host(cls, host: str | None, info: ValidationInfo) -> str | None:
        provider = info.data.get("provider")
        if host is None and provider is not None:
            raise WrongKey(
                "smtp.provider",
                f'"{provider}" has a server for each region: set smtp.host too (digest docs mail-servers)',
            )
        return host

    @field_validator("security")
    @classmethod
    def _plaintext_is_local(cls, security: str, info: ValidationInfo) -> str:
        host = info.data.get("host")
        if (
            security == "none"
            and host
            and not is_loopback(host)
            and info.data.get("allow_plaintext") is False
        ):
            raise ValueError(
                'must be "starttls" or "tls"; "none" lets others on the network read mails and password:'
                " use it only for this machine, or set smtp.allow_plaintext = true in a private network"
            )
        return security

    @field_validator("password")
    @classmethod
    def _login_is_complete(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if not {"username", "password_file"} <= info.data.keys():
            return password  # the errors of these keys are reported already
        username, file = info.data["username"], info.data["password_file"]
        if file and password:
            raise WrongKey("smtp.password_file", "smtp.password is also set; use only one of the two")
        if file:
            try:
                password = SecretStr(read_secret(file))
            except ValueError as error:
                raise WrongKey("smtp.password_file", str(error)) from error
            if not password.get_secret_value():
                raise WrongKey(
                    "smtp.password_file", f"{file} is empty; it must hold the password and nothing else"
                )
        if username and not password:
            remedy = "set smtp.password_file or DIGEST_SMTP__PASSWORD; to use no login, remove smtp.username"
            raise WrongKey("smtp.username", f"the password is missing; {remedy}")
        if password and _is_readable_on_the_way(info.data):
            raise WrongKey(
                "smtp.security",
                'the password would go unencrypted to another machine; set "starttls" or "tls",'
                " or remove the login",
            )
        if password and not username:
            raise WrongKey(
                "smtp.password_file" if file else "smtp.password", "smtp.username is missing; set it too"
            )
        return password


def _is_readable_on_the_way(known: dict[str, Any]) -> bool:
    host = known.get("host")
    return known.get("security") == "none" and host is not None and not is_loopback(host)


def _default_sender(known: dict[str, Any]) -> str:
    if _is_address(known["username"]):
        return str(known["username"])
    host = socket.gethostname()
    address = f"arxiv-digest@{host}"
    return address if "." in host and _is_address(address) else "arxiv-digest@localhost"

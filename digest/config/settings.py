"""All settings: the values of each key, and the rules between keys. `digest.config.loader` loads them.

The `description` of a field says what its value must be; error messages quote it.
"""

from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from digest.config.admin_settings import Admin
from digest.config.database_url import DatabaseUrl, parse_state
from digest.config.operator_settings import Log, Operator
from digest.config.os_errors import explain
from digest.config.parsing import (
    MOST_DISCOVERED,
    is_loopback,
    parse_address,
    parse_discover,
    parse_length,
    parse_time,
    parse_weekday,
    parse_zone,
)
from digest.config.secret_file import read_secret
from digest.config.section import Address, FilePath, Seconds, Section, Url, WrongKey, expanded_path, parse_url
from digest.config.smtp_settings import Smtp
from digest.config.transports import ALLOWED, missing_for, transport_name
from digest.config.web_settings import Web
from digest.model.digest import Length
from digest.model.paper import one_line

ARXIV_INTERVAL = timedelta(seconds=3)
"""The shortest time between two requests that arXiv's terms of use allow (info.arxiv.org/help/api/tou)."""

_STATES = "the path of the state file, or postgresql://USER@HOST/DATABASE"

DATABASE = "database"
"""The value of `subscribers` if their entries are in the database of the state."""

_A_DIRECTORY = 'the path of subscribers.toml, or "database"'


def _feed_url(value: str) -> str:
    """The address to which the name of an archive is added; for a bare host, that of its Atom feeds."""
    return parse_url(value) if urlsplit(value).path.strip("/") else f"{parse_url(value).rstrip('/')}/atom"


def _contact(value: str) -> str:
    return parse_url(value) if value.startswith(("http:", "https:")) else parse_address(value)


def _state(value: object) -> Path | DatabaseUrl:
    """The path of a file, or the address of a database."""
    if isinstance(value, Path | DatabaseUrl):
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be {_STATES}")  # noqa: TRY004 (pydantic reports a ValueError)
    return parse_state(value)


def _directory(value: object) -> object:
    if not isinstance(value, str | Path):
        raise ValueError(f"must be {_A_DIRECTORY}")  # noqa: TRY004 - a bad value in a file is not a bug
    return value if value == DATABASE else expanded_path(value)


Directory = Annotated[Path | Literal["database"], BeforeValidator(_directory)]


class Arxiv(Section):
    """`[arxiv]`: the interfaces of arXiv, and the limits for requests."""

    api_url: Url = Field(default="https://export.arxiv.org/api/query", description="an http or https address")
    oai_url: Url = Field(default="https://oaipmh.arxiv.org/oai", description="an http or https address")
    feed_url: Annotated[str, AfterValidator(_feed_url)] = Field(
        default="https://rss.arxiv.org/atom", description="an http or https address"
    )
    request_interval: Seconds = Field(
        default=ARXIV_INTERVAL,
        ge=timedelta(0),
        le=timedelta(hours=1),
        description="a number of seconds from 3 to 3600",
    )
    retry_pause: Seconds = Field(
        default=timedelta(seconds=30),
        ge=timedelta(0),
        le=timedelta(hours=1),
        description="a number of seconds from 0 to 3600",
    )
    lookback_days: int = Field(default=16, ge=14, le=365, description="a whole number of days from 14 to 365")
    contact: Annotated[str, AfterValidator(_contact)] | None = Field(
        default=None, description="a mail address, or an http or https address"
    )

    @field_validator("request_interval")
    @classmethod
    def _interval_is_allowed(cls, interval: timedelta, info: ValidationInfo) -> timedelta:
        urls = {key: info.data[key] for key in ("api_url", "oai_url", "feed_url") if key in info.data}
        foreign = {key: url for key, url in urls.items() if not is_loopback(urlsplit(url).hostname)}
        # A source with its default address is no problem: `interval_for` keeps 3 s for it.
        chosen = [f"arxiv.{key}" for key, url in foreign.items() if url != cls.model_fields[key].default]
        named = chosen or [f"arxiv.{key}" for key in foreign if len(foreign) == len(urls)]
        if interval < ARXIV_INTERVAL and named:
            raise ValueError(
                "must be a number of seconds from 3 to 3600, as arXiv's terms of use require;"
                f" a shorter time is only for loopback addresses, not for {', '.join(named)}"
            )
        return interval

    def interval_for(self, url: str) -> timedelta:
        """The time between two requests if the next goes to `url`: at least 3 s, except on loopback."""
        if is_loopback(urlsplit(url).hostname):
            return self.request_interval
        return max(self.request_interval, ARXIV_INTERVAL)


class Delivery(Section):
    """`[delivery]`: how mails are delivered."""

    transport: Annotated[str, AfterValidator(transport_name)] = Field(default="maildir", description=ALLOWED)
    maildir: FilePath = Field(default=Path("Maildir"), description="the path of a Maildir")
    workers: int | None = Field(default=None, ge=1, le=200, description="a whole number from 1 to 200")


class Mail(Section):
    """`[mail]`: the templates of a digest, and the contact for its subscribers."""

    contact: Address | None = Field(default=None, description="a mail address")
    templates: FilePath | None = Field(default=None, description="the path of a folder")

    @field_validator("templates")
    @classmethod
    def _folder_is_there(cls, folder: Path | None) -> Path | None:
        if folder is None:
            return None
        try:
            next(folder.iterdir(), None)
        except PermissionError as error:
            raise ValueError(f"it cannot be read: {explain(error, folder)}") from error
        except OSError:
            raise ValueError(f"must be the path of a folder; {folder} is not a folder") from None
        return folder


class Defaults(Section):
    """`[defaults]`: for subscribers who have no other value."""

    at: Annotated[time, BeforeValidator(parse_time)] = Field(default=time(7), description='"HH:MM"')
    timezone: Annotated[ZoneInfo, BeforeValidator(parse_zone)] = Field(
        default=ZoneInfo("UTC"), description="the name of a time zone"
    )
    weekly: Annotated[int | None, BeforeValidator(parse_weekday)] = Field(
        default=None, description="a weekday"
    )
    length: Annotated[Length, BeforeValidator(parse_length)] = Field(
        default="normal", description='"short", "normal" or "full"'
    )
    discover: Annotated[int, BeforeValidator(parse_discover)] = Field(
        default=0, description=f"a number of papers from 0 to {MOST_DISCOVERED}"
    )


def _channels(value: object) -> object:
    """Tables of channels, which `digest.channels.channel` reads; what is secret in them is never shown."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, dict) for one in value):
        raise ValueError("must be one table [[channel]], in double brackets, for each channel")
    return tuple(
        {
            key: SecretStr(text) if key in {"url", "secret"} and isinstance(text, str) else text
            for key, text in one.items()
        }
        for one in value
    )


class Settings(BaseSettings):
    """All settings, as `digest.config.loader.load_settings` returns them."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="DIGEST_",
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    subscribers: Directory = Field(description=_A_DIRECTORY)
    state_password_file: FilePath | None = Field(
        default=None, description="the path of a file that holds only the password"
    )
    state_password: SecretStr | None = Field(
        default=None, min_length=1, validate_default=True, description="text"
    )
    state: Annotated[Path | DatabaseUrl, BeforeValidator(_state)] = Field(description=_STATES)
    defaults: Defaults = Field(default_factory=Defaults, description="a table: [defaults]")
    smtp: Smtp = Field(default_factory=Smtp, description="a table: [smtp]")
    arxiv: Arxiv = Field(default_factory=Arxiv, validate_default=True, description="a table: [arxiv]")
    delivery: Delivery = Field(
        default_factory=Delivery, validate_default=True, description="a table: [delivery]"
    )
    mail: Mail = Field(default_factory=Mail, description="a table: [mail]")

    web: Web = Field(default_factory=Web, description="a table: [web]")
    admin: Admin = Field(default_factory=Admin, validate_default=True, description="a table: [admin]")
    operator: Operator = Field(default_factory=Operator, description="a table: [operator]")
    log: Log = Field(default_factory=Log, description="a table: [log]")
    channel: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_channels)] = Field(
        default=(), description="tables: [[channel]]"
    )

    @field_validator("state_password")
    @classmethod
    def _password_is_read(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        file = info.data.get("state_password_file")
        if file and password:
            raise WrongKey("state_password_file", "state_password is also set; use only one of the two")
        try:
            return SecretStr(read_secret(file)) if file else password
        except ValueError as error:
            raise WrongKey("state_password_file", str(error)) from error

    @field_validator("state")
    @classmethod
    def _state_has_its_password(cls, state: Path | DatabaseUrl, info: ValidationInfo) -> Path | DatabaseUrl:
        password = info.data.get("state_password")
        if password is None or isinstance(state, Path):
            return state
        if state.has_password:
            raise ValueError("has a password, and state_password_file or state_password too; use only one")
        return state.with_password(password.get_secret_value())

    @field_validator("admin")
    @classmethod
    def _admin_has_pages(cls, admin: Admin, info: ValidationInfo) -> Admin:
        web: Web | None = info.data.get("web")
        if admin.is_on and web is not None and web.base_url is None:
            key = "header" if admin.header else "issuer"
            raise WrongKey(f"admin.{key}", "needs web.base_url, the address of the pages")
        return admin

    @field_validator("arxiv")
    @classmethod
    def _contact_is_the_sender(cls, arxiv: Arxiv, info: ValidationInfo) -> Arxiv:
        smtp: Smtp | None = info.data.get("smtp")
        is_chosen = smtp is not None and ("sender" in smtp.model_fields_set or smtp.sender == smtp.username)
        if smtp is None or arxiv.contact is not None or not is_chosen:
            return arxiv
        return arxiv.model_copy(update={"contact": one_line(smtp.sender)})

    @field_validator("delivery")
    @classmethod
    def _delivery_is_settled(cls, delivery: Delivery, info: ValidationInfo) -> Delivery:
        smtp, state = info.data.get("smtp"), info.data.get("state")
        if smtp is None or state is None:
            return delivery
        if missing := missing_for(delivery.transport, info.data):
            raise WrongKey("delivery.transport", missing)
        chosen: dict[str, object] = {}
        if smtp.host and "transport" not in delivery.model_fields_set:
            chosen["transport"] = "smtp"
        if "maildir" not in delivery.model_fields_set and isinstance(state, Path):
            chosen["maildir"] = state.parent / "Maildir"
        return delivery.model_copy(update=chosen)

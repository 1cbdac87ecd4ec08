"""`[operator]` and `[log]`: the mails and the log for the person who runs `digest`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from digest.config.parsing import parse_address, parse_weekday
from digest.config.section import Section, parse_url

Format = Literal["text", "logfmt", "json"]


class Log(Section):
    """`[log]`: the log of `digest daemon`, `digest web` and `digest run`."""

    format: Format = Field(default="text", description='"text", "logfmt" or "json"')
    level: Literal["error", "warning", "info", "debug"] | None = Field(
        default=None, description='"error", "warning", "info" or "debug"'
    )
    addresses: bool = Field(default=False, description="true or false")


def _secret_url(value: SecretStr) -> SecretStr:
    """Never quotes it."""
    parse_url(value.get_secret_value())
    return value


class Operator(Section):
    """`[operator]`: who gets a mail if fetching fails, a weekly report, and a ping after each cycle."""

    email: Annotated[str, BeforeValidator(parse_address)] | None = Field(
        default=None, description="a mail address"
    )
    heartbeat: Annotated[int | None, BeforeValidator(parse_weekday)] = Field(
        default=None, description="a weekday"
    )
    ping_url: Annotated[SecretStr, AfterValidator(_secret_url)] | None = Field(
        default=None, description="an http or https address"
    )

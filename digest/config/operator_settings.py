"""`[operator]` and `[log]`: what the person who runs `digest` is told, and how."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from digest.config.parsing import parse_address, parse_weekday
from digest.config.web_settings import Section

Format = Literal["text", "logfmt", "json"]


class Log(Section):
    """`[log]`: the log of `digest daemon`, `digest web` and `digest run`."""

    format: Format = Field(default="text", description='"text", "logfmt" or "json"')
    level: Literal["error", "warning", "info", "debug"] | None = Field(
        default=None, description='"error", "warning", "info" or "debug"'
    )
    addresses: bool = Field(default=False, description="true or false")


class Operator(Section):
    """`[operator]`: who gets a mail if fetching fails, and a weekly report."""

    email: Annotated[str, BeforeValidator(parse_address)] | None = Field(
        default=None, description="a mail address"
    )
    heartbeat: Annotated[int | None, BeforeValidator(parse_weekday)] = Field(
        default=None, description="a weekday"
    )

"""The subscribers: their entries in a file or in the database, and the choices that they made online."""

from enum import StrEnum


class Form(StrEnum):
    """How entries are written for others."""

    TOML = "toml"
    CSV = "csv"

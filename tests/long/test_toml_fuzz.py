"""Very many damaged files: each is read, or refused with an error of ours, and soon."""

import time
from pathlib import Path

import pytest

from digest.config.loader import load_settings
from digest.config.settings import Defaults
from digest.errors import ConfigurationError
from digest.subscribers.entry_parser import load_subscribers
from tests.damage import damaged

pytestmark = pytest.mark.long

SETTINGS = b"""subscribers = "people.toml"
state = "digest.db"
[arxiv]
contact = "lab@example.org"
lookback_days = 16
[smtp]
host = "mail.example.org"
port = 587
security = "starttls"
username = "lab"
password = "secret"
sender = "digest@example.org"
messages_per_minute = 30
[web]
base_url = "https://digest.example.org"
listen = "127.0.0.1:8345"
trusted_proxies = ["127.0.0.1", "2001:db8::/32"]
[defaults]
at = "07:30"
timezone = "Europe/Berlin"
[operator]
email = "op@example.org"
heartbeat = "mon"
"""
PEOPLE = """[[subscriber]]
email = "ada@example.org"
name = "Ada Lovelace"
keywords = ["graph neural network", "=compiler", "ti:tea AND (cat:cs.LG OR au:\\"Jürgen Beispiel\\")"]
at = "07:00"
timezone = "Pacific/Auckland"
weekly = "fri"
length = "short"
exclude = ["survey"]
categories = ["cs.*", "math.CO"]
crosslists = false

[[subscriber]]
email = "bö@exämple.org"
keywords = ["optimiz*", { query = "reinforcement learning", name = "RL" }]
""".encode()
PIECES = (
    *(b"[" * 900, b"{a=" * 300, b"9" * 4_400, b"(" * 2_000, b"[[subscriber]]\n", b"1979-05-27T07:32:00Z"),
    *(
        b'"""',
        b"'",
        b"\\u0000",
        b"\xff",
        b"\r",
        b"\0",
        b"\xef\xbb\xbf",
        b"nan",
        b"0x7f",
        b"NOT ",
        b"*",
        b"=",
        b"\n",
    ),
)


def problems_of(path: Path) -> tuple[str, ...]:
    """None where the file can be used."""
    try:
        if path.name == "digest.toml":
            load_settings(path, {})
        else:
            load_subscribers(path, Defaults())
    except ConfigurationError as error:
        return error.problems or ("none",)
    return ()


@pytest.mark.parametrize(("name", "whole"), [("digest.toml", SETTINGS), ("subscribers.toml", PEOPLE)])
def test_no_damage_gives_anything_but_values_or_an_error_of_ours(
    tmp_path: Path, name: str, whole: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(whole)
    assert not problems_of(path)
    for seed in range(8_000):
        path.write_bytes(damaged([whole], PIECES, seed))
        began = time.process_time()
        assert "none" not in problems_of(path), seed
        assert time.process_time() - began < 2, seed

"""The address of a database: read as libpq reads it, and shown without its password."""

import pickle
from pathlib import Path

import pytest

from digest.config.database_url import DatabaseUrl, is_database, masked, parse_database, parse_state


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada@db.example.org/digest", "postgresql://ada@db.example.org/digest"),
        ("postgresql://ada:hush@db.example.org/digest", "postgresql://ada:***@db.example.org/digest"),
        ("postgres://ada:hu:sh@one,two:5433/digest", "postgres://ada:***@one,two:5433/digest"),
        ("postgresql:///digest?user=ada&password=hush", "postgresql:///digest?user=ada&password=***"),
        ("postgresql:///digest?sslpassword=hush&host=x", "postgresql:///digest?sslpassword=***&host=x"),
        ("postgresql://[::1]:5433/digest", "postgresql://[::1]:5433/digest"),
    ],
)
def test_what_is_shown_has_no_password(url: str, shown: str) -> None:
    state = parse_database(url)
    assert str(state) == f"{state}" == shown
    assert "hush" not in repr(state)
    assert "hu:sh" not in repr(state)
    assert state.url == url
    assert state.has_password == (url != shown)


def test_a_password_with_special_characters_is_added() -> None:
    state = DatabaseUrl("postgresql:///digest?host=/run").with_password("a&b c#%")
    assert state.url == "postgresql:///digest?host=/run&password=a%26b%20c%23%25"
    assert str(state) == "postgresql:///digest?host=/run"
    assert state.has_password
    assert "a&b" not in repr(state)
    assert pickle.loads(pickle.dumps(state)) == state


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:hu/sh@db/digest", "postgresql://ada:hu#sh@db/digest", "postgresql://ada:hu sh@db/x"],
)
def test_an_address_that_is_not_valid_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://USER@HOST/DATABASE") as refused:
        parse_database(url)
    assert "hu" not in str(refused.value)
    assert "sh@" not in masked(url)


def test_a_path_is_no_address() -> None:
    assert not is_database("digest.db")
    assert not is_database("postgresql.db")
    assert is_database("postgresql:///digest")


@pytest.mark.parametrize("text", ["mysql://ada@db/digest", "postgresq://ada:hush@db/digest", "http://db"])
def test_an_address_of_something_else_is_no_file(text: str) -> None:
    with pytest.raises(ValueError, match="path of a file, or postgresql://") as failure:
        parse_state(text)
    assert "hush" not in str(failure.value)
    assert parse_state("a/digest.db") == Path("a/digest.db")

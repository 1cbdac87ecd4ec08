"""Reading entry by entry says what reading the whole file says, or that it cannot."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.config.parsing import parse_toml
from digest.errors import ConfigurationError
from digest.subscribers.toml import NotSeparable, all_entries, read_entries

_PIECES = (
    "[[subscriber]]\n",
    "[[subscriber]]\r\n",
    " [[ subscriber ]] # with a note\n",
    '[["subscriber"]]\n',
    "[subscriber]\n",
    "[subscriber.at]\n",
    "[[subscriber.at]]\n",
    "[other]\n",
    "subscriber = []\n",
    "subscriber = [{ a = 1 }]\n",
    'email = "a@example.org"\n',
    'email = "a\\u0041"\n',
    'email = "\\"a\\\\ b\\""\n',
    'email = "a\tb"\n',
    'email = "a\x7fb"\n',
    'name = ""\n',
    'name = """\n',
    '"""\n',
    "name = '''\n",
    "'''\n",
    "name = '[[subscriber]]'\n",
    'keywords = ["a", "b \\" c",  "d" ]\n',
    'keywords = ["a","b"]\n',
    'keywords = ["a", "b",]\n',
    'keywords = ["a", { query = "b", name = "B" }]\n',
    "[[subscriber.keywords]]\nquery = 'b'\n",
    "keywords = []\n",
    "keywords = [\n",
    "]\n",
    '"a", # [[subscriber]]\n',
    "at = 07:30:00\n",
    "crosslists = false\n",
    "# a note\n",
    "\n",
    "\r",
    "=",
)


def read(text: str) -> list[dict[str, object]] | None:
    try:
        return list(read_entries(text))
    except NotSeparable:
        return None


@given(text=st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
@example('[[subscriber]]\nname = """\n[[subscriber]]\n"""\n')
@example("[[subscriber]]\nkeywords = [\n[[subscriber]]\n]\n")
@example("[[subscriber]]\n[other]\na = 1\n[[subscriber]]\n[other]\n")
@example("subscriber = [{ a = 1 }]\n[[subscriber]]\n")
@example('[[subscriber]]\nname = ""\nname = ""\n')
def test_what_is_read_entry_by_entry_is_what_the_whole_file_says(text: str) -> None:
    entries = read(text)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert entries is None
        return
    if entries is not None:
        assert tables == ({"subscriber": entries} if entries else {})


@pytest.mark.parametrize(
    "text",
    [
        "# all\n\n[[subscriber]]  # first\nemail = \"a\" # a note\n\n[[subscriber]]\nname = '''\nb'''\n",
        '[[subscriber]]\r\nemail = "a"\r\n[[subscriber]]\r\n',
        '[[subscriber]]\nemail = "a"',
        "",
        "# nobody yet\n",
    ],
)
def test_the_usual_forms_are_read_entry_by_entry(text: str) -> None:
    assert read(text) == tomllib.loads(text).get("subscriber", [])


@pytest.mark.parametrize(
    "text",
    [
        'subscriber = [{ email = "a" }]\n',
        '[["subscriber"]]\nemail = "a"\n',
        '[other]\n[[subscriber]]\nemail = "a"\n',
    ],
)
def test_other_forms_are_entangled_and_can_be_read_as_a_whole(text: str) -> None:
    assert read(text) is None
    assert all_entries(text, Path("who.toml")) == [{"email": "a"}]


def test_the_line_of_a_mistake_is_that_of_the_whole_file() -> None:
    text = '[[subscriber]]\nemail = "a"\n' * 3 + "email = b\n"
    with pytest.raises(ConfigurationError, match="line 7, column 9: Invalid value: text must be in quotes"):
        all_entries(text, Path("who.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\na = 2\n", "line 2, column 6: this key is set twice"),
        ("[smtp]\na = 1\n[smtp]\nb = 2\n", "line 3, column 6: the table [smtp] is there twice"),
        ("[a.b]\n[a.b]\n", "line 2, column 5: the table [a.b] is there twice"),
    ],
)
def test_what_is_there_twice_is_named_in_words_of_toml(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        parse_toml(text, Path("digest.toml"))

"""Signed values: whatever is sent, only what was signed for a purpose is read, and only in time."""

from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.web.signing import Signer
from tests.stores import NOW

SIGNER = Signer(b"a key of 32 bytes, as a state has")
LATER = NOW + timedelta(hours=1)
CONTENT = st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5)


@given(content=CONTENT, purpose=st.text(max_size=10))
def test_what_was_signed_is_read_again(content: dict[str, str], purpose: str) -> None:
    text = SIGNER.sign(purpose, content, until=LATER)
    assert text.isascii()
    if len(text) <= 2_000:
        assert SIGNER.read(purpose, text, now=NOW) == content
    assert SIGNER.read(purpose, text, now=LATER) is None
    assert SIGNER.read(purpose + "x", text, now=NOW) is None
    assert Signer(b"another").read(purpose, text, now=NOW) is None


@example(content={}, place=-1, letter="A")
@given(content=CONTENT, place=st.integers(min_value=0), letter=st.characters())
def test_what_was_changed_is_not_read(content: dict[str, str], place: int, letter: str) -> None:
    text = SIGNER.sign("admin", content, until=LATER)
    place %= len(text)
    changed = text[:place] + letter + text[place + 1 :]
    assert SIGNER.read("admin", changed, now=NOW) is None or letter == text[place]


@pytest.mark.parametrize(("other", "bits"), [("+/", "-_"), ("\n" * 4, ""), ("=", "")])
def test_another_text_for_the_same_bytes_is_not_read(other: str, bits: str) -> None:
    """A decoder of base64 takes other letters for the same bits, and skips what is no letter."""
    text = SIGNER.sign("admin", {"a": "ÿÿÿ¿¿¿" * 9}, until=LATER)
    changed = text.translate(str.maketrans(bits, other)) if bits else text + other
    assert changed != text
    assert urlsafe_b64decode(changed + "===").startswith(urlsafe_b64decode(text + "===")[:-1])
    assert SIGNER.read("admin", changed, now=NOW) is None


@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_anything_else_is_nothing(text: str) -> None:
    assert SIGNER.read("admin", text, now=NOW) is None


@given(one=st.text(max_size=20), other=st.text(max_size=20), text=st.text(max_size=20))
def test_secrets_of_different_purposes_differ(one: str, other: str, text: str) -> None:
    assert (SIGNER.derive(one, text) == SIGNER.derive(other, text)) == (one == other)

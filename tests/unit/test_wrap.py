"""The text part stands in lines of 72 columns, whatever script it is written in."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.rendering.wrap import wrapped


def columns(line: str) -> int:
    return sum(
        0
        if unicodedata.category(c) in {"Mn", "Me"}
        else 2
        if unicodedata.east_asian_width(c) in {"W", "F"}
        else 1
        for c in line
    )


@pytest.mark.parametrize(
    "text",
    [
        "word " * 60,
        "深度学习与图神经网络" * 20,
        "Deep 深度 learning 学习 " * 20,
        "🚀 " * 60,
        "e\u0301" * 300,
        "x" * 500,
    ],
)
@pytest.mark.parametrize("indents", [(), ("  ",), ("     3  ", "        ")])
def test_no_line_is_wider_than_72_columns_and_nothing_is_lost(text: str, indents: tuple[str, ...]) -> None:
    lines = wrapped(text.strip(), *indents).split("\n")
    assert max(map(columns, lines)) <= 72
    assert "".join("".join(lines).split()) == "".join("".join((*indents[:1], text)).split())
    assert all(line.startswith((indents or ("",))[-1]) for line in lines[1:])


@given(text=st.text(st.sampled_from("ab c-é深🚀\u0301."), min_size=1, max_size=300))
def test_every_letter_stays_in_its_order(text: str) -> None:
    joined = wrapped(" ".join(text.split()) or "a", "  ")
    assert "".join(joined.split()) == ("".join(text.split()) or "a")


def test_a_mark_stays_with_its_letter() -> None:
    lines = wrapped("深\u0301" * 100).split("\n")
    assert not any(unicodedata.combining(line[0]) for line in lines)


def test_a_web_address_is_never_cut() -> None:
    address = "https://example.org/" + "code/" * 20
    assert f"  {address}" in wrapped(f"see {address} for more", "  ").split("\n")

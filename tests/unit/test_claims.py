"""The short abstract: the sentence that says what the paper claims, and the one that matched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.rendering.claims import excerpt
from digest.mail.rendering.richtext import converted, joined, to_html
from digest.mail.rendering.sentences import sentences
from digest.mail.rendering.tex.spans import as_text

BACKGROUND = "Rivers have been drawn on maps for a long time, and nobody knows how long each of them is."
MORE = "Older ways to measure them need a boat, a rope and a person who has nothing else to do all day."
CLAIM = "We propose a rule that gives the length of a river from its map in $O(n^2)$ steps."
TESTS = "Tests on forty rivers of all continents agree with what was measured by boats in the past."
END = "This may help those who draw new maps."
WHOLE = f"{BACKGROUND} {MORE} {CLAIM} {TESTS} {END}"


def shown(text: str, *words: str) -> str:
    return as_text(excerpt(converted(text), words))


def test_the_claim_is_shown_alone() -> None:
    assert shown(WHOLE) == "We propose a rule that gives the length of a river from its map in O(n²) steps."


def test_the_sentence_that_matched_is_shown_too_in_its_order() -> None:
    claim = as_text(converted(CLAIM))
    assert shown(WHOLE, "boat") == f"{MORE} {claim}"
    assert shown(WHOLE, "continents") == f"{claim} {TESTS}"
    assert shown(WHOLE, "help") == f"{claim} … {END}"
    assert shown(WHOLE, "Rivers") == f"{BACKGROUND} … {claim}"


def test_a_claim_that_matched_is_enough() -> None:
    assert shown(WHOLE, "river") == shown(WHOLE)
    assert shown(WHOLE, "nowhere") == shown(WHOLE)


def test_of_two_claims_the_one_that_matched_is_shown() -> None:
    other = "We show that a boat, a rope and a person are needed for no river that is on a map already."
    assert shown(f"{BACKGROUND} {CLAIM} {other} {END}", "boat") == other
    assert shown(f"{BACKGROUND} {CLAIM} {other} {END}").startswith("We propose")


def test_scripts_and_marks_are_kept() -> None:
    pieces = excerpt(converted(WHOLE), ("map",))
    assert to_html(pieces, ("map",)).endswith("<b>map</b> in <i>O</i>(<i>n</i><sup>2</sup>) steps.")


def test_a_short_abstract_stays_whole() -> None:
    short = f"{BACKGROUND} {END}"
    assert shown(short) == short
    assert shown("") == ""


def test_without_a_claim_the_first_sentence_is_shown() -> None:
    assert shown(f"{BACKGROUND} {MORE} {END}", "rope") == f"{BACKGROUND} {MORE}"
    assert shown(f"{BACKGROUND} {MORE} {END}") == BACKGROUND


@pytest.mark.parametrize(
    "claim",
    [
        "In this paper, a rule for the length of rivers is introduced, with all that it needs to work.",
        "This work presents a rule for the length of rivers, with all that it needs to work on a map.",
        "Here we show that the length of a river is found on its map, which nobody believed before.",
        "It is shown that the length of each river can be found on its map by one rule alone.",
        "Our results show that the length of each river can be found on its map by one rule alone.",
        "The authors establish that the length of each river can be found on its map by one rule.",
        "To close this gap, we therefore develop a rule for rivers, and prove that it is always right.",
    ],
)
def test_a_claim_has_many_forms(claim: str) -> None:
    assert shown(f"{BACKGROUND} {MORE} {claim} {END}") == claim


def test_what_is_proposed_is_shown_rather_than_what_is_studied_or_was_done_before() -> None:
    before = "In previous work, we showed that the length of some rivers can be found on the map alone."
    studied = "We study the length of all other rivers, with many maps, in winter as well as in summer."
    assert shown(f"{before} {studied} {CLAIM} {END}") == as_text(converted(CLAIM))


def test_a_very_long_claim_ends_after_its_main_clause() -> None:
    start = "We propose a rule for the length of all rivers that are drawn on a map of any size"
    claim = f"{start}, which {' and '.join(['is as good as a boat'] * 12)}."
    assert shown(f"{BACKGROUND} {claim}") == f"{start} …"


def test_a_matched_word_is_shown_also_if_its_sentence_is_very_long() -> None:
    start = "We propose a rule for the length of all rivers that are drawn on a map of any size"
    claim = (
        f"{start}, which {' and '.join(['is as good as a boat'] * 6)}, while others need a rope; so it is."
    )
    assert "others need a rope" in shown(f"{BACKGROUND} {claim}", "rope")


@given(
    st.lists(st.sampled_from([BACKGROUND, MORE, CLAIM, TESTS, END]), min_size=1),
    st.sampled_from(["boat", "a"]),
)
def test_only_whole_sentences_in_their_order(parts: list[str], word: str) -> None:
    text = joined(converted(" ".join(parts)))
    whole = [text[start:end] for start, end in sentences(text)]
    found = joined(excerpt(converted(" ".join(parts)), (word,)))
    assert found == text or all(
        one in whole for piece in found.split(" … ") for one in (piece[a:b] for a, b in sentences(piece))
    )


@given(st.text(max_size=600))
def test_any_text_has_a_short_form(text: str) -> None:
    assert len(joined(excerpt(converted(text), ("a",)))) <= len(joined(converted(text))) + 6


def test_a_text_without_punctuation_is_shown_up_to_a_length() -> None:
    assert len(shown("we propose a rule for rivers " * 40).split()) < 60

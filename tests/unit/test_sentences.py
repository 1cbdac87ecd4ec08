"""A sentence ends where a careful reader ends it. The texts are invented."""

import time

import pytest

from digest.mail.rendering.sentences import sentences

NEXT = "We prove it."


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "sentence",
    [
        "The bound of Miller et al. is not sharp.",
        "Miller et al. (2021) and Okoye et al. [3] disagree.",
        "Some tasks, e.g. Translation, and others, i.e. Parsing, are hard.",
        "See Fig. 3, Eq. (2), Sec. IV and Ref. [7] for all of it.",
        "The results of J. R. Smith and A.-M. Okoye hold, cf. Theorem 2.",
        "Data from the U.S. Department of Rivers are used here.",
        "It is a question of Dr. Okoye, Prof. Lim, Ms. Day vs. Mr. Hill.",
        "The value of α is 0.15 at v. 2 of the code, approx. 3 times more.",
        "Here λ (that is, the rate. It is small) grows without any bound.",
        "The code is at https://example.org/a.b?c=D. and elsewhere, too.",
        "A sum a_1 + ... + a_n is bounded by a constant for all n.",
        "The words Wow! and Why? are seldom in an abstract of a paper.",
        "It appeared in Phys. Rev. Lett. 12 (2019) and in Commun. Math. Phys. 3.",
        "We use three parts: 1. a model, 2. a loss and 3. a proof.",
        "The factor n! = n(n-1)! is never small for a large n.",
        "Let x be i.i.d. Gaussian, and let y be a version of it.",
    ],
)
def test_what_ends_no_sentence(sentence: str) -> None:
    assert split(f"{sentence} {NEXT}") == [sentence, NEXT]


@pytest.mark.parametrize(
    "sentence",
    [
        "Is there a bound for all of them?",
        "We answer a question of Miller et al.",
        "The rate is a constant that depends on A.",
        "We study graphs, trees, etc.",
        "It holds for all x in [0, 1).",
        "It holds (and this is new.)",
        "They call this “the bound.”",
        "The map is onto ℝ.",
        "It was found in the U.S.",
        "It takes less than 5 ms.",
        "This was done in 2019.",
        "It is faster by 40%.",
    ],
)
def test_what_ends_a_sentence(sentence: str) -> None:
    assert split(f"{sentence} {NEXT}") == [sentence, NEXT]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("  One of two.  Two of two. ", ["One of two.", "Two of two."]),
        ("No full stop at all", ["No full stop at all"]),
        (
            "Aims. We want a bound. Results. There is one.",
            ["Aims. We want a bound.", "Results. There is one."],
        ),
        ("There is no blank.We add one to it.", ["There is no blank.", "We add one to it."]),
        (
            "It fails for dynamic graphs. polyTree mends that.",
            ["It fails for dynamic graphs.", "polyTree mends that."],
        ),
        ("It costs too much. we propose a way.", ["It costs too much.", "we propose a way."]),
    ],
)
def test_sentences_are_what_is_between_the_ends(text: str, parts: list[str]) -> None:
    assert split(text) == parts


@pytest.mark.parametrize("unit", [".", "(", ". ", "A. ", "a.B", "...", "(.) ", "“"])
def test_nonsense_takes_time_in_proportion(unit: str) -> None:
    began = time.process_time()
    sentences(unit * (6_000 // len(unit)))
    # Some thirty times what it takes.
    assert time.process_time() - began < 3

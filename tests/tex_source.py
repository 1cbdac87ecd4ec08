"""Random TeX as strangers may type it: the commands that the converter knows, nested, cut off, mixed up."""

import random

from hypothesis import strategies as st

from digest.mail.rendering.tex import math, symbols

_OTHERS = (
    "cite emph url href footnote texorpdfstring begin end item enquote SI ion aa o ss i H c v d foo unknown"
)
NAMES: tuple[str, ...] = tuple(
    sorted(
        {
            *math._COMMANDS,
            *symbols._OURS,
            *symbols.FUNCTIONS,
            *symbols.SHORTHANDS,
            *symbols.DECLARATIONS,
            *symbols.TEXTS,
            *symbols.UNSEEN,
            *symbols.BLANKS,
            *symbols.SIZES,
            *_OTHERS.split(),
        }
    )
)
"""All that the converter treats by name."""

SIGNS: tuple[str, ...] = (
    *"{}$^_ \n~[]&'\"|=+-,.()1ax\\#%\0É☃²٣א𝔸ı",
    *("$$", "\\(", "\\)", "\\[", "\\]", "\\\\", "--", "``", "''", "`", "{}", "3.5", "word ", "\u0301"),
    *("{equation}", "{array}", "https://x.example/a", "C:\\folder", "\\over", "\\sqrt[", "\\unicode{x41}"),
)
PAIRS: tuple[tuple[str, str], ...] = (
    *(
        ("{", "}"),
        ("$", "$"),
        ("\\(", "\\)"),
        ("$$", "$$"),
        ("[", "]"),
        ("\\left(", "\\right)"),
        ("``", "''"),
    ),
    *(
        (f"\\{name}{{", "}")
        for name in ("text", "mbox", "not", "mathrel", "hat", "substack", "frac", "overset")
    ),
    ("\\begin{equation}", "\\end{equation}"),
    ("{\\em ", "}"),
)
_AFTER = ("", "", "{}", " ", "{", "{{}}", "{ }", "{a}{b}", "^", "_")


def random_tex(seed: int) -> str:
    """The same for the same seed."""
    return _tex(random.Random(seed), 0)


def _tex(chance: random.Random, depth: int) -> str:
    return "".join(_piece(chance, depth) for _ in range(chance.randrange(1, 8)))


def _piece(chance: random.Random, depth: int) -> str:
    kind = chance.random()
    if kind < 0.3:
        return chance.choice(SIGNS)
    if kind < 0.65 or depth == 5:
        return f"\\{chance.choice(NAMES)}{chance.choice(_AFTER)}"
    opening, closing = chance.choice(PAIRS)
    return opening + _tex(chance, depth + 1) + closing


TEX = st.integers(0, 2**64).map(random_tex)

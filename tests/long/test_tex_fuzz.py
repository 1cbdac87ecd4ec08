"""Much random TeX, and TeX repeated without end: the converter answers, and soon."""

import time

import pytest
from hypothesis import HealthCheck, given, settings

from digest.mail.rendering.tex import prose
from digest.mail.rendering.tex.spans import as_text
from tests.tex_source import NAMES, PAIRS, SIGNS, TEX

pytestmark = pytest.mark.long

LONGEST = 6_000
"""What is shown of an abstract, in characters."""

UNITS = (
    *SIGNS,
    *(f"\\{name}{after}" for name in NAMES for after in ("", "{")),
    *(pair[0] for pair in PAIRS),
    *(
        "$\\text{",
        "${",
        "`a",
        "\\not\\",
        "\\substack{\\text{$",
        "a_{",
        "\\text{\\(",
        "\\href{a}{",
        "a b\n\n$",
    ),
)


@settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=TEX)
def test_the_converter_raises_at_no_tex(source: str) -> None:
    for written in (source, f"${source}$", f"so ${source} $ is"):
        as_text(prose.converted(written))


def test_repeated_tex_takes_bounded_time() -> None:
    slow = []
    for unit in UNITS:
        many = (unit * (LONGEST // len(unit)))[:LONGEST]
        closed = unit * (LONGEST // 2 // (len(unit) + 1)) + "a" + "}" * (LONGEST // 2 // (len(unit) + 1))
        for written in (many, f"${closed}$"):
            began = time.process_time()
            as_text(prose.converted(written))
            if time.process_time() - began > 2:  # the slowest takes a tenth of a second
                slow.append(unit)
    assert not slow

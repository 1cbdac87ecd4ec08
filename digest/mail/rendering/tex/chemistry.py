r"""Formulas of the package mhchem: `\ce{SO4^2- + H2O}` is SO₄²⁻ + H₂O."""

import re

from digest.mail.rendering.tex.spans import Script, Span, Spans, joined

_ARROWS = {
    "<=>>": "⇌", "<<=>": "⇌", "<=>": "⇌", "<-->": "↔", "<->": "↔", "->": "→", "<-": "←", "-->": "→",
    "=>": "⇒",
}  # fmt: skip
_PART = re.compile(
    r"(?P<arrow><=>>|<<=>|<=>|<-->|<->|-->|->|<-|=>)(?P<labels>(?:\[[^\]]*\]){0,2})"
    r"|(?P<script>[\^_])\s?(?:\{(?P<braced>[^{}]*)\}|(?P<plain>\d*[+-]?|[A-Za-z*•]))"
    r"|(?<=[A-Za-z)\]}])(?P<count>\d+(?![\d.]*/))"
    r"|(?<=[A-Za-z0-9)\]}])(?P<charge>[+-])(?=$|[\s)\]},;])"
    r"|(?<=[A-Za-z0-9)\]])\s?(?P<dot>[.*])\s?(?=[A-Z0-9(])"
    r"|(?P<bond>[=#])|(?P<math>\$[^$]*\$)|(?P<group>[{}])"
)
_MINUS = str.maketrans("-", "−")


def formula(source: str) -> Spans:
    """The spans of the formula; what is no chemistry stays as it is written."""
    found: list[Span] = []
    at = 0
    for part in _PART.finditer(source):
        found.append(Span(source[at : part.start()]))
        at = part.end()
        if part["arrow"]:
            label = part["labels"].strip("[]").replace("][", ", ")
            found += [Span(" " + _ARROWS[part["arrow"]]), Span(label, Script.SUPER), Span(" ")]
        elif part["script"]:
            script = Script.SUPER if part["script"] == "^" else Script.SUB
            found.append(Span((part["braced"] or part["plain"] or "").strip("$ ").translate(_MINUS), script))
        elif part["count"]:
            found.append(Span(part["count"], Script.SUB))
        elif part["charge"]:
            found.append(Span(part["charge"].translate(_MINUS), Script.SUPER))
        elif part["dot"]:
            found.append(Span("·"))
        elif part["bond"]:
            found.append(Span("≡" if part["bond"] == "#" else "="))
        elif part["math"]:
            found.append(Span(part["math"].strip("$")))
    found.append(Span(source[at:]))
    return _single_blanks(joined(found))


def _single_blanks(spans: Spans) -> Spans:
    text = [Span(re.sub(r"\s+", " ", span.text), span.script) for span in spans]
    return joined(
        [
            Span(
                span.text.lstrip() if place and text[place - 1].text.endswith(" ") else span.text, span.script
            )
            for place, span in enumerate(text)
        ]
    )

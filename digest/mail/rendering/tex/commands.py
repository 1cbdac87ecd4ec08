"""The commands for text, which take arguments in braces: `\\emph{…}`, `\\cite{…}`, `\\href{…}{…}`."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from digest.mail.rendering.tex import symbols
from digest.mail.rendering.tex.chemistry import formula
from digest.mail.rendering.tex.spans import Script, Span, Spans, Style, as_text, hung, styled
from digest.mail.rendering.tex.units import angle, number, quantity, units

Command = Callable[[str], Spans | None]
"""Reads the arguments of the command with that name; `None` if they are missing."""

DEEPEST = 8
"""The depth of nested groups of words that is still read."""

ESCAPED = re.compile(r"\\([_%#&~])")
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_CITED_LINE = (
    "cite citep citet citealt citealp citeauthor citeyear citeyearpar citenum citetext citetalias citepalias "
    "citefullauthor citen cites onlinecite parencite textcite autocite footcite fullcite supercite smartcite "
    "shortcite nocite label ref cref vref pageref nameref eqref autoref fref"
)
_CITED = frozenset([*_CITED_LINE.split(), *map(str.capitalize, _CITED_LINE.split())])
_OPTION = re.compile(r"\s?\[(?P<option>(?:[^\[\]{}\n]|\{[^{}\n]*\}){0,200})\]")
_BARE_KEY = re.compile(r"\s?[A-Za-z][A-Za-z0-9:+-]*")
_VERBATIM = re.compile(r"\*?(?P<sign>[^\sA-Za-z0-9*{}\\])(?P<text>.{1,200}?)(?P=sign)", re.DOTALL)
_SHORT = {
    "ie": "i.e.", "eg": "e.g.", "Ie": "I.e.", "Eg": "E.g.", "etal": "et al.", "etc": "etc.", "wrt": "w.r.t.",
    "aka": "a.k.a.", "iid": "i.i.d.",
}  # fmt: skip
"""What many authors define as commands."""

_LENGTH = re.compile(r"\s*=?\s*[-+]?\d*\.?\d+\s?(?:em|ex|pt|mm|cm|in|mu|baselineskip|\\baselineskip)\b")
_ROWS = frozenset(
    f"{name}{star}"
    for name in ("cases", "dcases", "rcases", "array", "tabular", "matrix", "pmatrix", "bmatrix", "Bmatrix")
    for star in ("", "*")
) | frozenset(
    (
        "vmatrix",
        "Vmatrix",
        "smallmatrix",
        "psmallmatrix",
        "aligned",
        "split",
        "gathered",
        "tikzcd",
        "tikzpicture",
        "CD",
    )
)
_DISPLAYS = frozenset(
    f"{name}{star}" for name in ("equation", "align", "gather", "multline", "eqnarray") for star in ("", "*")
) | {"displaymath", "math"}


class Words(ABC):
    """A source that is read from `_at` on; each command moves `_at` to the end of what it has read.

    `repeated` are pieces that were omitted because the text already has them.
    """

    def __init__(self, source: str, depth: int) -> None:
        self._source = source
        self._depth = depth
        self._closed = _partners(source)
        self._at = 0
        self._opened = ""
        self._absent: set[str] = set()
        self.repeated: list[str] = []
        self._commands: dict[str, Command] = {
            **dict.fromkeys(symbols.TEXTS, self._styled_words),
            **dict.fromkeys(_CITED, self._cited),
            "ion": self._two_words,
            **dict.fromkeys(("SI", "qty", "num", "si", "unit", "ang"), self._quantity),
            **dict.fromkeys(
                ("SIrange", "qtyrange", "numrange", "SIlist", "qtylist", "numlist"), self._quantities
            ),
            **dict.fromkeys(("ce", "cee"), self._chemistry),
            **dict.fromkeys(("verb", "lstinline"), self._verbatim),
            **dict.fromkeys(("hspace", "vspace", "phantom", "hphantom", "vphantom"), self._unset),
            "hyperref": self._last_of_two,
            "enquote": lambda _: self._between("“", "”"),
            "footnote": lambda _: self._between(" (", ")"),
            "textsuperscript": lambda _: self._hung(Script.SUPER),
            "textsubscript": lambda _: self._hung(Script.SUB),
            "url": lambda _: self._address(),
            "href": lambda _: self._link(),
            "texorpdfstring": lambda _: self._first_of_two(),
            "textcolor": lambda _: self._second_of_two(),
            "color": self._unset,
            "begin": self._environment,
            "end": self._environment,
            "item": lambda _: self._item(),
            **dict.fromkeys(("vskip", "hskip", "kern", "parskip", "parindent"), lambda _: self._length()),
            **{name: partial(self._short, shown) for name, shown in _SHORT.items()},
        }

    @abstractmethod
    def pieces(self, start: int, end: int) -> list[Span]:
        """The spans from `start` to `end`. Sets `_at` to `end`."""

    @abstractmethod
    def _maths(self, inner: str, written: str) -> Spans:
        """`inner` as maths; `written` if it cannot be read."""

    @abstractmethod
    def _maths_up_to(self, closing: str, part: str) -> Spans:
        """The maths between `part` and `closing`."""

    def _inside(self, start: int, end: int) -> Spans:
        """The spans between two places; continues after the second one, which is a brace or a quote."""
        if self._depth > DEEPEST:
            inner = [Span(self._source[start:end])]
        else:
            self._depth += 1
            inner = self.pieces(start, end)
            self._depth -= 1
        self._at = end + 1
        return tuple(inner)

    def _skip_blank(self) -> None:
        if self._source.startswith("{}", self._at):
            self._at += 2
        elif self._source[self._at : self._at + 1].isspace():
            self._at += 1

    def _group(self) -> tuple[int, int] | None:
        """The start and the end of the content of the braced group at `_at`."""
        end = self._closed.get(self._at)
        return None if end is None else (self._at + 1, end)

    def _words(self, _: str) -> Spans | None:
        start = self._at
        if self._source[self._at : self._at + 1].isspace():
            self._at += 1
        group = self._group()
        if group is None:
            self._at = start
            return None
        return self._inside(*group)

    def _styled_words(self, name: str) -> Spans | None:
        words = self._words(name)
        return words if words is None else styled(words, symbols.STYLES.get(name, Style.NONE))

    def _between(self, opening: str, closing: str) -> Spans | None:
        group = self._group()
        return (Span(opening), *self._inside(*group), Span(closing)) if group else None

    def _cited(self, name: str) -> Spans | None:
        """`[key, Theorem 2]`: the keys, with the notes before and after them."""
        start = self._at
        options = self._options()
        keys = self._plain()
        if keys is None and options and (bare := _BARE_KEY.match(self._source, self._at)):
            keys, self._at = bare[0], bare.end()
        if keys is None:
            self._at = start
            return None
        after = self._at
        before, note = [(), *[self._inside(*option) for option in options]][-2:] if options else ((), ())
        self._at = after
        listed = ", ".join(key.strip() for key in keys.split(","))
        if name == "eqref":
            return (Span(f"({listed})"),)
        opening = (Span("["), *before, Span(" ")) if before else (Span("["),)
        return (*opening, Span(listed), *((Span(", "), *note) if note else ()), Span("]"))

    def _hung(self, script: Script) -> Spans | None:
        group = self._group()
        return hung(self._inside(*group), script) if group else None

    def _plain(self) -> str | None:
        """The source of the group at `_at`, without TeX's escapes."""
        group = self._group()
        if group is None:
            return None
        self._at = group[1] + 1
        return ESCAPED.sub(r"\1", self._source[group[0] : group[1]])

    def _address(self) -> Spans | None:
        address = self._plain()
        return None if address is None else (Span(address),)

    def _link(self) -> Spans | None:
        start = self._at
        address = self._plain()
        text = self._words("")
        if address is None or text is None:
            self._at = start
            return None
        shown = as_text(text)
        if "." in shown and address.rstrip("/").endswith(shown.rstrip("/")):
            self.repeated.append(shown)
            return (Span(address),)
        return (*text, Span(f" ({address})"))

    def _two_words(self, _: str) -> Spans | None:
        start = self._at
        first = self._words("")
        second = self._words("")
        if first is None or second is None:
            self._at = start
            return None
        return (*first, Span(" "), *second)

    def _first_of_two(self) -> Spans | None:
        first = self._words("")
        if first is not None:
            self.repeated.append(self._plain() or "")
        return first

    def _second_of_two(self) -> Spans | None:
        return None if self._plain() is None else self._words("")

    def _unset(self, _: str) -> Spans | None:
        if self._source.startswith("*", self._at):
            self._at += 1
        is_read = self._plain() is not None
        if is_read and self._source[self._at - 1 : self._at + 1].endswith(("} ", "}\n")):
            self._at += 1
        return () if is_read else None

    def _last_of_two(self, _: str) -> Spans | None:
        return self._words("") if self._options() else self._second_of_two()

    def _options(self) -> list[tuple[int, int]]:
        """The places of the optional arguments in square brackets at `_at`, which are read."""
        if self._source.startswith("*", self._at):
            self._at += 1
        found: list[tuple[int, int]] = []
        while len(found) < 2 and (option := _OPTION.match(self._source, self._at)):
            found.append(option.span("option"))
            self._at = option.end()
        return found

    def _quantity(self, name: str) -> Spans | None:
        """A number, a unit, or both, as in siunitx."""
        start = self._at
        self._options()
        arguments = [self._plain() for _ in range(2 if name in ("SI", "qty") else 1)]
        if None in arguments:
            self._at = start
            return None
        first, last = arguments[0] or "", arguments[-1] or ""
        tex = {"num": number, "ang": angle, "si": units, "unit": units}
        return self._maths(
            tex[name](first) if name in tex else quantity(first, last),
            self._source[start - len(name) - 1 : self._at],
        )

    def _quantities(self, name: str) -> Spans | None:
        """A range or a list of numbers, with a unit."""
        start = self._at
        self._options()
        parts = [self._plain() for _ in range(1 + ("range" in name) + ("num" not in name))]
        if None in parts:
            self._at = start
            return None
        unit = "" if "num" in name else rf"\,{units(parts.pop() or '')}"
        amounts = (parts[0] or "").split(";") if "list" in name else [part or "" for part in parts]
        joint = "–" if "range" in name else ", "
        return self._maths(
            joint.join(map(number, amounts)) + unit, self._source[start - len(name) - 1 : self._at]
        )

    def _item(self) -> Spans:
        options = self._options()
        if not options:
            return (Span("•"),)
        after = self._at
        label = self._inside(*options[-1])
        self._at = after
        return label

    def _length(self) -> Spans | None:
        found = _LENGTH.match(self._source, self._at)
        if not found:
            return None
        self._at = found.end()
        return (Span(" "),)

    def _short(self, shown: str, _: str) -> Spans:
        """An abbreviation, whose last full stop some authors write themselves."""
        if self._source.startswith("{}", self._at):
            self._at += 2
        return (Span(shown.removesuffix(".") if self._source.startswith(".", self._at) else shown),)

    def _chemistry(self, _: str) -> Spans | None:
        source = self._plain()
        return None if source is None else formula(source)

    def _verbatim(self, _: str) -> Spans | None:
        found = _VERBATIM.match(self._source, self._at)
        if not found:
            return self._words("")
        self._at = found.end()
        return (Span(found["text"]),)

    def _environment(self, name: str) -> Spans | None:
        start = self._at
        kind = self._plain()
        if kind in _ROWS and name == "begin":
            return self._as_written(kind, start - len(r"\begin"))
        if kind in _DISPLAYS and name == "begin":
            return self._maths_up_to(f"\\end{{{kind}}}", f"\\begin{{{kind}}}")
        if kind is not None:
            return ()
        self._at = start
        return None

    def _as_written(self, kind: str, start: int) -> Spans | None:
        """Rows and columns, which no line of text can show."""
        end, depth = self._at, 1
        for found in re.compile(rf"\\(begin|end)\{{{re.escape(kind)}\}}").finditer(self._source, self._at):
            depth += 1 if found[1] == "begin" else -1
            if not depth:
                end = found.end()
            if not 0 < depth <= DEEPEST:
                break
        self._at = end
        return (Span(self._source[start:end]),)


def _partners(source: str) -> dict[int, int]:
    opened: list[int] = []
    closed: dict[int, int] = {}
    for brace in BRACE.finditer(source):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closed[opened.pop()] = brace.start()
    return closed

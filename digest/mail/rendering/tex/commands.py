"""The commands for text, which take arguments in braces: `\\emph{…}`, `\\cite{…}`, `\\href{…}{…}`."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from digest.mail.rendering.tex import symbols
from digest.mail.rendering.tex.spans import Script, Span, Spans, Style, as_text, hung, styled

Command = Callable[[str], Spans | None]
"""Reads the arguments of the command with that name; `None` if they are missing."""

DEEPEST = 8
"""The depth of nested groups of words that is still read."""

ESCAPED = re.compile(r"\\([_%#&~])")
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_CITED_LINE = "cite citep citet citealt citealp citeauthor citeyear ref cref Cref eqref autoref label"
_CITED = frozenset(_CITED_LINE.split())
_LISTS = frozenset(
    ("itemize", "enumerate", "description", "center", "quote", "quotation", "abstract", "flushleft")
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
            **dict.fromkeys(("ion", "SI", "qty"), self._two_words),
            "enquote": lambda _: self._between("“", "”"),
            "footnote": lambda _: self._between(" (", ")"),
            "textsuperscript": lambda _: self._hung(Script.SUPER),
            "textsubscript": lambda _: self._hung(Script.SUB),
            "url": lambda _: self._address(),
            "href": lambda _: self._link(),
            "texorpdfstring": lambda _: self._first_of_two(),
            "textcolor": lambda _: self._second_of_two(),
            "color": lambda _: self._unset(),
            "begin": self._environment,
            "end": self._environment,
            "item": lambda _: (Span("•"),),
        }

    @abstractmethod
    def pieces(self, start: int, end: int) -> list[Span]:
        """The spans from `start` to `end`. Sets `_at` to `end`."""

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
        if self._source[self._at : self._at + 1].isspace():
            self._at += 1
        group = self._group()
        return self._inside(*group) if group else None

    def _styled_words(self, name: str) -> Spans | None:
        words = self._words(name)
        return words if words is None else styled(words, symbols.STYLES.get(name, Style.NONE))

    def _between(self, opening: str, closing: str) -> Spans | None:
        group = self._group()
        return (Span(opening), *self._inside(*group), Span(closing)) if group else None

    def _cited(self, name: str) -> Spans | None:
        keys = self._plain()
        if keys is None:
            return None
        return (Span(f"({keys})" if name == "eqref" else f"[{keys}]"),)

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

    def _unset(self) -> Spans | None:
        return None if self._plain() is None else ()

    def _environment(self, name: str) -> Spans | None:
        start = self._at
        kind = self._plain()
        if kind in _LISTS:
            return ()
        if kind in _DISPLAYS and name == "begin":
            return self._maths_up_to(f"\\end{{{kind}}}", f"\\begin{{{kind}}}")
        self._at = start
        return None


def _partners(source: str) -> dict[int, int]:
    opened: list[int] = []
    closed: dict[int, int] = {}
    for brace in BRACE.finditer(source):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closed[opened.pop()] = brace.start()
    return closed

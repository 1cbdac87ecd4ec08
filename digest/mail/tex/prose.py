"""Words with TeX among them as spans: maths between dollar signs, quotes, dashes, ties, groups.

What authors give arXiv is plain text as often as TeX, so each sign counts as TeX only where it cannot
well be meant as it stands: `$5`, `--flag`, `~42%`, `snake_case` and `{0,1}` stay.
"""

import re
from collections.abc import Callable, Mapping

from digest.mail.tex import maths, symbols
from digest.mail.tex.letters import MARKS
from digest.mail.tex.pieces import Script, Span, Spans, as_text, joined
from digest.mail.tex.reading import Unreadable, survives
from digest.mail.tex.signs import (
    accent,
    double_quote,
    is_group,
    is_maths,
    is_single_quoted,
    shown_dashes,
    shown_tie,
)
from digest.mail.tex.spacing import Kind, kind_of

_DEEPEST = 8
_SPECIAL = re.compile(
    r"(?P<address>(?:https?://|ftp://|\bwww\.)(?:[^\s{}<>\"$\\^'`]|\\[_%#&~])+)"
    r"|(?P<path>\b[A-Za-z]:\\[A-Za-z][\w.\\-]*+(?![{^$]))"
    r"|(?P<name>\\[A-Za-z]+)|(?P<sign>\\.)"
    r"|(?P<dollars>\$\$?)|(?P<brace>\{)|(?P<script>\^|_(?=\{))"
    r"|(?P<quotes>``|''|`|\")|(?P<dashes>--+)|(?P<tie>~)",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\([_%#&~])")
_DOLLAR = re.compile(r"\\.|\$", re.DOTALL)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE_SCRIPT = re.compile(r"[-+−]?\d+(?:\.\d+)?(?![\w^])|[-+−]?\d+(?=[A-Za-z]\b)|[^\W\d_](?![\w^])|\*(?!\*)")
_SIGN_OR_COMMAND = re.compile(r"\s?(\\(?:[A-Za-z]+|.)|[^\s{}\\$])")
_LETTER_LINE = "aa AA ae AE oe OE o O l L ss SS i j dh DH dj DJ th TH ng NG"
_LETTERS = frozenset(_LETTER_LINE.split())
_ARITY: Mapping[str, int] = (
    dict.fromkeys((*symbols.ALPHABETS, *MARKS, *symbols.PAIRS, *symbols.SIZES), 1)
    | dict.fromkeys(("sqrt", "operatorname", "not", "unicode", "substack", "xrightarrow"), 1)
    | dict.fromkeys(("frac", "tfrac", "dfrac", "nicefrac", "binom", "stackrel", "overset", "underset"), 2)
)
_CITED_LINE = "cite citep citet citealt citealp citeauthor citeyear ref cref Cref eqref autoref label"
_CITED = frozenset(_CITED_LINE.split())
_LISTS = frozenset(
    ("itemize", "enumerate", "description", "center", "quote", "quotation", "abstract", "flushleft")
)
_DISPLAYS = frozenset(
    f"{name}{star}" for name in ("equation", "align", "gather", "multline", "eqnarray") for star in ("", "*")
) | {"displaymath", "math"}


def converted(source: str, depth: int = 0) -> Spans:
    """Words as spans; what is not understood stays as it is written."""
    if depth > _DEEPEST:
        return (Span(source),)
    reader = _Reader(source, depth)
    spans = joined(reader.pieces(0, len(source)))
    return (
        spans
        if survives(source, "".join([*(span.text for span in spans), *reader.repeated]))
        else joined((Span(source),))
    )


class _Reader:
    """Reads on from `_at`; the readers of one sign each leave it behind what they took.

    `repeated` is what was left out because it stands there already.
    """

    def __init__(self, source: str, depth: int) -> None:
        self._source = source
        self._depth = depth
        self._closed = _partners(source)
        self._at = 0
        self._opened = ""
        self._absent: set[str] = set()
        self.repeated: list[str] = []
        self._readers: Mapping[str, Callable[[str, int], Spans]] = {
            "address": lambda part, _: (Span(_ESCAPED.sub(r"\1", part)),),
            "path": lambda part, _: (Span(part),),
            "name": self._name,
            "sign": self._sign,
            "dollars": self._dollars,
            "brace": self._brace,
            "script": self._script,
            "quotes": self._quotes,
            "dashes": lambda part, start: (Span(shown_dashes(part, *self._around(start))),),
            "tie": self._tie,
        }
        self._commands: Mapping[str, Callable[[str], Spans | None]] = {
            **dict.fromkeys(symbols.TEXTS, self._words),
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

    def pieces(self, start: int, end: int) -> list[Span]:
        found: list[Span] = []
        self._at = start
        while self._at < end:
            special = _SPECIAL.search(self._source, self._at, end)
            if not special:
                found.append(Span(self._source[self._at : end]))
                break
            found.append(Span(self._source[self._at : special.start()]))
            self._at = special.end()
            found.extend(self._readers[special.lastgroup or ""](special[0], special.start()))
        self._at = end
        return found

    def _around(self, start: int) -> tuple[str, str]:
        """The characters before `start` and after what was read, empty where there is none."""
        return self._source[start - 1 : start] if start else "", self._source[self._at : self._at + 1]

    def _inside(self, start: int, end: int) -> Spans:
        """What stands between two places; goes on behind the second one, which is a brace or a quote."""
        if self._depth > _DEEPEST:
            inner = [Span(self._source[start:end])]
        else:
            self._depth += 1
            inner = self.pieces(start, end)
            self._depth -= 1
        self._at = end + 1
        return tuple(inner)

    # Signs

    def _sign(self, part: str, start: int) -> Spans:
        character = part[1]
        if character in "([":
            closing = "\\)" if character == "(" else "\\]"
            return self._maths_up_to(closing, part)
        if found := accent(self._source, start):
            letter, self._at = found
            return (Span(letter),)
        if part == "\\^" and self._source.startswith("{}", self._at):
            self._at += 2
            return (Span("^"),)
        _, after = self._around(start)
        if part == "\\\\":
            return (Span("" if after.isspace() or not after else part),)
        if character in symbols.BLANKS:
            return (Span(" "),)
        if character in symbols.UNSEEN:
            return ()
        return (Span(symbols.symbol(character) or part),)

    def _dollars(self, part: str, start: int) -> Spans:
        if part == "$$":
            return self._maths_up_to("$$", part)
        tries = 0
        for found in _DOLLAR.finditer(self._source, self._at):
            if found[0] != "$":
                continue
            inner = self._source[self._at : found.start()]
            tries += 1
            # Dollar signs within \text{…} are inside braces.
            if _BRACE.sub(_only_braces, inner).count("{") > inner.count("}") and tries < 4:
                continue
            if not is_maths(inner, self._source[found.end() : found.end() + 1]):
                break
            self._at = found.end()
            return self._maths(inner, self._source[start : self._at])
        return (Span(part),)

    def _brace(self, part: str, start: int) -> Spans:
        end = self._closed.get(start)
        if end is None:
            return (Span(part),)
        before, after = self._source[start - 1 : start] if start else "", self._source[end + 1 : end + 2]
        if not is_group(self._source[start + 1 : end], before, after):
            return (Span(part),)
        return self._inside(start + 1, end)

    def _script(self, part: str, start: int) -> Spans:
        before, _ = self._around(start)
        if not (before.isalnum() or before in (")", "]", "}", "*", "|")):
            return (Span(part),)
        if self._at in self._closed:
            self._at = self._closed[self._at] + 1
            source = self._source[start : self._at]
            return self._maths(source, source)
        bare = _BARE_SCRIPT.match(self._source, self._at)
        if not bare:
            return (Span(part),)
        self._at = bare.end()
        return (Span(bare[0], Script.SUPER),)

    def _quotes(self, part: str, start: int) -> Spans:
        before, after = self._around(start)
        if part == "`":
            end = is_single_quoted(self._source, start)
            return (Span("‘"), *self._inside(start + 1, end), Span("’")) if end else (Span(part),)
        shown, self._opened = double_quote(part, self._opened, before, after)
        return (Span(shown),)

    def _tie(self, _: str, start: int) -> Spans:
        return (Span(shown_tie(self._source, start)),)

    # Maths

    def _maths_up_to(self, closing: str, part: str) -> Spans:
        start = self._at
        end = -1 if closing in self._absent else self._source.find(closing, start)
        if end < 0:
            self._absent.add(closing)
            return (Span(part),)
        inner = self._source[start:end]
        if not inner.strip():
            return (Span(part),)
        self._at = end + len(closing)
        return self._maths(inner, self._source[start - len(part) : self._at])

    def _maths(self, inner: str, written: str) -> Spans:
        """`inner` as maths, or what is written where that cannot be read or would lose something."""
        try:
            spans = maths.converted(inner, lambda words: converted(words, self._depth + 1))
        except Unreadable:
            return (Span(written),)
        return spans if survives(inner, "".join(span.text for span in spans)) else (Span(written),)

    # Commands

    def _name(self, part: str, start: int) -> Spans:
        name = part[1:]
        if found := accent(self._source, start):
            letter, self._at = found
            return (Span(letter),)
        if name in self._commands:
            spans = self._commands[name](name)
            return (Span(part),) if spans is None else spans
        if name in symbols.DECLARATIONS or name in symbols.UNSEEN:
            self._skip_blank()
            return ()
        if name in symbols.BLANKS:
            return (Span(" "),)
        if name in _LETTERS:
            self._skip_blank()
            return (Span(symbols.symbol(name) or part),)
        is_known = name in _ARITY or name in symbols.FUNCTIONS or name in symbols.SHORTHANDS
        if is_known or symbols.symbol(name) is not None:
            return self._bare_maths(name, start)
        return self._unknown(part, start)

    def _bare_maths(self, name: str, start: int) -> Spans:
        """A command of maths that stands among words, with its arguments and scripts."""
        before, after = self._around(start)
        self._at = self._extent(name, 0)
        written = self._source[start : self._at]
        spans = self._maths(written.removesuffix("{}"), written)
        is_relation = kind_of(symbols.symbol(name) or " ") is Kind.RELATION
        return (
            (Span(" "), *spans)
            if is_relation and after.isspace() and not (before + " ")[0].isspace()
            else spans
        )

    def _extent(self, name: str, depth: int) -> int:
        """Where a command ends that was read up to here."""
        at = self._at
        if name == "sqrt" and self._source.startswith("[", at):
            at = self._source.find("]", at, at + 20) + 1 or at
        for _ in range(_ARITY.get(name, 0)):
            at = self._behind_argument(at, depth)
        while self._source[at : at + 1] in ("^", "_"):
            at = self._behind_argument(at + 1, depth)
        return at + 2 if self._source.startswith("{}", at) else at

    def _behind_argument(self, at: int, depth: int) -> int:
        if at in self._closed:
            return self._closed[at] + 1
        found = _SIGN_OR_COMMAND.match(self._source, at)
        if not found:
            return at
        if found[1][0] != "\\" or depth > _DEEPEST:
            return found.end()
        self._at = found.end()
        return self._extent(found[1][1:], depth + 1)

    def _unknown(self, part: str, start: int) -> Spans:
        """Its one argument; else all as it is written."""
        first = self._group()
        if first is None:
            return (Span(part),)
        self._at = first[1] + 1
        if self._group() is not None:
            while (another := self._group()) is not None:
                self._at = another[1] + 1
            return (Span(self._source[start : self._at]),)
        return self._inside(*first) if first[0] < first[1] else (Span(part),)

    def _skip_blank(self) -> None:
        if self._source.startswith("{}", self._at):
            self._at += 2
        elif self._source[self._at : self._at + 1].isspace():
            self._at += 1

    def _group(self) -> tuple[int, int] | None:
        """Where the content of the braced group here begins and ends."""
        end = self._closed.get(self._at)
        return None if end is None else (self._at + 1, end)

    def _words(self, _: str) -> Spans | None:
        if self._source[self._at : self._at + 1].isspace():
            self._at += 1
        group = self._group()
        return self._inside(*group) if group else None

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
        return (Span(as_text(self._inside(*group)), script),) if group else None

    def _plain(self) -> str | None:
        """The source of the group here, without what TeX escapes."""
        group = self._group()
        if group is None:
            return None
        self._at = group[1] + 1
        return _ESCAPED.sub(r"\1", self._source[group[0] : group[1]])

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
    for brace in _BRACE.finditer(source):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closed[opened.pop()] = brace.start()
    return closed


def _only_braces(found: re.Match[str]) -> str:
    return "" if found[0][0] == "\\" else found[0]

"""Converts maths in TeX to spans: the commands, with a short method for each form of arguments."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace

from digest.mail.rendering.tex import symbols
from digest.mail.rendering.tex.atoms import ROW_END, Atom, Kind
from digest.mail.rendering.tex.fractions import bracketed, fraction
from digest.mail.rendering.tex.letters import MARKS, Alphabet, marked
from digest.mail.rendering.tex.reader import Reader, Words
from digest.mail.rendering.tex.spacing import kind_for, single_blanks, spaced
from digest.mail.rendering.tex.spans import Script, Span, Spans, Style, as_text, hung
from digest.mail.rendering.tex.tokens import Unreadable

_NEGATION = "\u0338"
_LAYOUTS = frozenset(
    f"{name}{star}"
    for name in ("equation", "align", "aligned", "split", "gather", "gathered", "multline", "eqnarray")
    for star in ("", "*")
)
_FRACTIONS = ("frac", "tfrac", "dfrac", "cfrac", "nicefrac", "sfrac")
_OVER = {"stackrel": Script.SUPER, "overset": Script.SUPER, "underset": Script.SUB}
_WORDY_LINE = (
    "href url cite citep citet ref eqref cref texorpdfstring footnote textsuperscript textsubscript ce cee "
    "SI qty num si unit ang SIrange qtyrange numrange SIlist qtylist numlist ion"
)
_WORDY = _WORDY_LINE.split()
_CASES = ("cases", "dcases", "rcases")
_LEFT_BRACE = re.compile(
    r"\\left\s*\\\{\s*\\begin\{array\}\s*(?:\{[^{}]*\})?(.*?)\\end\{array\}\s*\\right\s*\.", re.DOTALL
)
_LENGTH = re.compile(r"\s?[-+]?\d+(?:\.\d+)?\s?(?:mu|pt|em|ex|mm|cm)")
_ROW_END = re.compile(r"\\\\(?:\s*\[[^\]]*\])?")
_TWO_BETWEEN = {
    "ketbra": ("|", "⟩⟨", "|"), "dyad": ("|", "⟩⟨", "|"), "comm": ("[", ", ", "]"), "acomm": ("{", ", ", "}"),
    "commutator": ("[", ", ", "]"), "anticommutator": ("{", ", ", "}"), "innerproduct": ("⟨", "|", "⟩"),
    "inner": ("⟨", ", ", "⟩"), "innerp": ("⟨", ", ", "⟩"), "poissonbracket": ("{", ", ", "}"),
}  # fmt: skip
_ARROWS = {
    "xrightarrow": "→", "xleftarrow": "←", "xmapsto": "↦", "xhookrightarrow": "↪", "xhookleftarrow": "↩",
    "xleftrightarrow": "↔", "xRightarrow": "⇒", "xLeftarrow": "⇐", "xLeftrightarrow": "⇔", "xlongequal": "=",
    "xrightharpoonup": "⇀", "xrightharpoondown": "⇁", "xrightleftharpoons": "⇌", "xtwoheadrightarrow": "↠",
}  # fmt: skip


def converted(source: str, words: Words) -> Spans:
    """The maths between two dollar signs. Raises `Unreadable` if it should be shown as it is written."""
    if "array" in source:
        source = _LEFT_BRACE.sub(r"\\begin{cases}\1\\end{cases}", source)
    return spaced(_Reader(source, words).whole())


class _Reader(Reader):
    """The commands of maths. Each method reads the arguments of the command whose name it gets."""

    def _command(self, name: str) -> Atom | None:
        if name in _COMMANDS:
            return _COMMANDS[name](self, name)
        if name in symbols.UNSEEN or name in ("(", ")", "[", "]"):
            return None
        if name in symbols.BLANKS:
            return Atom((Span(" "),), Kind.BLANK)
        if name in symbols.SIZES:
            return self._sized()
        if name in symbols.DECLARATIONS:
            return self._declared(name)
        if name in symbols.SHORTHANDS:
            return Atom(converted(symbols.SHORTHANDS[name], self._words))
        if name in symbols.FUNCTIONS:
            return self._named_function(name)
        character = symbols.symbol(name)
        if character is None:
            return self._unknown(name)
        if name == "colon":
            return Atom((Span(":"),), Kind.PUNCTUATION, is_named=True)
        kind = Kind.RELATION if name == "mid" else kind_for(character[0])
        return Atom((self._set(character),), kind, is_named=True)

    def _named_function(self, name: str) -> Atom:
        """Its name, and the arguments that an author's own definition puts into brackets: `\\Gr{V}{k}`."""
        shown = Span(symbols.symbol(name) or name)
        end = self._closed.get(self._at)
        if end is None or end + 1 not in self._closed:
            return Atom((shown,), Kind.FUNCTION)
        found = [shown]
        while self._at in self._closed:
            found += [Span("(" if len(found) == 1 else ","), *self._in_line(self._argument())]
        return Atom((*found, Span(")")))

    def _unknown(self, name: str) -> Atom:
        """Its one argument; else its name, if that may be an acronym; else the command as it is written."""
        if self._at in self._closed:
            self._refuse_two_groups(name)
            atoms = self._argument()
            if atoms and name.isupper():
                return Atom((Span(f"{name}("), *self._in_line(atoms), Span(")")))
            if atoms:
                return Atom(self._in_line(atoms))
        if name.isupper() and name.isalpha():
            return Atom((Span(name),))
        is_before_letter = "".join(self._tokens[self._at : self._at + 2]).strip()[:1].isalpha()
        return Atom((Span(f"\\{name}{' ' if is_before_letter else ''}"),))

    def _refuse_two_groups(self, name: str) -> None:
        end = self._closed.get(self._at)
        if end is not None and end + 1 in self._closed:
            raise Unreadable(f"the arguments of {name}")

    def _declared(self, name: str) -> Atom | None:
        """Applies to the rest of the group; `\\cal O(n)` outside of a group applies to one letter only."""
        alphabet = symbols.DECLARATIONS[name]
        self._skip_blanks()
        is_plain = alphabet in (None, Alphabet.UPRIGHT)
        is_for_one = self._end == len(self._tokens) and not is_plain and alphabet is not Alphabet.BOLD
        if self._at in self._closed or (is_for_one and self._at < self._end):
            return self._with(alphabet)
        if self._at >= self._end and not is_plain:
            return self._unknown(name)
        self._alphabet = alphabet
        return None

    def _in_alphabet(self, name: str) -> Atom:
        return self._with(symbols.ALPHABETS[name])

    def _with(self, alphabet: Alphabet | None) -> Atom:
        outer, self._alphabet = self._alphabet, alphabet
        atoms = self._argument()
        self._alphabet = outer
        if len(atoms) == 1:
            return atoms[0]
        return Atom(self._in_line(atoms))

    def _text(self, name: str) -> Atom:
        self._skip_blanks()
        if self._at not in self._closed:
            return self._with(Alphabet.UPRIGHT)
        end = self._closed[self._at]
        source = "".join(self._tokens[self._at + 1 : end])
        self._at = end + 1
        return Atom(self._words(source))

    def _marked(self, name: str) -> Atom:
        spans = self._in_line(self._argument())
        if any("\\" in span.text for span in spans):
            return self._last_marked(spans, MARKS[name])
        has_letters = any(character.isalnum() for span in spans for character in span.text)
        return Atom(
            tuple(
                replace(span, text=marked(span.text, MARKS[name], has_letters=has_letters))
                if span.script is Script.NONE
                else span
                for span in spans
            )
        )

    def _last_marked(self, spans: Spans, mark: str) -> Atom:
        """The mark on what follows an unknown command."""
        last = spans[-1]
        if last.script is not Script.NONE or not last.text[-1:].isalnum() or last.text.startswith("\\"):
            raise Unreadable("an accent on an unknown command")
        return Atom(
            (*spans[:-1], replace(last, text=last.text[:-1] + marked(last.text[-1], mark, has_letters=True)))
        )

    def _function(self, _: str) -> Atom:
        outer, self._alphabet = self._alphabet, Alphabet.UPRIGHT
        atoms = self._argument()
        self._alphabet = outer
        return Atom(self._in_line(atoms), Kind.FUNCTION)

    def _fraction(self, _: str) -> Atom:
        above = self._argument()
        return fraction(above, self._argument(), is_close=self._is_script)

    def _general_fraction(self, _: str) -> Atom:
        """`\\genfrac{(}{)}{0pt}{}{n}{k}`: brackets, a line that is none for 0pt, and a size."""
        opening, closing, line, _size = (self._plain_argument() for _ in range(4))
        above, below = self._argument(), self._argument()
        if line.strip().startswith("0"):
            inner: Spans = (*self._in_line(above), Span(" choose "), *self._in_line(below))
        else:
            inner = fraction(above, below, is_close=self._is_script).spans
        return Atom((Span(opening.strip("\\")), *inner, Span(closing.strip("\\"))))

    def _prescript(self, _: str) -> Atom:
        above, below, base = self._argument(), self._argument(), self._argument()
        raised = hung(spaced(above, is_close=True), Script.SUPER)
        return Atom((*raised, *hung(spaced(below, is_close=True), Script.SUB), *self._in_line(base)))

    def _skipped(self, _: str) -> None:
        """A length, as in `\\kern-3pt` and `\\mspace{2mu}`."""
        if self._at in self._closed:
            self._plain_argument()
        ahead = "".join(self._tokens[self._at : self._at + 5])
        if found := _LENGTH.match(ahead):
            left = len(found[0])
            while left > 0:
                left -= len(self._tokens[self._at])
                self._at += 1

    def _binomial(self, name: str) -> Atom:
        above, below = self._argument(), self._argument()
        added = (Span("q", Script.SUB, Style.VARIABLE),) if name == "qbinom" else ()
        return Atom(
            (Span("("), *self._in_line(above), Span(" choose "), *self._in_line(below), Span(")"), *added)
        )

    def _root(self, _: str) -> Atom:
        degree: Spans = ()
        self._skip_blanks()
        if self._tokens[self._at : self._at + 1] == ["["]:
            end = next((at for at in range(self._at, len(self._tokens)) if self._tokens[at] == "]"), None)
            if end is None:
                raise Unreadable("a bracket without its partner")
            self._at += 1
            degree = spaced(self._atoms(end), is_close=True)
            self._at = end + 1
        self._skip_blanks()
        inner = (
            bracketed(self._argument(), is_below=True, is_close=self._is_script)
            if self._at < self._end
            else ()
        )
        return Atom((*hung(degree, Script.SUPER), Span("√"), *inner))

    def _one_over_another(self, name: str) -> Atom:
        script, base = self._argument(), self._argument()
        added = hung(spaced(script, is_close=True), _OVER[name])
        kind = base[0].kind if len(base) == 1 else Kind.PLAIN
        return Atom((*self._in_line(base), *added), kind, is_named=True)

    def _arrow(self, name: str) -> Atom:
        below: Spans = ()
        if self._tokens[self._at : self._at + 1] == ["["] and "]" in self._tokens[self._at :]:
            end = self._tokens.index("]", self._at)
            self._at += 1
            below = hung(spaced(self._atoms(end), is_close=True), Script.SUB)
            self._at = end + 1
        label = hung(spaced(self._argument(), is_close=True), Script.SUPER)
        return Atom((Span(_ARROWS[name]), *below, *label), Kind.RELATION, is_named=True)

    def _pair(self, name: str) -> Atom:
        opening, closing = symbols.PAIRS[name.removesuffix("*")]
        apart = " " if name == "pmod" else ""
        return Atom((Span(apart + opening), *self._in_line(self._argument()), Span(closing)))

    def _sized(self) -> Atom | None:
        """The bracket after `\\left` and similar; a full stop means no bracket."""
        self._skip_blanks()
        if self._tokens[self._at : self._at + 1] == ["."]:
            self._at += 1
        return None

    def _negated(self, _: str) -> Atom:
        negated = self._argument()
        spans = self._in_line(negated)
        if not spans:
            raise Unreadable("nothing to negate")
        text = unicodedata.normalize("NFC", f"{spans[0].text}{_NEGATION}")
        return Atom((replace(spans[0], text=text), *spans[1:]), negated[0].kind, is_named=True)

    def _environment(self, name: str) -> Atom | None:
        kind = self._plain_argument()
        if kind.rstrip("*") in _CASES and name == "begin":
            return self._cases(kind)
        if kind not in _LAYOUTS:
            raise Unreadable("rows and columns")
        return None

    def _cases(self, kind: str) -> Atom:
        """The cases in a row: `{1 if x > 0; 0 otherwise}`."""
        at = self._at
        while at < len(self._tokens) and self._tokens[at] != "\\end":
            if self._tokens[at] == "\\begin":
                raise Unreadable("rows and columns in cases")
            at += 1
        rows = "".join(self._tokens[self._at : at])
        self._at = at + 1
        if self._plain_argument() != kind:
            raise Unreadable("cases without their end")
        found: list[Span] = [Span("{")]
        for row in filter(str.strip, _ROW_END.split(rows)):
            found += [Span("; ")] if len(found) > 1 else []
            found += self._row(row.rstrip().rstrip(",;."))
        return Atom((*found, Span("}." if rows.rstrip().endswith(".") else "}")))

    def _row(self, source: str) -> list[Span]:
        found: list[Span] = []
        for cell in filter(str.strip, source.split("&")):
            reader = _Reader(cell, self._words)
            reader._depth = self._depth
            spans = spaced(reader.whole())
            if found and spans and _ends_value(found[-1]) and not _is_wordy(spans[0]):
                found.append(Span(","))
            found += [Span(" "), *spans] if found else spans
        return [*single_blanks(found)]

    def _paired(self, name: str) -> Atom:
        """Two arguments between signs, as `\\ketbra{a}{b}`, which is |a⟩⟨b|."""
        opening, joint, closing = _TWO_BETWEEN[name]
        first, last = self._in_line(self._argument()), self._in_line(self._argument())
        return Atom((Span(opening), *first, Span(joint), *last, Span(closing)))

    def _derivative(self, name: str) -> Atom:
        """`\\dv{f}{x}`, and `\\dv{x}` for the operator."""
        sign = Atom((Span("∂" if name == "pdv" else "d"),))
        above = self._argument()
        if self._at not in self._closed:
            return fraction([sign], [sign, *above], is_close=self._is_script)
        return fraction([sign, *above], [sign, *self._argument()], is_close=self._is_script)

    def _tag(self, _: str) -> Atom:
        return Atom((Span(" ("), *self._words(self._plain_argument()), Span(")")))

    def _lines(self, _: str) -> Atom:
        return Atom((Span(", ".join(self._line(line) for line in self._plain_argument().split("\\\\"))),))

    def _line(self, source: str) -> str:
        reader = _Reader(source, self._words)
        reader._depth = self._depth
        return as_text(spaced(reader.whole(), is_close=True))

    def _coloured(self, name: str) -> Atom | None:
        self._plain_argument()
        return self._with(self._alphabet) if name == "textcolor" else None

    def _unset(self, _: str) -> Atom:
        self._plain_argument()
        return Atom((Span(" "),), Kind.BLANK)

    def _character(self, name: str) -> Atom:
        code = self._plain_argument().strip().lower()
        try:
            character = chr(int(code[1:], 16) if code.startswith("x") else int(code))
        except (ValueError, OverflowError) as error:
            raise Unreadable(f"no character {code}") from error
        if not character.isprintable():
            raise Unreadable(f"no character to be seen: {code}")
        return Atom((Span(character),), kind_for(character))

    def _as_words(self, name: str) -> Atom:
        """A command for text, with its arguments."""
        start = self._at
        if self._tokens[self._at : self._at + 1] == ["["] and "]" in self._tokens[self._at :]:
            self._at = self._tokens.index("]", self._at) + 1
        while self._at in self._closed:
            self._at = self._closed[self._at] + 1
        return Atom(self._words("".join((f"\\{name}", *self._tokens[start : self._at]))))


_COMMANDS: Mapping[str, Callable[[_Reader, str], Atom | None]] = {
    **dict.fromkeys(_FRACTIONS, _Reader._fraction),
    **dict.fromkeys(("binom", "dbinom", "tbinom", "qbinom"), _Reader._binomial),
    **dict.fromkeys(symbols.ALPHABETS, _Reader._in_alphabet),
    **dict.fromkeys(symbols.TEXTS, _Reader._text),
    **dict.fromkeys(MARKS, _Reader._marked),
    **dict.fromkeys(("operatorname", "operatorname*"), _Reader._function),
    **dict.fromkeys(_OVER, _Reader._one_over_another),
    **dict.fromkeys(_ARROWS, _Reader._arrow),
    **dict.fromkeys([f"{name}{star}" for name in symbols.PAIRS for star in ("", "*")], _Reader._pair),
    **dict.fromkeys(("bmod", "mod"), lambda reader, name: Atom((Span("mod"),), Kind.FUNCTION)),
    "sqrt": _Reader._root,
    "\\": lambda reader, name: ROW_END,
    "genfrac": _Reader._general_fraction,
    "prescript": _Reader._prescript,
    **dict.fromkeys(("kern", "mkern", "hskip", "mskip", "mspace"), _Reader._skipped),
    "tag": _Reader._tag,
    "phantom": _Reader._unset,
    "hphantom": _Reader._unset,
    "vphantom": _Reader._unset,
    "vspace": _Reader._unset,
    **dict.fromkeys(_TWO_BETWEEN, _Reader._paired),
    **dict.fromkeys(("dv", "pdv"), _Reader._derivative),
    "not": _Reader._negated,
    "begin": _Reader._environment,
    "end": _Reader._environment,
    "substack": _Reader._lines,
    "textcolor": _Reader._coloured,
    "color": _Reader._coloured,
    "hspace": _Reader._unset,
    "unicode": _Reader._character,
    **dict.fromkeys(_WORDY, _Reader._as_words),
}


def _is_wordy(span: Span) -> bool:
    """Whether a condition begins with a word, such as `if`, or with a relation."""
    word = span.text.lstrip()
    return word[:1] in ("=", "<", ">", "≤", "≥", "≠", ",", ";", "∼") or (
        span.style is Style.NONE and word[:2].isalpha() and word[:2].isascii()
    )


def _ends_value(span: Span) -> bool:
    """Whether a comma may follow: not after a word or a sign."""
    text = span.text.strip()
    is_word = span.style is Style.NONE and len(text) > 1 and text.isalpha() and text.isascii()
    return bool(text) and (text[-1].isalnum() or text[-1] in ")]}") and not is_word

"""Converts maths in TeX to spans: the commands, with a short method for each form of arguments."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace

from digest.mail.rendering.tex import symbols
from digest.mail.rendering.tex.atoms import Atom, Kind
from digest.mail.rendering.tex.fractions import bracketed, fraction
from digest.mail.rendering.tex.letters import MARKS, Alphabet, marked
from digest.mail.rendering.tex.reader import Reader, Words
from digest.mail.rendering.tex.spacing import kind_for, spaced
from digest.mail.rendering.tex.spans import Script, Span, Spans, as_text, hung
from digest.mail.rendering.tex.tokens import Unreadable

_NEGATION = "\u0338"
_LAYOUTS = frozenset(
    f"{name}{star}"
    for name in ("equation", "align", "aligned", "split", "gather", "gathered", "multline", "eqnarray")
    for star in ("", "*")
)
_FRACTIONS = ("frac", "tfrac", "dfrac", "cfrac", "nicefrac", "sfrac")
_OVER = {"stackrel": Script.SUPER, "overset": Script.SUPER, "underset": Script.SUB}
_WORDY = ("href", "url", "cite", "ref", "eqref", "texorpdfstring", "footnote", "textsuperscript")
_ARROWS = {"xrightarrow": "→", "xleftarrow": "←", "xmapsto": "↦", "xhookrightarrow": "↪"}


def converted(source: str, words: Words) -> Spans:
    """The maths between two dollar signs. Raises `Unreadable` if it should be shown as it is written."""
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
            self._refuse_two_groups(name)
            return Atom((Span(symbols.symbol(name) or name),), Kind.FUNCTION)
        character = symbols.symbol(name)
        if character is None:
            return self._unknown(name)
        if name == "colon":
            return Atom((Span(":"),), Kind.PUNCTUATION, is_named=True)
        kind = Kind.RELATION if name == "mid" else kind_for(character[0])
        return Atom((self._set(character),), kind, is_named=True)

    def _unknown(self, name: str) -> Atom:
        """Its one argument; else its name, if that may be an acronym; else the command as it is written."""
        if self._at in self._closed:
            self._refuse_two_groups(name)
            atoms = self._argument()
            if atoms and name.isupper():
                return Atom((Span(f"{name}("), *spaced(atoms), Span(")")))
            if atoms:
                return Atom(spaced(atoms))
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
        return Atom(spaced(atoms))

    def _text(self, name: str) -> Atom:
        self._skip_blanks()
        if self._at not in self._closed:
            return self._with(Alphabet.UPRIGHT)
        end = self._closed[self._at]
        source = "".join(self._tokens[self._at + 1 : end])
        self._at = end + 1
        return Atom(self._words(source))

    def _marked(self, name: str) -> Atom:
        spans = spaced(self._argument())
        if any("\\" in span.text for span in spans):
            raise Unreadable("an accent on an unknown command")
        return Atom(
            tuple(
                replace(span, text=marked(span.text, MARKS[name])) if span.script is Script.NONE else span
                for span in spans
            )
        )

    def _function(self, _: str) -> Atom:
        outer, self._alphabet = self._alphabet, Alphabet.UPRIGHT
        atoms = self._argument()
        self._alphabet = outer
        return Atom(spaced(atoms), Kind.FUNCTION)

    def _fraction(self, _: str) -> Atom:
        above = self._argument()
        return fraction(above, self._argument())

    def _binomial(self, _: str) -> Atom:
        above, below = self._argument(), self._argument()
        return Atom((Span("("), *spaced(above), Span(" choose "), *spaced(below), Span(")")))

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
        inner = bracketed(self._argument(), is_below=True)
        return Atom((*hung(degree, Script.SUPER), Span("√"), *inner))

    def _one_over_another(self, name: str) -> Atom:
        script, base = self._argument(), self._argument()
        added = hung(spaced(script, is_close=True), _OVER[name])
        kind = base[0].kind if len(base) == 1 else Kind.PLAIN
        return Atom((*spaced(base), *added), kind, is_named=True)

    def _arrow(self, name: str) -> Atom:
        label = hung(spaced(self._argument(), is_close=True), Script.SUPER)
        return Atom((Span(_ARROWS[name]), *label), Kind.RELATION, is_named=True)

    def _pair(self, name: str) -> Atom:
        opening, closing = symbols.PAIRS[name.removesuffix("*")]
        apart = " " if name == "pmod" else ""
        return Atom((Span(apart + opening), *spaced(self._argument()), Span(closing)))

    def _sized(self) -> Atom | None:
        """The bracket after `\\left` and similar; a full stop means no bracket."""
        self._skip_blanks()
        if self._tokens[self._at : self._at + 1] == ["."]:
            self._at += 1
        return None

    def _negated(self, _: str) -> Atom:
        negated = self._argument()
        spans = spaced(negated)
        if not spans:
            raise Unreadable("nothing to negate")
        text = unicodedata.normalize("NFC", f"{spans[0].text}{_NEGATION}")
        return Atom((replace(spans[0], text=text), *spans[1:]), negated[0].kind, is_named=True)

    def _environment(self, name: str) -> None:
        if self._plain_argument() not in _LAYOUTS:
            raise Unreadable("rows and columns")

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
        while self._at in self._closed:
            self._at = self._closed[self._at] + 1
        return Atom(self._words("".join((f"\\{name}", *self._tokens[start : self._at]))))


_COMMANDS: Mapping[str, Callable[[_Reader, str], Atom | None]] = {
    **dict.fromkeys(_FRACTIONS, _Reader._fraction),
    **dict.fromkeys(("binom", "dbinom", "tbinom"), _Reader._binomial),
    **dict.fromkeys(symbols.ALPHABETS, _Reader._in_alphabet),
    **dict.fromkeys(symbols.TEXTS, _Reader._text),
    **dict.fromkeys(MARKS, _Reader._marked),
    **dict.fromkeys(("operatorname", "operatorname*"), _Reader._function),
    **dict.fromkeys(_OVER, _Reader._one_over_another),
    **dict.fromkeys(_ARROWS, _Reader._arrow),
    **dict.fromkeys([f"{name}{star}" for name in symbols.PAIRS for star in ("", "*")], _Reader._pair),
    **dict.fromkeys(("bmod", "mod"), lambda reader, name: Atom((Span("mod"),), Kind.FUNCTION)),
    "sqrt": _Reader._root,
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

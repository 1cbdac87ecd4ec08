"""Converts maths in TeX to spans: a reader goes through the tokens once and returns atoms.

It is one class, with a short method for each form that takes arguments, because all share the position in
the tokens.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace

from digest.mail.rendering.tex import symbols
from digest.mail.rendering.tex.fractions import bracketed, fraction
from digest.mail.rendering.tex.letters import MARKS, Alphabet, in_alphabet, marked
from digest.mail.rendering.tex.spacing import Atom, Kind, kind_for, spaced
from digest.mail.rendering.tex.spans import Script, Span, Spans, as_text
from digest.mail.rendering.tex.tokens import DEEPEST, Unreadable, partners, tokens

Words = Callable[[str], Spans]
"""Converts words, such as those in `\\text{…}`."""

_NEGATION = "\u0338"
_PRIMES = {1: "′", 2: "″", 3: "‴"}
_LAYOUTS = frozenset(
    f"{name}{star}"
    for name in ("equation", "align", "aligned", "split", "gather", "gathered", "multline", "eqnarray")
    for star in ("", "*")
)
_FRACTIONS = ("frac", "tfrac", "dfrac", "cfrac", "nicefrac", "sfrac")
_OVER = {"stackrel": Script.SUPER, "overset": Script.SUPER, "underset": Script.SUB}
_WORDY = ("href", "url", "cite", "ref", "eqref", "texorpdfstring", "footnote", "textsuperscript")
_MOST_SCRIPTS = 30
_ARROWS = {"xrightarrow": "→", "xleftarrow": "←", "xmapsto": "↦", "xhookrightarrow": "↪"}


def converted(source: str, words: Words) -> Spans:
    """The maths between two dollar signs. Raises `Unreadable` if it should be shown as it is written."""
    return spaced(_Reader(source, words).whole())


class _Reader:
    """Reads tokens from `_at` to an end that the caller gives."""

    def __init__(self, source: str, words: Words) -> None:
        self._tokens = tokens(source)
        self._closed = partners(self._tokens)
        self._words = words
        self._at = 0
        self._depth = 0
        self._end = len(self._tokens)
        self._alphabet: Alphabet | None = None

    def whole(self) -> list[Atom]:
        return self._atoms(len(self._tokens))

    def _atoms(self, end: int) -> list[Atom]:
        """All atoms up to `end`, in the current alphabet, which a declaration changes up to that end."""
        self._descend()
        alphabet, outer_end = self._alphabet, self._end
        self._end = end
        atoms: list[Atom] = []
        is_apart = False
        while self._at < end:
            part = self._tokens[self._at]
            if part.isspace():
                is_apart = not self._is_after_word()
                self._at += 1
            elif part == "\\over":
                self._at += 1
                atoms = [fraction(atoms, self._atoms(end))]
            elif part in "^_":
                self._at += 1
                self._attach(atoms, part)
                is_apart = False
            elif (atom := self._next()) is not None:
                atoms.append(replace(atom, is_apart=True) if is_apart else atom)
                is_apart = False
        self._alphabet, self._end = alphabet, outer_end
        self._depth -= 1
        return atoms

    def _is_after_word(self) -> bool:
        """Whether the blank here only ends the name of a command."""
        before = self._tokens[self._at - 1] if self._at else ""
        return len(before) > 1 and before[0] == "\\" and before[1].isalpha()

    def _next(self) -> Atom | None:
        """The next atom: a character, a group, or a command with its arguments."""
        self._descend()
        atom = self._thing()
        self._depth -= 1
        return atom

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unreadable("groups within groups")

    def _thing(self) -> Atom | None:
        part = self._tokens[self._at]
        self._at += 1
        if part[0] == "\\":
            return self._command(part[1:])
        if part == "{":
            return self._group(self._at - 1)
        if part[0] == "'":
            return Atom((Span(_PRIMES.get(len(part), "′" * len(part))),))
        if part in "~&":
            return Atom((Span(" "),), Kind.BLANK)
        if part in "}$":
            raise Unreadable(f"unexpected {part}")
        return Atom((Span(self._set(part)),), kind_for(part))

    def _set(self, text: str) -> str:
        alphabet = self._alphabet
        return text if alphabet is None else "".join(in_alphabet(each, alphabet) for each in text)

    def _group(self, opening: int) -> Atom | None:
        end = self._closed.get(opening)
        if end is None:
            raise Unreadable("a brace without its partner")
        atoms = self._atoms(end)
        self._at = end + 1
        if not atoms:
            return None
        return atoms[0] if len(atoms) == 1 else Atom(spaced(atoms))

    def _argument(self) -> list[Atom]:
        """The atoms of a braced group, or of the next token."""
        self._skip_blanks()
        if self._at >= len(self._tokens):
            raise Unreadable("an argument is missing")
        part = self._tokens[self._at]
        if part == "{" and self._at in self._closed:
            end = self._closed[self._at]
            self._at += 1
            atoms = self._atoms(end)
            self._at = end + 1
            return atoms
        if part[0].isdecimal() and len(part) > 1:
            self._tokens[self._at] = part[1:]
            return [Atom((Span(self._set(part[0])),))]
        atom = self._next()
        return [] if atom is None else [atom]

    def _script(self) -> list[Atom]:
        """As an argument, except for numbers: `10^-13` and `2^12` mean the whole number, unlike in TeX."""
        self._skip_blanks()
        ahead = self._tokens[self._at : self._at + 2]
        if ahead and ahead[0][0].isdecimal():
            return self._digits()
        if len(ahead) == 2 and ahead[0] in "+-" and ahead[1][0].isdecimal():
            self._at += 1
            return [Atom((Span(ahead[0]),)), *self._digits()]
        return self._argument()

    def _digits(self) -> list[Atom]:
        part = self._tokens[self._at]
        digits = part.replace(",", ".").partition(".")[0]
        self._tokens[self._at] = part[len(digits) :]
        if digits == part:
            self._at += 1
        return [Atom((Span(self._set(digits)),))]

    def _attach(self, atoms: list[Atom], sign: str) -> None:
        """Attaches a script to the last atom, or to nothing as in `^{13}C`."""
        script = Script.SUPER if sign == "^" else Script.SUB
        text = as_text(spaced(self._script(), is_close=True)).strip()
        if script is Script.SUPER and text in ("∘", "°"):
            hung = Span("°")
        elif script is Script.SUPER and text and not text.strip("′″‴"):
            hung = Span(text)
        else:
            hung = Span(text, script)
        if not atoms or atoms[-1].kind is Kind.BLANK:
            atoms.append(Atom((hung,)))
            return
        base = atoms[-1]
        if len(base.spans) > _MOST_SCRIPTS:
            raise Unreadable("scripts on scripts")
        if base.kind is Kind.FRACTION:
            base = Atom((Span("("), *base.spans, Span(")")))
        atoms[-1] = replace(base, spans=(*base.spans, hung))

    def _skip_blanks(self) -> None:
        while self._at < len(self._tokens) and self._tokens[self._at].isspace():
            self._at += 1

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
        return Atom((Span(self._set(character)),), kind, is_named=True)

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
        is_for_one = self._end == len(self._tokens) and alphabet not in (None, Alphabet.BOLD)
        if self._at in self._closed or (is_for_one and self._at < self._end):
            return self._with(alphabet)
        if self._at >= self._end and alphabet is not None:
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
            return self._with(None)
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
                Span(marked(span.text, MARKS[name]), span.script) if span.script is Script.NONE else span
                for span in spans
            )
        )

    def _function(self, _: str) -> Atom:
        outer, self._alphabet = self._alphabet, None
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
        return Atom((*_raised(as_text(degree)), Span("√"), *inner))

    def _one_over_another(self, name: str) -> Atom:
        script, base = self._argument(), self._argument()
        hung = Span(as_text(spaced(script, is_close=True)), _OVER[name])
        kind = base[0].kind if len(base) == 1 else Kind.PLAIN
        return Atom((*spaced(base), hung), kind, is_named=True)

    def _arrow(self, name: str) -> Atom:
        label = as_text(spaced(self._argument(), is_close=True))
        return Atom((Span(_ARROWS[name]), *_raised(label)), Kind.RELATION, is_named=True)

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

    def _plain_argument(self) -> str:
        """The source of a braced group."""
        self._skip_blanks()
        if self._at not in self._closed:
            raise Unreadable("an argument is missing")
        start, self._at = self._at + 1, self._closed[self._at] + 1
        return "".join(self._tokens[start : self._at - 1])


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


def _raised(text: str) -> Spans:
    return (Span(text, Script.SUPER),) if text else ()

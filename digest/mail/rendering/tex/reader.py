"""Reads maths in TeX token by token: characters, groups, scripts and arguments become atoms."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from digest.mail.rendering.tex.atoms import Atom, Kind
from digest.mail.rendering.tex.fractions import fraction
from digest.mail.rendering.tex.letters import Alphabet, in_alphabet
from digest.mail.rendering.tex.spacing import kind_for, spaced
from digest.mail.rendering.tex.spans import Script, Span, Spans, Style, as_text, hung
from digest.mail.rendering.tex.tokens import DEEPEST, Unreadable, partners, tokens

Words = Callable[[str], Spans]
"""Converts words, such as those in `\\text{…}`."""

_INFIX = {
    "\\choose": ("(", " choose ", ")"),
    "\\brack": ("[", " choose ", "]"),
    "\\brace": ("{", " choose ", "}"),
    "\\atop": ("(", " over ", ")"),
}
"""Commands between two parts of a group; what they show, as other commands for binomials do."""

_PRIMES = {1: "′", 2: "″", 3: "‴"}
_MOST_SCRIPTS = 60
_VARIABLE = re.compile(r"[A-Za-zα-ωϑϕϖϱϵı]")


class Reader(ABC):
    """Reads tokens from `_at` to an end that the caller gives."""

    def __init__(self, source: str, words: Words) -> None:
        self._tokens = tokens(source)
        self._closed = partners(self._tokens)
        self._words = words
        self._at = 0
        self._depth = 0
        self._end = len(self._tokens)
        self._alphabet: Alphabet | None = None
        self._is_script = False

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
                atoms = [fraction(atoms, self._atoms(end), is_close=self._is_script)]
            elif part in _INFIX:
                self._at += 1
                opening, joint, closing = _INFIX[part]
                above, below = self._in_line(atoms), self._in_line(self._atoms(end))
                atoms = [Atom((Span(opening), *above, Span(joint), *below, Span(closing)))]
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
        if part == "-":
            return self._minus()
        return Atom((self._set(part),), kind_for(part))

    def _minus(self) -> Atom:
        """A minus sign; a dash for two hyphens, and a hyphen beside a word."""
        ahead = "".join(self._tokens[self._at : self._at + 3])
        if ahead[:1] == "-":
            self._at += 1
            return Atom((Span("–"),))
        behind = "".join(self._tokens[max(0, self._at - 4) : self._at - 1])
        is_hyphen = any(len(word) == 3 and word.isascii() and word.isalpha() for word in (ahead, behind))
        return Atom((Span("-"),)) if is_hyphen else Atom((Span("−"),), Kind.BINARY)

    def _set(self, text: str) -> Span:
        """The text in the current alphabet; a letter is a variable."""
        alphabet = self._alphabet
        if alphabet is not None:
            return Span("".join(in_alphabet(each, alphabet) for each in text))
        return Span(text, style=Style.VARIABLE if _VARIABLE.fullmatch(text) else Style.NONE)

    def _group(self, opening: int) -> Atom | None:
        end = self._closed.get(opening)
        if end is None:
            raise Unreadable("a brace without its partner")
        atoms = self._atoms(end)
        self._at = end + 1
        if not atoms:
            return None
        return atoms[0] if len(atoms) == 1 else Atom(self._in_line(atoms))

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
            return [Atom((self._set(part[0]),))]
        atom = self._next()
        return [] if atom is None else [atom]

    def _in_line(self, atoms: list[Atom]) -> Spans:
        """The atoms in a row; in scripts without blanks."""
        return spaced(atoms, is_close=self._is_script)

    def _script(self) -> list[Atom]:
        """As an argument, except for numbers: `10^-13` and `2^12` mean the whole number, unlike in TeX."""
        self._skip_blanks()
        ahead = self._tokens[self._at : self._at + 2]
        if ahead and ahead[0][0].isdecimal():
            return self._digits()
        if len(ahead) == 2 and ahead[0] in "+-" and ahead[1][0].isdecimal():
            self._at += 1
            return [Atom((Span("−" if ahead[0] == "-" else "+"),)), *self._digits()]
        return self._argument()

    def _digits(self) -> list[Atom]:
        part = self._tokens[self._at]
        digits = part.replace(",", ".").partition(".")[0]
        self._tokens[self._at] = part[len(digits) :]
        if digits == part:
            self._at += 1
        return [Atom((self._set(digits),))]

    def _attach(self, atoms: list[Atom], sign: str) -> None:
        """Attaches a script to the last atom, or to nothing as in `^{13}C`."""
        script = Script.SUPER if sign == "^" else Script.SUB
        is_script, self._is_script = self._is_script, True
        spans = self._in_line(self._script())
        self._is_script = is_script
        text = as_text(spans).strip()
        if script is Script.SUPER and text in ("∘", "°"):
            added: Spans = (Span("°"),)
        elif script is Script.SUPER and text and not text.strip("′″‴"):
            added = (Span(text),)
        else:
            added = hung(_stripped(spans), script)
        if not atoms or atoms[-1].kind is Kind.BLANK:
            atoms.append(Atom(added))
            return
        base = atoms[-1]
        if len(base.spans) > _MOST_SCRIPTS:
            raise Unreadable("scripts on scripts")
        if base.kind is Kind.FRACTION:
            base = Atom((Span("("), *base.spans, Span(")")))
        atoms[-1] = replace(base, spans=(*base.spans, *added))

    def _skip_blanks(self) -> None:
        while self._at < len(self._tokens) and self._tokens[self._at].isspace():
            self._at += 1

    @abstractmethod
    def _command(self, name: str) -> Atom | None:
        """The atom for a command, with its arguments."""

    def _plain_argument(self) -> str:
        """The source of a braced group."""
        self._skip_blanks()
        if self._at not in self._closed:
            raise Unreadable("an argument is missing")
        start, self._at = self._at + 1, self._closed[self._at] + 1
        return "".join(self._tokens[start : self._at - 1])


def _stripped(spans: Spans) -> Spans:
    """Without blanks at both ends."""
    if not spans:
        return ()
    first, last = spans[0], spans[-1]
    if first.text[:1] != " " and last.text[-1:] != " ":
        return spans
    spans = (replace(first, text=first.text.lstrip(" ")), *spans[1:])
    return (*spans[:-1], replace(spans[-1], text=spans[-1].text.rstrip(" ")))

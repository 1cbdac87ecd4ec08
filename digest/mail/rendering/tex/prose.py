"""Converts words with TeX to spans: maths between dollar signs, quotes, dashes, ties, groups.

Authors give arXiv plain text as often as TeX. So a sign counts as TeX only if it probably does not mean
itself: `$5`, `--flag`, `~42%`, `snake_case` and `{0,1}` stay.
"""

import re
from collections.abc import Callable, Mapping

from digest.mail.rendering.tex import math, symbols
from digest.mail.rendering.tex.atoms import Kind
from digest.mail.rendering.tex.bare import subscripts
from digest.mail.rendering.tex.commands import BRACE, DEEPEST, ESCAPED, Words
from digest.mail.rendering.tex.disambiguation import (
    accent,
    braced_accent,
    double_quote,
    is_group,
    is_maths,
    is_single_quoted,
    shown_dashes,
    shown_tie,
)
from digest.mail.rendering.tex.letters import MARKS
from digest.mail.rendering.tex.spacing import kind_for
from digest.mail.rendering.tex.spans import Script, Span, Spans, Style, joined, styled
from digest.mail.rendering.tex.tokens import Unreadable, survives

_SPECIAL = re.compile(
    r"(?P<address>(?:https?://|ftp://|\bwww\.)(?:[^\s{}<>\"$\\^'`]|\\[_%#&~]|\$(?=[\w/?=&%])|'(?=\w))+)"
    r"|(?P<path>\b[A-Za-z]:\\[A-Za-z][\w.\\-]*+(?![{^$]))"
    r"|(?P<name>\\[A-Za-z]+)|(?P<sign>\\.)"
    r"|(?P<dollars>\$\$?)|(?P<brace>\{)|(?P<script>\^|_(?=\{))|(?P<low>_)"
    r"|(?P<quotes>``|''|`|\")|(?P<dashes>--+)|(?P<tie>~)",
    re.DOTALL,
)
# Without any of these there is nothing to convert; this test takes a hundredth of the time.
_SIGNS = ("\\", "$", "^", "_", "{", "`", '"', "~", "--", "''", "://", "www.")
# The first characters of all of these except addresses and paths; a search for one character is much faster.
_CANDIDATE = re.compile(r"[\\$^_`'\"~{-]")
_LINK = re.compile(r"://|www\.|:\\")
_DOLLAR = re.compile(r"\\.|\$", re.DOTALL)
_BARE_SCRIPT = re.compile(r"[-+−]?\d+(?:\.\d+)?(?![\w^])|[-+−]?\d+(?=[A-Za-z]\b)|[^\W\d_](?![\w^])|\*(?!\*)")
_SIGN_OR_COMMAND = re.compile(r"\s?(\\(?:[A-Za-z]+|.)|[^\s{}\\$])")
_DECLARED = re.compile(r"\s*\\([a-z]+)(?![A-Za-z{])")
_DOLLAR_ALONE = re.compile(r"(?<!\\)\$")
_ESCAPED_POWER = re.compile(r"(\d+\^[^$\s]{1,9})\$")
# What is left of `\copyright` in old records of arXiv.
_COPYRIGHT = re.compile(r"\{\\c\}(?=\s?(?:19|20)\d\d)")
_SECOND_POWER = re.compile(r"[-–]\d+(?:\.\d+)?\^")
_SUMS = ("pm", "mp", "cup", "cap", "setminus", "oplus")
_ENDS = (")", "]", "}", "$")
_BEGINS = ("(", "[", "{", "\\", "-", "|", " ", "\n")
_CHAIN = re.compile(r"\s?[A-Za-z\d]{1,2}(?:\s?[<>=]\s?[A-Za-z\d]{1,2}(?![A-Za-z\d^_]))+")
_LONGEST_COMMAND = 30
_LINK_ALONE = re.compile(r"\s*\\(?:href|url)\s*\{")
_LETTER_LINE = "aa AA ae AE oe OE o O l L ss SS i j dh DH dj DJ th TH ng NG"
_LETTERS = frozenset(_LETTER_LINE.split())
_ARITY: Mapping[str, int] = (
    dict.fromkeys((*symbols.ALPHABETS, *MARKS, *symbols.PAIRS, *symbols.SIZES), 1)
    | dict.fromkeys(("sqrt", "operatorname", "not", "unicode", "substack", "xrightarrow"), 1)
    | dict.fromkeys(
        (
            "ketbra",
            "dyad",
            "comm",
            "acomm",
            "frac",
            "tfrac",
            "dfrac",
            "nicefrac",
            "binom",
            "stackrel",
            "overset",
            "underset",
        ),
        2,
    )
)


def has_signs(source: str) -> bool:
    return any(map(source.__contains__, _SIGNS))


def converted(source: str, depth: int = 0) -> Spans:
    """Words as spans; text that cannot be converted stays as it is written."""
    is_plain = not has_signs(source) or depth > DEEPEST
    if is_plain or not _next_special(source, 0, len(source), has_links=_has_links(source)):
        return joined((Span(source),))
    reader = _Reader(source, depth)
    spans = joined(reader.pieces(0, len(source)))
    shown = "".join([*(span.text for span in spans), *reader.repeated])
    return spans if survives(source, shown) else joined((Span(source),))


def _has_links(source: str) -> bool:
    """Whether there may be an address or a path."""
    return _LINK.search(source) is not None


def _next_special(source: str, start: int, end: int, *, has_links: bool) -> re.Match[str] | None:
    """The first match of `_SPECIAL` between `start` and `end`."""
    if has_links:
        return _SPECIAL.search(source, start, end)
    while candidate := _CANDIDATE.search(source, start, end):
        if special := _SPECIAL.match(source, candidate.start(), end):
            return special
        start = candidate.end()
    return None


class _Reader(Words):
    """The method for each sign sets `_at` to the end of what it has read."""

    def __init__(self, source: str, depth: int) -> None:
        super().__init__(source, depth)
        self._has_links = _has_links(source)
        self._subscripts = subscripts(source) if "_" in source else {}
        self._is_odd = len(_DOLLAR_ALONE.findall(source)) % 2 == 1
        self._readers: Mapping[str, Callable[[str, int], Spans]] = {
            "address": lambda part, _: (Span(ESCAPED.sub(r"\1", part)),),
            "path": lambda part, _: (Span(part),),
            "name": self._name,
            "sign": self._sign,
            "dollars": self._dollars,
            "brace": self._brace,
            "script": self._script,
            "low": self._low,
            "quotes": self._quotes,
            "dashes": lambda part, start: (Span(shown_dashes(part, *self._around(start))),),
            "tie": self._tie,
        }

    def pieces(self, start: int, end: int) -> list[Span]:
        found: list[Span] = []
        self._at = start
        while self._at < end:
            special = _next_special(self._source, self._at, end, has_links=self._has_links)
            if not special:
                found.append(Span(self._source[self._at : end]))
                break
            found.append(Span(self._source[self._at : special.start()]))
            self._at = special.end()
            spans = self._readers[special.lastgroup or ""](special[0], special.start())
            found.extend(self._without_second_blanks(spans, special.start()))
        self._at = end
        return found

    def _without_second_blanks(self, spans: Spans, start: int) -> Spans:
        """The spans without a blank next to a blank of the source."""
        before, after = self._around(start)
        if spans and spans[0].text[:1] == " " and (not start or before.isspace()):
            spans = (Span(spans[0].text[1:], spans[0].script), *spans[1:])
        if spans and spans[-1].text[-1:] == " " and after.isspace():
            spans = (*spans[:-1], Span(spans[-1].text[:-1], spans[-1].script))
        return spans

    def _around(self, start: int) -> tuple[str, str]:
        """The characters before `start` and after the text that was read; empty if there is none."""
        return self._source[start - 1 : start] if start else "", self._source[self._at : self._at + 1]

    # Signs

    def _sign(self, part: str, start: int) -> Spans:
        character = part[1]
        if character in "([":
            closing = "\\)" if character == "(" else "\\]"
            return self._maths_up_to(closing, part)
        if found := accent(self._source, start):
            letter, self._at = found
            return (Span(letter),)
        if part == "\\$" and self._is_odd and (power := _ESCAPED_POWER.match(self._source, self._at)):
            self._at = power.end()
            return self._maths(power[1], self._source[start : self._at])
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
            if BRACE.sub(_only_braces, inner).count("{") > inner.count("}") and tries < 4:
                continue
            if not is_maths(inner, self._source[found.end() : found.end() + _LONGEST_COMMAND]):
                break
            if _LINK_ALONE.match(inner):
                return self._inside(self._at, found.start())
            self._at = found.end()
            return self._maths(inner, self._source[start : self._at])
        # The end of a formula whose beginning the author forgot.
        is_lost = self._is_odd and self._source[start - 1 : start] == "}"
        return () if is_lost else (Span(part),)

    def _brace(self, part: str, start: int) -> Spans:
        if copyright_sign := _COPYRIGHT.match(self._source, start):
            self._at = copyright_sign.end()
            return (Span("©"),)
        if accented := braced_accent(self._source, start):
            letter, self._at = accented
            return (Span(letter),)
        end = self._closed.get(start)
        if end is None:
            return (Span(part),)
        before, after = self._source[start - 1 : start] if start else "", self._source[end + 1 : end + 2]
        if not is_group(self._source[start + 1 : end], before, after):
            return (Span(part),)
        found = _DECLARED.match(self._source, start + 1, end)
        return styled(
            self._inside(start + 1, end), symbols.STYLES.get(found[1], Style.NONE) if found else Style.NONE
        )

    def _script(self, part: str, start: int) -> Spans:
        before, _ = self._around(start)
        if not (before.isalnum() or before in (")", "]", "}", "*", "|")):
            return (Span(part),)
        if self._at in self._closed:
            self._at = self._closed[self._at] + 1
            source = self._source[start : self._at]
            spans = self._maths(source, source)
            if before.isdecimal() and _SECOND_POWER.match(self._source, self._at):
                self._at += 1
                return (*spans, Span("–"))
            return spans
        bare = _BARE_SCRIPT.match(self._source, self._at)
        if not bare:
            return (Span(part),)
        self._at = bare.end()
        raised = Span(bare[0].replace("-", "−"), Script.SUPER)
        if before.isdecimal() and _SECOND_POWER.match(self._source, self._at):
            self._at += 1
            return (raised, Span("–"))
        return (raised,)

    def _low(self, part: str, start: int) -> Spans:
        end = self._subscripts.get(start)
        if end is None:
            return (Span(part),)
        self._at = end
        return (Span(self._source[start + 1 : end], Script.SUB),)

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
        """`inner` as maths; `written` if it cannot be read or if a letter or digit would be lost."""
        try:
            spans = math.converted(inner, lambda words: converted(words, self._depth + 1))
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
            return self._unclosed(name, part) if spans is None else spans
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

    def _unclosed(self, name: str, part: str) -> Spans:
        """A command for words whose brace is never closed: the words, without the command."""
        if name in (*symbols.TEXTS, "footnote") and self._source.startswith("{", self._at):
            self._at += 1
            return (Span(" "),) if name == "footnote" else ()
        is_last = name in ("begin", "end") and not self._source[self._at :].strip()
        return () if is_last else (Span(part),)

    def _bare_maths(self, name: str, start: int) -> Spans:
        """A command of maths among words, with its arguments and scripts, and blanks if it is an operator."""
        before, after = self._around(start)
        self._at = self._extent(name, 0)
        written = self._source[start : self._at]
        spans = self._maths(written.removesuffix("{}"), written)
        kind = kind_for(symbols.symbol(name) or " ")
        is_operator = (
            kind is Kind.RELATION or (kind is Kind.BINARY and not before.isdecimal()) or name in _SUMS
        )
        after = self._source[self._at : self._at + 1]
        is_between = (before.isalnum() or before in _ENDS) and (after.isalnum() or after in _BEGINS)
        if kind is Kind.RELATION and (chain := _CHAIN.match(self._source, self._at)):
            self._at = chain.end()
            return (Span(" "), *spans, Span(" "), *self._maths(chain[0].strip(), chain[0].strip()))
        if not (is_operator and before and after and is_between):
            return spans
        return (Span(" "), *spans, *(() if after.isspace() else (Span(" "),)))

    def _extent(self, name: str, depth: int) -> int:
        """The end of the command whose name ends at `_at`."""
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
        if found[1][0] != "\\" or depth > DEEPEST:
            return found.end()
        self._at = found.end()
        return self._extent(found[1][1:], depth + 1)

    def _unknown(self, part: str, start: int) -> Spans:
        """Its one argument; else the whole command as it is written."""
        first = self._group()
        if first is None:
            return (Span(part),)
        self._at = first[1] + 1
        if self._group() is not None:
            while (another := self._group()) is not None:
                self._at = another[1] + 1
            return (Span(self._source[start : self._at]),)
        return self._inside(*first) if first[0] < first[1] else (Span(part),)


def _only_braces(found: re.Match[str]) -> str:
    return "" if found[0][0] == "\\" else found[0]

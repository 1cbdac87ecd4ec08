"""Parses the keyword language: text → tokens → tree, with a helpful error message.

keyword     = conjunction ("OR" conjunction)*
conjunction = ["NOT"] operand (("AND" ["NOT"] | "ANDNOT" | "NOT") operand)*
operand     = [prefix ":"] ("(" keyword ")" | ["="] (quoted phrase | words))
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, get_args

from digest.errors import QueryError
from digest.keywords.ast import OPERATORS, Node, all_of, any_of
from digest.keywords.foreign_syntax import FIELD_NAMES, misuse
from digest.keywords.terms import Prefix, Written, leaf
from digest.keywords.typography import normalized
from digest.model.paper import parse_identifier

MAX_LENGTH = 500
MAX_LEAVES = 50
MAX_DEPTH = 20

_PREFIXES: dict[str, Prefix] = {
    name: prefix for name, field in FIELD_NAMES.items() for prefix in get_args(Prefix) if prefix == field
}

Kind = Literal["bracket", "quoted", "prefix", "exact", "operator", "word", "end"]

_TOKEN = re.compile(
    r'\s*(?:(?P<bracket>[()])|"(?P<quoted>[^"]*)"|(?P<prefix>[A-Za-z_]+):(?!:)|(?P<exact>=)'
    r'|(?P<operator>\|\|?|&&)|(?P<word>(?:(?!&&)[^\s()"|])+))'
)
_SIGNS = {"|": "OR", "||": "OR", "&&": "AND"}
_MISTAKEN = {"and": "AND", "or": "OR", "not": "NOT", "andnot": "ANDNOT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    kind: Kind
    value: str
    start: int
    end: int


def parse_tree(text: str) -> Node:
    """The tree of one keyword. Raises `QueryError` with the place, what was expected, a likely correction."""
    text = normalized(text)
    if len(text) > MAX_LENGTH:
        raise QueryError(
            text[:MAX_LENGTH],
            MAX_LENGTH,
            f"a keyword may have at most {MAX_LENGTH} characters",
            "split it into several keywords",
        )
    try:
        return _Parser(text).whole()
    except QueryError as error:
        proposed = dict.fromkeys(map(normalized, error.remedies))
        remedies = tuple(one for one in proposed if one != text and _is_keyword(one))
        raise QueryError(text, error.position, error.expected, error.hint, remedies=remedies) from None


def _is_keyword(text: str) -> bool:
    with suppress(QueryError):
        return len(text) <= MAX_LENGTH and bool(_Parser(text).whole())
    return False


def _tokens(text: str) -> list[Token]:
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            place = text.index('"', at)
            remedies = (f'{text.rstrip()}"', text.replace('"', ""))
            raise QueryError(
                text, place, "this quote is never closed", "quotes come in pairs", remedies=remedies
            )
        tokens.append(_token(text, found))
        at = tokens[-1].end
    tokens.append(Token(kind="end", value="", start=len(text), end=len(text)))
    return tokens


def _token(text: str, found: re.Match[str]) -> Token:
    kind = found.lastgroup or "word"
    value: str = found[kind]
    start = found.end() - len(found[0].lstrip())
    if kind == "prefix":
        if value.lower() in _PREFIXES or not re.match(r"\s|$", text[found.end() :]):
            return Token(kind="prefix", value=value, start=start, end=found.end())
        kind, value = "word", f"{value}:"
    if kind == "word" and value in OPERATORS:
        kind = "operator"
    value = _SIGNS.get(value, value) if kind == "operator" else value
    return Token(kind=kind, value=value, start=start, end=found.end())  # type: ignore[arg-type]


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.leaves = 0
        first = 1 if self.tokens[0].kind == "exact" else 0
        self.is_plain = all(token.kind == "word" for token in self.tokens[first:-1])

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def sees(self, kind: Kind, *values: str) -> bool:
        return self.token.kind == kind and (not values or self.token.value in values)

    def take(self, kind: Kind, *values: str) -> bool:
        seen = self.sees(kind, *values)
        self.at += seen
        return seen

    def error(self, place: int, expected: str, hint: str | None = None, *remedies: str) -> QueryError:
        return QueryError(self.text, place, expected, hint, remedies=remedies)

    def whole(self) -> Node:
        if self.sees("end"):
            raise self.error(0, "the keyword is empty", "for example: neural operator")
        tree = self.alternatives("")
        if not self.sees("end"):
            raise self.no_operator()
        return tree

    def alternatives(self, prefix: Prefix) -> Node:
        operands = [self.conjunction(prefix)]
        while self.take("operator", "OR"):
            operands.append(self.conjunction(prefix))
        return any_of(tuple(operands))

    def conjunction(self, prefix: Prefix) -> Node:
        start = self.token.start
        wanted: list[Node] = []
        unwanted: list[Node] = []
        negated = self.take("operator", "NOT")
        while True:
            (unwanted if negated else wanted).append(self.operand(prefix))
            if self.take("operator", "ANDNOT", "NOT"):
                negated = True
            elif self.take("operator", "AND"):
                negated = self.take("operator", "NOT")
            else:
                break
        if not wanted:
            hint = "begin with what you want, for example: cat:cs.LG ANDNOT survey"
            raise self.error(start, "this only excludes papers: there is nothing to search for", hint)
        return all_of(tuple(wanted), tuple(unwanted))

    def operand(self, prefix: Prefix) -> Node:
        if self.sees("prefix"):
            prefix = self.prefix()
        return self.group(prefix) if self.sees("bracket", "(") else self.leaf(prefix)

    def prefix(self) -> Prefix:
        token = self.token
        name = token.value.lower()
        if name not in _PREFIXES:
            hint = "if the colon belongs to the phrase, put the phrase in quotes"
            close = difflib.get_close_matches(name, _PREFIXES, n=1)
            if close:
                hint = f"did you mean {_PREFIXES[close[0]]}: ?"
            expected = f"{token.value}: is not a prefix; the prefixes are ti: abs: au: cat: co: jr: id: all:"
            raise self.error(token.start, expected, hint, *self.other_prefixes(token, close))
        self.at += 1
        return _PREFIXES[name]

    def other_prefixes(self, token: Token, close: list[str]) -> Iterator[str]:
        """Suggestions: the paper with this address, a prefix with a similar name, a phrase with a colon."""
        with suppress(ValueError):
            yield f"id:{parse_identifier(self.text)[0]}"
        for name in close:
            yield f"{self.text[: token.start]}{_PREFIXES[name]}:{self.text[token.end :]}"
        yield self.in_quotes()

    def in_quotes(self) -> str:
        """The whole keyword as a phrase."""
        return f'"{self.text}"'

    def group(self, prefix: Prefix) -> Node:
        opening = self.token.start
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(opening, f"brackets can be nested at most {MAX_DEPTH} deep", "make it simpler")
        self.at += 1
        tree = self.alternatives(prefix)
        if self.sees("end"):
            hint = "add ) at the end of the group"
            raise self.error(opening, "this bracket is not closed", hint, f"{self.text})")
        if not self.take("bracket", ")"):
            raise self.no_operator()
        self.depth -= 1
        return tree

    def leaf(self, prefix: Prefix) -> Node:
        exact = self.take("exact")
        token = self.token
        quoted = self.take("quoted")
        if not quoted and not self.sees("word"):
            raise self.no_operand(exact)
        value = token.value if quoted else self.words()
        self.leaves += 1
        if self.leaves > MAX_LEAVES:
            hint = "split it into several keywords"
            raise self.error(token.start, f"a keyword may have at most {MAX_LEAVES} parts", hint)
        written = Written(
            keyword=self.text,
            start=token.start + quoted,
            first=token.start,
            end=self.tokens[self.at - 1].end,
            value=value.strip(),
            exact=exact,
            quoted=quoted,
        )
        if not quoted and prefix in ("", "ti", "abs", "all"):
            self.refuse_misuse(prefix, written)
        return leaf(prefix, written)

    def refuse_misuse(self, prefix: Prefix, written: Written) -> None:
        found = misuse(written.value, prefix=prefix, is_plain=self.is_plain)
        if found:
            remedies = tuple(map(written.instead, found.instead))
            raise self.error(written.start + found.offset, found.expected, found.hint, *remedies)

    def words(self) -> str:
        """An unquoted phrase: all words before the next operator, prefix, quote or bracket."""
        start = self.token.start
        while self.sees("word"):
            if not self.is_plain and self.token.value.lower() in _MISTAKEN:
                raise self.no_capitals()
            self.at += 1
        return self.text[start : self.tokens[self.at - 1].end]

    def no_capitals(self) -> QueryError:
        word = self.token.value
        meant = _MISTAKEN[word.lower()]
        hint = f"write {meant} for the operator, or put the phrase in quotes if {word} belongs to it"
        remedy = f"{self.text[: self.token.start]}{meant}{self.text[self.token.end :]}"
        return self.error(
            self.token.start, f"{word} is not an operator: operators are in capitals", hint, remedy
        )

    def no_operand(self, exact: bool) -> QueryError:
        token = self.token
        hint, remedies = "for example: neural operator", tuple[str, ...]()
        if exact:
            hint = 'write a search word after =, for example =compiler, ti:="neural operator"'
        elif token.kind == "operator":
            hint = f"{token.value} must be between two parts; if it belongs to a phrase, quote the phrase"
            remedies = (self.in_quotes(),)
        elif token.kind == "prefix":
            hint = "one prefix is enough"
        elif self.at:
            hint = "write the missing part, or remove the part before it"
        expected = "a word, a phrase in quotes or a group in brackets is expected here"
        return self.error(token.start, expected, hint, *remedies)

    def no_operator(self) -> QueryError:
        token, before = self.token, self.tokens[self.at - 1]
        if self.sees("bracket", ")"):
            return self.error(
                token.start, "this bracket closes nothing", "remove it, or add ( before its group"
            )
        if token.kind == "word" and token.value.lower() in _MISTAKEN:
            return self.no_capitals()
        if token.kind == "word" and re.match(r"[~^][\d.]", token.value):
            remedy = f"{self.text[: token.start].rstrip()}{self.text[token.end :]}"
            expected = (
                f"{token.value} belongs to another search engine: the words of a phrase are always adjacent"
            )
            return self.error(token.start, expected, "remove it", remedy)
        first, rest = self.text[: before.end], self.text[token.start :]
        remedies = [f"{first} AND {rest}", f"{first} OR {rest}"]
        hint = "write AND or OR between the two parts"
        if "word" in (token.kind, before.kind):
            hint += ", or put the whole phrase in quotes"
            remedies.insert(0, self.in_quotes())
        if before.value.lower() in _PREFIXES and self.sees("bracket", "("):
            remedies.insert(0, f"{self.text[: before.start]}{_PREFIXES[before.value.lower()]}:{rest}")
        return self.error(token.start, "AND, OR or ANDNOT is expected here", hint, *remedies[:2])

r"""TeX of titles and abstracts as BibTeX takes it: with even braces, and no sign that stops LaTeX.

arXiv gives texts in a mixture of plain text and TeX. Formulas and commands stay as they are. In between,
`&`, `%`, `#` and the like are escaped. BibTeX counts braces with a backslash too, other programs do not: both
have to come out even.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from digest.model.paper import one_line
from digest.sources.arxiv.tex_to_unicode import GREEK

# arXiv replaces these commands by letters, which LaTeX does not know in formulas.
_GREEK = {letter: command for command, letter in GREEK.items() if command != "omicron"}
_MOST_IN_ONE_WORD = 2
_TOKEN = re.compile(
    r"""(?P<math>\$\$[^$]+\$\$ | \$(?:\\.|[^$\\])+\$
           | \\\((?:[^\\]|\\[^()])+\\\) | \\\[(?:[^\\]|\\[^][])+\\\])
      | (?P<display>\\begin\{(?P<name>(?:align|equation|gather|multline|eqnarray|displaymath)\*?)\}
           .*?\\end\{(?P=name)\})
      | (?P<accent>\\[Hbcdkrtuv](?:\ +[A-Za-z]|\ *\{\\?[A-Za-z]+\}))
      | (?P<address>https?://[^\s{}$\\]+)
      | (?P<command>\\[A-Za-z]+\*?)
      | (?P<escape>\\.)
      | (?P<brace>[{}])
      | (?P<script>(?<=[A-Za-z\d)\]])[_^](?:-?\d+|\{[A-Za-z\d+/,.-]+\})|(?<=[A-Za-z)\]])\^[A-Za-z](?!\w))
      | (?P<special>[\\$&%\#_^<>])
      | (?P<greek>[\u0370-\u03ff]+)
      | (?P<word>[^\W_\u0370-\u03ff]+)
      | (?P<other>[^\\${}&%\#_^<>])""",
    re.VERBOSE | re.DOTALL,
)
_SPECIAL = {
    "\\": r"\textbackslash{}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
_UNMATCHED = {"{": r"\textbraceleft{}", "}": r"\textbraceright{}"}
_UNEVEN_IN_TEXT = {r"\\": r"\\", r"\{": r"\textbraceleft{}", r"\}": r"\textbraceright{}"}
_UNEVEN_IN_MATH = {r"\\": r"\\", r"\{": r"\lbrace ", r"\}": r"\rbrace "}
_FORMULA = re.compile(r"((?<!\\)\$(?:\\.|[^$\\])+\$)")
_ESCAPED_BRACE = re.compile(r"\\[\\{}]")
_BRACE = re.compile(r"[{}]")
# For some programs, the brace after a line break is one with a backslash.
_BREAK = re.compile(r"(?<!\\)(?:\\\\)+(?=[{}])")
_GREEK_LETTER = re.compile(r"(?P<letter>[\u0370-\u03ff])(?P<next>(?=[A-Za-z]))?")
_BARE_SIGN = re.compile(r"(?<!\\)[%#]")
_BACKSLASHED = r"\\\g<0>"
_MONEY = re.compile(r"\$\d[^$]*\s\$")
_ACRONYMS = re.compile(r"(?P<stem>[^\Wa-z_]{2,})s")
_NEW_SENTENCE = re.compile(r"(?:[:.?!–—]|\s-)\s+$")
_LONG = 4

LONGEST_TEXT = 10_000
"""Characters of a title or an abstract that are read; arXiv takes 1,920."""


class _Token(NamedTuple):
    """`depth` is the number of groups around it."""

    kind: str
    text: str
    depth: int = 0


def bibtex_text(source: str) -> str:
    """`source` as the value of a field, between braces."""
    return _even(_without_end(_written(token) for token in _tokens(one_line(source)[:LONGEST_TEXT])))


def bibtex_title(source: str) -> str:
    """The same, with braces around formulas and the capitals that a style must not make small: `{CNN}s`."""
    tokens = list(_tokens(one_line(source)[:LONGEST_TEXT]))
    return _even(_without_end(_protected(tokens)))


def bibtex_literal(text: str) -> str:
    """`text` without TeX, as it stands."""
    return "".join(_SPECIAL.get(sign) or _UNMATCHED.get(sign, sign) for sign in text)


def _tokens(source: str) -> Iterator[_Token]:
    """The pieces of `source`; a brace without its partner is a `special`."""
    found = list(_split(source))
    unmatched = _unmatched(found)
    depth = 0
    for place, token in enumerate(found):
        if token.kind != "brace":
            yield _Token(token.kind, token.text, depth)
        elif place in unmatched:
            yield _Token("special", _UNMATCHED[token.text], depth)
        else:
            depth -= token.text == "}"
            yield _Token("brace", token.text, depth)
            depth += token.text == "{"


def _split(source: str) -> Iterator[_Token]:
    place = 0
    while place < len(source):
        found = _TOKEN.match(source, place)
        if found is None or (found.lastgroup == "math" and not _is_formula(source, found)):
            yield _Token("special", source[place])
            place += 1
        else:
            yield _Token(found.lastgroup or "", found[0])
            place = found.end()


def _is_formula(source: str, found: re.Match[str]) -> bool:
    """Not `$5 and $10`, nor anything whose groups end outside."""
    return not _MONEY.match(source, found.start()) and _is_even(_ESCAPED_BRACE.sub("", found[0]))


def _unmatched(tokens: Iterable[_Token]) -> set[int]:
    opened: list[int] = []
    lost: set[int] = set()
    for place, token in enumerate(tokens):
        if token.kind != "brace":
            continue
        if token.text == "{":
            opened.append(place)
        elif opened:
            opened.pop()
        else:
            lost.add(place)
    return lost | set(opened)


def _written(token: _Token) -> str:
    match token.kind:
        case "math":
            return _formula(token.text)
        case "display":
            return _with_commands(token.text)
        case "greek" if len(token.text) <= _MOST_IN_ONE_WORD and all(map(_GREEK.get, token.text)):
            return f"${_with_commands(token.text)}$"
        case "special":
            return _SPECIAL.get(token.text, token.text)
        case "address":
            return bibtex_literal(token.text)
        case "script":
            return f"${token.text[0]}{{{token.text[1:].strip('{}')}}}$"
    return token.text


def _formula(text: str) -> str:
    r"""In dollars, since braces around `\(` would be a special character of BibTeX."""
    inside = text[2:-2] if text.startswith(("\\", "$$")) else text[1:-1]
    return f"${_with_commands(_BARE_SIGN.sub(_BACKSLASHED, inside))}$"


def _with_commands(formula: str) -> str:
    r"""`\alpha x` for `αx`."""
    return _GREEK_LETTER.sub(_command, formula)


def _command(found: re.Match[str]) -> str:
    name = _GREEK.get(found["letter"])
    return f"\\{name}{'' if found['next'] is None else ' '}" if name else found[0]


def _protected(tokens: list[_Token]) -> Iterator[str]:
    text = "".join(token.text for token in tokens)
    if text.upper() == text:  # in capitals altogether
        yield from map(_written, tokens)
        return
    has_names = _is_in_sentence_case(tokens)
    before = ""
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        written = _written(token)
        if token.depth or token.kind == "brace":
            yield written
        elif written[:1] == "$" or token.kind == "accent" or _is_named_in_capitals(token, following):
            yield f"{{{written}}}"
        elif token.kind == "word":
            yield _protected_word(written, before, has_names=has_names)
        else:
            yield written
        before = (before + token.text)[-_LONG:]


def _is_named_in_capitals(token: _Token, following: _Token | None) -> bool:
    r"""Whether it is a command such as `\LaTeX`, without a group."""
    has_group = following is not None and following.kind == "brace"
    return token.kind == "command" and token.text != token.text.lower() and not has_group


def _protected_word(word: str, before: str, *, has_names: bool) -> str:
    """`word` with braces, if a style that makes titles small must not change it."""
    if acronyms := _ACRONYMS.fullmatch(word):
        return f"{{{acronyms['stem']}}}s"
    if any(map(str.isupper, word[1:])):
        return f"{{{word}}}"
    is_letter = len(word) == 1 and word.isupper() and word != "A"
    is_name = has_names and word[0].isupper() and not _NEW_SENTENCE.search(before)
    return f"{{{word}}}" if before.strip() and (is_letter or is_name) else word


def _is_in_sentence_case(tokens: Iterable[_Token]) -> bool:
    """Whether capitals are those of names: most long words have none."""
    long = [token.text for token in tokens if token.kind == "word" and len(token.text) >= _LONG][1:]
    capital = sum(word[0].isupper() for word in long)
    return len(long) >= 2 and 3 * capital <= len(long)


def _without_end(parts: Iterable[str]) -> str:
    r"""Without a line break at the end, whose backslash would escape the brace that follows."""
    return "".join(parts).strip().rstrip("\\ ")


def _even(text: str) -> str:
    """`text` whose braces are even, whether or not those with a backslash count."""
    text = _BREAK.sub(r"\g<0> ", text)
    if not _is_even(text):
        pieces = _FORMULA.split(text)
        pieces[::2] = [_ESCAPED_BRACE.sub(lambda sign: _UNEVEN_IN_TEXT[sign[0]], one) for one in pieces[::2]]
        pieces[1::2] = [
            _ESCAPED_BRACE.sub(lambda sign: _UNEVEN_IN_MATH[sign[0]], one) for one in pieces[1::2]
        ]
        text = "".join(pieces)
    return text if _is_even(text) and _is_even(_ESCAPED_BRACE.sub("", text)) else _BRACE.sub("", text)


def _is_even(text: str) -> bool:
    depth = 0
    for sign in _BRACE.findall(text):
        depth += 1 if sign == "{" else -1
        if depth < 0:
            return False
    return depth == 0

"""The parts of a keyword between operators: phrases, authors, categories and so on."""

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Literal

from digest.errors import QueryError
from digest.keywords.analysis import (
    STOP_WORDS,
    bare,
    in_pairs,
    name_parts,
    name_words,
    spellings,
    stem,
    words,
)
from digest.keywords.ast import Author, Category, Identifier, Leaf, Phrase, Remark, Term
from digest.keywords.inflection import number_forms
from digest.model.categories import ARCHIVES, NAMES, category_code, nearest_category, starting_with
from digest.model.paper import parse_identifier

Prefix = Literal["", "ti", "abs", "au", "cat", "co", "jr", "id", "all"]

_STAR_INSIDE = re.compile(r"(?<=[^\W_])\*+(?=[^\W_])")
_OPEN_END = re.compile(r"[^\W_]\*+$")
_SHORTEST_START = 2
_IN_NO_NAME = re.compile(r"[\\()*:]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The text after a prefix, and its position: `value` begins at `start` of the whole `keyword`.

    With its quotes, it extends from `first` to `end`.
    """

    keyword: str
    start: int
    first: int
    end: int
    value: str
    exact: bool
    quoted: bool

    def error(
        self, expected: str, hint: str | None = None, *, offset: int = 0, instead: tuple[str, ...] = ()
    ) -> QueryError:
        remedies = tuple(map(self.instead, instead))
        return QueryError(self.keyword, self.start + offset, expected, hint, remedies=remedies)

    def instead(self, text: str) -> str:
        """The whole keyword with `text` in place of this part."""
        return f"{self.keyword[: self.first]}{text}{self.keyword[self.end :]}"


def leaf(prefix: Prefix, written: Written) -> Leaf:
    """The leaf for `written` with `prefix` (may be empty). Raises `QueryError`."""
    _check_marks(prefix, written)
    match prefix:
        case "cat":
            return _category(written)
        case "id":
            return _identifier(written)
        case "au":
            return _author(written)
        case "co" | "jr":
            return _remark(prefix, written)
        case _:
            return _phrase(prefix, written)


def _check_marks(prefix: Prefix, written: Written) -> None:
    in_text = prefix in ("", "ti", "abs")
    if written.exact and not in_text:
        expected = f"= searches for exact words in title or abstract; {prefix}: does not support it"
        raise written.error(expected, "remove the =")
    if "*" in written.value and not written.quoted and not in_text and prefix != "cat":
        hint = "* works in keywords without a prefix and after ti:, abs: and cat:"
        raise written.error(f"{prefix}: does not support *", hint, offset=written.value.index("*"))


def _some_words(written: Written) -> tuple[str, ...]:
    found = tuple(words(written.value))
    if not found:
        raise written.error("a word is expected here", "a keyword needs at least one letter or digit")
    return found


def _phrase(prefix: Literal["", "ti", "abs", "all"], written: Written) -> Phrase:
    _some_words(written)
    spoken = [(word, False) for word in words(written.value)] if written.quoted else _spoken(written)
    significant = [place for place, (word, is_open) in enumerate(spoken) if is_open or stem(word) is not None]
    # arXiv also searches a quoted phrase in an index that includes stop words.
    exact = written.exact or (written.quoted and not significant)
    if exact:
        spoken = [(bare(word), False) for word, _ in spoken]
    elif not significant:
        expected = "arXiv ignores these words because they are so common: nothing can match"
        hint, instead = "add a more specific word", tuple[str, ...]()
        if len(spoken) > 1:
            hint = "use quotes to search for exactly these words"
            instead = (f'"{written.value}"',) if len(words(written.value)) > 1 else ()
        raise written.error(expected, hint, instead=instead)
    first, last = (0, len(spoken) - 1) if exact or prefix == "all" else (significant[0], significant[-1])
    spoken = spoken[first : last + 1]
    terms = (_term(offset, *word, exact=exact) for offset, word in enumerate(spoken))
    return Phrase(
        prefix=prefix,
        written=written.value,
        exact=exact,
        words=tuple(word for word, _ in spoken),
        terms=tuple(term for term in terms if term),
    )


def _term(offset: int, word: str, is_open: bool, *, exact: bool) -> Term | None:
    """A word with letters that are not plain also matches its plain spelling."""
    if is_open:
        return Term(offset=offset, start=word)
    if not exact:
        stems = dict.fromkeys(stem(spelling) for spelling in spellings(word))
        found = tuple(one for one in stems if one is not None)
        return Term(offset=offset, stems=found) if found else None
    if word in STOP_WORDS:
        return Term(offset=offset, forms=(word,))
    forms = {form for spelling in spellings(word) for form in number_forms(spelling)}
    return Term(offset=offset, forms=tuple(sorted(form for form in forms if form not in STOP_WORDS)))


def _spoken(written: Written) -> list[tuple[str, bool]]:
    """The words of an unquoted phrase, and for each, whether `*` makes it the beginning of a word."""
    spoken = []
    for chunk in re.finditer(r"\S+", written.value):
        found = words(chunk[0])
        is_open = "*" in chunk[0] and _leaves_open(written, chunk.start(), chunk[0])
        spoken += [(word, is_open and place == len(found)) for place, word in enumerate(found, start=1)]
    return spoken


def _leaves_open(written: Written, start: int, chunk: str) -> bool:
    """Whether `*` at the end of `chunk` is a wildcard; elsewhere it is punctuation, as in `C*-algebra`."""
    inside = _STAR_INSIDE.search(chunk)
    if chunk.startswith("*") or inside:
        place = start + (inside.start() if inside else 0)
        raise written.error("* may stand only at the end of a word", "for example: neur*", offset=place)
    if not _OPEN_END.search(chunk):
        return False
    place = start + chunk.index("*")
    if written.exact:
        expected = "= searches for a whole word, * for the beginning of a word"
        raise written.error(expected, "use one of the two", offset=place)
    last = words(chunk)[-1:]  # empty for signs such as ¼
    if not last or len(last[0]) < _SHORTEST_START:
        hint = 'write more letters, or put a name with a star in quotes, for example "A* search"'
        instead = (f'"{written.value}"',) if len(words(written.value)) > 1 else ()
        raise written.error("* needs at least two letters before it", hint, offset=place, instead=instead)
    return True


def _author(written: Written) -> Author:
    _some_words(written)
    author = _named(written, written.value)
    paired = _named(written, in_pairs(written.value))
    return author if paired == author else replace(author, paired=paired)


def _named(written: Written, name: str) -> Author:
    # In the folded name, compatibility forms of brackets would become brackets.
    surname, comma, given = _IN_NO_NAME.sub("", unicodedata.normalize("NFKC", name)).partition(",")
    name = f"{given} {surname}" if comma else surname.replace("_", " ")
    pieces = name.split()
    if "_" in written.value and len(pieces) > 1 and len(pieces[-1]) == 1:
        pieces = pieces[-1:] + pieces[:-1]
    pieces = [piece for piece in pieces if name_parts(piece)]
    if not pieces:
        raise written.error("a name is expected here", "for example: au:noether")
    return Author(
        written=written.value,
        parts=tuple(part for piece in pieces for part in name_parts(piece)),
        given=tuple(word for piece in pieces[:-1] for word in name_words(piece)),
        surname=name_parts(pieces[-1])[-1],
    )


def _remark(prefix: Literal["co", "jr"], written: Written) -> Remark:
    found = tuple(word for word in _some_words(written) if word not in STOP_WORDS)
    if not found:
        expected = "arXiv ignores these words because they are so common: nothing can match"
        raise written.error(expected, "add a more specific word")
    return Remark(prefix=prefix, written=written.value, words=found)


def _identifier(written: Written) -> Identifier:
    try:
        return Identifier(written=parse_identifier(written.value)[0])
    except ValueError:
        raise written.error("an arXiv identifier is expected here", "for example: id:2606.01234") from None


def _category(written: Written) -> Category:
    value = written.value
    code = category_code(value)
    if code:
        return Category(written=code)
    start = value.removesuffix("*")
    if start != value and start and (alike := starting_with(start)):
        return Category(written=f"{alike[0][: len(start)]}*")
    if value.lower() in ARCHIVES:
        expected = f"{value} is an archive of several categories; no paper is in the archive itself"
        whole = f"{value.lower()}.*"
        raise written.error(expected, "use a star for all of them", instead=(whole,))
    nearest = nearest_category(start)
    if not nearest:
        raise written.error("unknown category", "see https://arxiv.org/category_taxonomy")
    hint = f"did you mean cat:{nearest} ({NAMES[nearest]})?"
    raise written.error("unknown category", hint, instead=(nearest,))

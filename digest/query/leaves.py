"""The parts of a keyword that stand between operators: phrases, authors, categories and the rest."""

import re
from dataclasses import dataclass
from typing import Literal

from digest.categories import ARCHIVES, NAMES, category_code, nearest_category, starting_with
from digest.errors import QueryError
from digest.papers import parse_identifier
from digest.plurals import number_forms
from digest.query.tree import Author, Category, Identifier, Leaf, Phrase, Remark, Term
from digest.text import STOP_WORDS, name_words, stem, without_possessive, words

Prefix = Literal["", "ti", "abs", "au", "cat", "co", "jr", "id", "all"]

_STAR_INSIDE = re.compile(r"(?<=[^\W_])\*+(?=[^\W_])")
_OPEN_END = re.compile(r"[^\W_]\*+$")
_SHORTEST_START = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What stands after a prefix, and where: `value` begins at `start` of the whole `keyword`."""

    keyword: str
    start: int
    value: str
    exact: bool
    quoted: bool

    def error(self, expected: str, hint: str | None = None, *, offset: int = 0) -> QueryError:
        return QueryError(self.keyword, self.start + offset, expected, hint)


def leaf(prefix: Prefix, written: Written) -> Leaf:
    """The leaf that `written` is under `prefix` (empty for none). Raises `QueryError`."""
    _check_marks(prefix, written)
    match prefix:
        case "cat":
            return _category(written)
        case "id":
            return _identifier(written)
        case "au":
            return _author(written)
        case "co" | "jr":
            return Remark(prefix=prefix, written=written.value, words=_some_words(written))
        case _:
            return _phrase(prefix, written)


def _check_marks(prefix: Prefix, written: Written) -> None:
    in_text = prefix in ("", "ti", "abs")
    if written.exact and not in_text:
        expected = f"= asks for the exact words in title or abstract; {prefix}: does not take it"
        raise written.error(expected, "remove the =")
    if "*" in written.value and not written.quoted and not in_text and prefix != "cat":
        hint = "* works in keywords without a prefix and after ti:, abs: and cat:"
        raise written.error(f"{prefix}: does not take *", hint, offset=written.value.index("*"))


def _some_words(written: Written) -> tuple[str, ...]:
    found = tuple(words(written.value))
    if not found:
        raise written.error("a word is expected here", "a keyword needs at least one letter or digit")
    return found


def _phrase(prefix: Literal["", "ti", "abs", "all"], written: Written) -> Phrase:
    _some_words(written)
    spoken = [(word, False) for word in words(written.value)] if written.quoted else _spoken(written)
    if written.exact:
        spoken = [(without_possessive(word), False) for word, _ in spoken]
    telling = [place for place, (word, is_open) in enumerate(spoken) if is_open or word not in STOP_WORDS]
    if not telling:
        expected = "these words are so common that arXiv does not index them: nothing could match"
        raise written.error(expected, "add a word that says what the papers are about")
    first, last = telling[0], telling[-1]
    if written.exact or prefix == "all":
        first, last = 0, len(spoken) - 1
    spoken = spoken[first : last + 1]
    terms = (_term(offset, *word, exact=written.exact) for offset, word in enumerate(spoken))
    return Phrase(
        prefix=prefix,
        written=written.value,
        exact=written.exact,
        words=tuple(word for word, _ in spoken),
        terms=tuple(term for term in terms if term),
    )


def _term(offset: int, word: str, is_open: bool, *, exact: bool) -> Term | None:
    if is_open:
        return Term(offset=offset, start=word)
    if exact:
        forms = number_forms(word) if word not in STOP_WORDS else (word,)
        return Term(
            offset=offset, forms=tuple(form for form in forms if form == word or form not in STOP_WORDS)
        )
    stemmed = stem(word)
    return Term(offset=offset, stem=stemmed) if stemmed is not None else None


def _spoken(written: Written) -> list[tuple[str, bool]]:
    """The words of an unquoted phrase, each with whether `*` leaves its end open."""
    spoken = []
    for chunk in re.finditer(r"\S+", written.value):
        found = words(chunk[0])
        is_open = "*" in chunk[0] and _leaves_open(written, chunk.start(), chunk[0])
        spoken += [(word, is_open and place == len(found)) for place, word in enumerate(found, start=1)]
    return spoken


def _leaves_open(written: Written, start: int, chunk: str) -> bool:
    """Whether `*` at the end of `chunk` makes a wildcard; elsewhere it is punctuation, as in `C*-algebra`."""
    inside = _STAR_INSIDE.search(chunk)
    if chunk.startswith("*") or inside:
        place = start + (inside.start() if inside else 0)
        raise written.error("* may stand only at the end of a word", "for example: neur*", offset=place)
    if not _OPEN_END.search(chunk):
        return False
    place = start + chunk.index("*")
    if written.exact:
        expected = "= asks for a whole word, * for the beginning of one"
        raise written.error(expected, "keep one of the two", offset=place)
    if len(words(chunk)[-1]) < _SHORTEST_START:
        hint = f'write more of the word, or put a name with a star in quotes: "{written.value}"'
        raise written.error("* needs at least two letters before it", hint, offset=place)
    return True


def _author(written: Written) -> Author:
    _some_words(written)
    surname, comma, given = written.value.partition(",")
    name = name_words(surname)
    if comma:
        name = name_words(given) + name
    elif "_" in written.value and len(name) > 1 and len(name[-1]) == 1:
        name = name[-1:] + name[:-1]
    return Author(written=written.value, words=tuple(name))


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
        expected = f"no paper is in {value} itself: it is an archive of several categories"
        raise written.error(expected, f"write cat:{value.lower()}.* for all of them")
    nearest = nearest_category(start)
    hint = (
        f"did you mean cat:{nearest} ({NAMES[nearest]})?"
        if nearest
        else "see https://arxiv.org/category_taxonomy"
    )
    raise written.error("unknown category", hint)

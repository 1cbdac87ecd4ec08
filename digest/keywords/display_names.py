"""A readable name for each keyword: `cat:math.CO` is shown as "Combinatorics", `au:doe` as "by doe"."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from digest.errors import QueryError
from digest.keywords.ast import AllOf, AnyOf, Author, Category, Identifier, Leaf, Node, Phrase, Remark
from digest.keywords.query import parse
from digest.model.categories import ARCHIVE_NAMES, NAMES, category_code

_KEPT = 50_000
_FIELDS = {"ti": " in the title", "abs": " in the abstract", "co": " in the comment", "jr": " in the journal"}


def keyword_names(keywords: Iterable[str], own: Mapping[str, str] | None = None) -> dict[str, str]:
    """The name of each keyword; `own` are names that the subscriber gave.

    Where two keywords would have the same name, each is shown as it was written.
    """
    given = own or {}
    names = {keyword: given.get(keyword) or readable_name(keyword) for keyword in keywords}
    uses = Counter(name.casefold() for name in names.values())
    return {
        keyword: name if uses[name.casefold()] == 1 or keyword in given else keyword
        for keyword, name in names.items()
    }


@lru_cache(maxsize=_KEPT)
def readable_name(keyword: str) -> str:
    """The keyword in words; as it was written if only an earlier version of the language accepts it."""
    try:
        return _name(parse(keyword).root)
    except QueryError:
        return keyword


def _name(node: Node) -> str:
    match node:
        case AnyOf():
            return " or ".join(map(_operand, node.operands))
        case AllOf():
            return _all_of(node)
        case _:
            return _leaf(node)


def _all_of(node: AllOf) -> str:
    """Subjects first, then persons, then categories: `proof search by doe in Logic, without survey`."""
    subjects = [one for one in node.wanted if not isinstance(one, Author | Category)]
    persons = [one for one in node.wanted if isinstance(one, Author)]
    categories = [one for one in node.wanted if isinstance(one, Category)]
    parts = [
        " and ".join(map(_operand, subjects)),
        " and ".join(map(_leaf, persons)),
        " and ".join(map(_leaf, categories)),
    ]
    name = " in ".join(filter(None, (" ".join(filter(None, parts[:2])), parts[2])))
    refused = " or ".join(map(_operand, node.unwanted))
    return f"{name}, without {refused}" if refused else name


def _operand(node: Node) -> str:
    return f"({_name(node)})" if isinstance(node, AnyOf | AllOf) else _name(node)


def _leaf(leaf: Leaf) -> str:
    match leaf:
        case Category():
            archive, _, rest = leaf.written.partition(".")
            whole = ARCHIVE_NAMES.get(archive) if rest == "*" else None
            return NAMES.get(category_code(leaf.written) or "") or whole or leaf.written
        case Author():
            return f"by {leaf.written.replace('_', ' ')}"
        case Identifier():
            return f"arXiv:{leaf.written}"
        case Phrase() | Remark():
            return f"{leaf.written}{_FIELDS.get(leaf.prefix, '')}"

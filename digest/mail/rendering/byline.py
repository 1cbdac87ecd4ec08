"""The authors of a paper in one line: `A and B`, `A, B and C`, `A, …, I, 12 more and Z`."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from digest.mail.rendering.richtext import RichText

_ALL_NAMED = 11
_FIRST_NAMED = 9


def named_authors(authors: Sequence[str]) -> tuple[str, ...]:
    """Those who are named: all of eleven, else the first nine and the last, who often leads the group."""
    if len(authors) <= _ALL_NAMED:
        return tuple(authors)
    return (*authors[:_FIRST_NAMED], authors[-1])


@dataclass(frozen=True, slots=True)
class Byline:
    """The names that templates print; empty without authors. `more` authors are only counted."""

    authors: tuple[RichText, ...]
    more: int = 0

    def __str__(self) -> str:
        return _enumerated([*map(str, self.authors)], self.more)

    def __html__(self) -> str:
        return _enumerated([isolated(author) for author in self.authors], self.more)

    @property
    def short(self) -> "ShortByline":
        return ShortByline(self.authors, is_whole=not self.more)


@dataclass(frozen=True, slots=True)
class ShortByline:
    """The names on a paper's line: both of two authors, else the first one and `et al.`"""

    authors: tuple[RichText, ...]
    is_whole: bool = True

    def __str__(self) -> str:
        return self._of([*map(str, self.authors[:2])])

    def __html__(self) -> str:
        return self._of([isolated(author) for author in self.authors[:2]])

    def _of(self, names: Sequence[str]) -> str:
        is_whole = self.is_whole and len(self.authors) <= len(names)
        return " and ".join(names) if is_whole else f"{names[0]} et al."


def isolated(text: RichText) -> Markup:
    """Prevents that right-to-left text changes the direction of its neighbours."""
    return Markup("<bdi>{}</bdi>").format(text) if text.is_right_to_left else escape(text)


def _enumerated(names: Sequence[str], more: int) -> str:
    *others, last = names or [""]
    if more:
        others.append(f"{more} more")
    return f"{', '.join(others)} and {last}" if others else last

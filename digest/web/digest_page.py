"""What the page of a digest shows: its papers by keyword, as in the mail, but all of them in full."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from digest.mail.citations.coins import context_object
from digest.mail.rendering.frame import names_for
from digest.mail.rendering.highlight import matched_words
from digest.mail.rendering.paper_view import Card, build_card, shown_abstract
from digest.mail.rendering.richtext import converted, to_html
from digest.mail.rendering.urls import LINK_STYLE
from digest.model.digest import Digest, Entry, groups
from digest.model.paper import Paper


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordLink:
    """A keyword by its name for readers; `url` is its page, if it has one."""

    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPaper:
    """A paper in full. `keywords` are those that it matches besides the one of its group."""

    card: Card
    coins: str
    abstract: Markup | None
    comment: Markup | None
    keywords: tuple[KeywordLink, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGroup:
    """The papers under one keyword; `elsewhere` counts those that stand under a rarer one."""

    anchor: str
    keyword: KeywordLink
    papers: tuple[ShownPaper, ...]
    elsewhere: int


def shown_groups(digest: Digest, pages: Mapping[str, str]) -> Iterator[ShownGroup]:
    """The groups in the order of the mail, and with its anchors."""
    names = names_for(digest)
    links = {keyword: KeywordLink(name=name, url=pages.get(keyword)) for keyword, name in names.items()}
    for place, group in enumerate(groups(digest), start=1):
        yield ShownGroup(
            anchor=f"g{place}",
            keyword=links.get(group.keyword) or KeywordLink(name="Other papers"),
            papers=tuple(_shown_entry(entry, group.keyword, links) for entry in group.entries),
            elsewhere=group.papers - len(group.entries),
        )


def shown_paper(
    paper: Paper, words: tuple[str, ...] = (), keywords: tuple[KeywordLink, ...] = ()
) -> ShownPaper:
    """`words` are marked in the abstract."""
    card = build_card(paper)
    abstract = to_html(converted(shown_abstract(paper)), words, is_linked=True) if card.abstract else ""
    return ShownPaper(
        card=card,
        coins=context_object(paper),
        abstract=_unstyled(abstract),
        comment=_unstyled(card.comment.__html__() if card.comment else ""),
        keywords=keywords,
    )


def _unstyled(html: str) -> Markup | None:
    """Of a mail's HTML, whose texts are escaped, what a page takes: its policy allows no inline style."""
    return Markup(html.replace(LINK_STYLE, "")) if html else None  # noqa: S704


def _shown_entry(entry: Entry, of_group: str, links: Mapping[str, KeywordLink]) -> ShownPaper:
    others = tuple(links[keyword] for keyword in entry.keywords if keyword != of_group)
    return shown_paper(entry.paper, matched_words(entry.paper, entry.keywords), others)

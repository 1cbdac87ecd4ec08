"""The address of a feed of arXiv as keywords.

Feeds by category: https://info.arxiv.org/help/rss.html (`rss.arxiv.org/rss/cs.AI+q-bio.NC`, `/atom/…`; before
2024 at `arxiv.org/rss/…` and `export.arxiv.org/rss/…`). By search:
https://info.arxiv.org/help/api/user-manual.html (`export.arxiv.org/api/query?search_query=…`). By author:
https://info.arxiv.org/help/author_identifiers.html (`arxiv.org/a/NAME_1.atom`). Some programs watch a page
(`arxiv.org/list/cs.LG/recent`) as if it were a feed.
"""

import re
from urllib.parse import parse_qs, unquote, urlsplit

from digest.cli.moving.arxiv_query import keyword_of_query
from digest.cli.moving.found import Asked, NotAKeyword
from digest.model.categories import ARCHIVE_NAMES, category_code, nearest_category

_FEED = re.compile(r"/(?:rss|atom|list)/(?P<categories>[^/]+)(?:/[a-z]+)?/?")
_AUTHOR = re.compile(r"/a/(?P<name>[a-z-]+(?:_[a-z-]+)*)_\d+(?:\.atom2?|\.json|\.rss)?/?", re.IGNORECASE)
_VERSION = re.compile(r"\.xml$|\.rss$|\.atom$")


def is_of_arxiv(address: str) -> bool:
    """Whether the address is one of arXiv's."""
    try:
        host = urlsplit(address.strip()).hostname or ""
    except ValueError:
        return False
    return host == "arxiv.org" or host.endswith(".arxiv.org")


def keywords_of_address(address: str) -> tuple[Asked, ...]:
    """The keywords of a feed of arXiv; several if it joins categories. Raises `NotAKeyword`."""
    parts = urlsplit(address.strip())
    path = unquote(parts.path)
    if path.rstrip("/") == "/api/query":
        return (_searched(parts.query),)
    if found := _FEED.fullmatch(path):
        names = _VERSION.sub("", found["categories"]).replace(" ", "+").split("+")
        if not any(names):
            raise NotAKeyword("it names no category")
        return tuple(keyword_of_category(name) for name in names if name)
    if found := _AUTHOR.fullmatch(path):
        note = "arXiv's feed is of one person; the keyword finds everyone of this name"
        return (Asked(keyword=f"au:{found['name'].lower()}", notes=(note,)),)
    raise NotAKeyword("it is no feed: neither of categories, nor of a search, nor of an author")


def keyword_of_category(name: str) -> Asked:
    """Of a category or a whole archive, by its code in upper or lower case. Raises `NotAKeyword`."""
    if code := category_code(name):
        return Asked(keyword=f"cat:{code}")
    if name.lower() in ARCHIVE_NAMES:
        return Asked(keyword=f"cat:{name.lower()}.*")
    near = nearest_category(name)
    raise NotAKeyword(f"{name} is no category of arXiv{f'; did you mean {near}?' if near else ''}")


def _searched(query: str) -> Asked:
    fields = parse_qs(query)
    wanted = " ".join(fields.get("search_query", ())).strip()
    if wanted:
        return keyword_of_query(wanted)
    if fields.get("id_list"):
        raise NotAKeyword("it lists single papers, which are not new any more")
    raise NotAKeyword("it has no search_query")

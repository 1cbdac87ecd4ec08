"""COinS: a paper as an OpenURL (ANSI/NISO Z39.88-2004), for the title of an empty `<span class="Z3988">`.

The keys are those that Zotero reads, in the order that it needs: `rft.type`, which makes a preprint of the
item, after `rft.atitle`, which it takes only for an article.
"""

from collections.abc import Iterator
from urllib.parse import quote

from digest.mail.citations.names import Name
from digest.mail.citations.reference import build_reference
from digest.model.paper import Paper


def context_object(paper: Paper) -> str:
    return "&".join(f"{key}={quote(value, safe='')}" for key, value in _pairs(paper))


def _pairs(paper: Paper) -> Iterator[tuple[str, str]]:
    reference = build_reference(paper)
    yield "ctx_ver", "Z39.88-2004"
    yield "rft_val_fmt", "info:ofi/fmt:kev:mtx:journal"
    yield "rft.genre", "preprint"
    yield "rft.atitle", reference.title
    for author in reference.authors:
        yield "rft.au", _author(author)
    yield "rft.date", reference.date("-")
    yield "rft_id", f"info:doi/{reference.doi}"
    yield "rft_id", paper.abs_url
    yield "rft.description", reference.abstract
    yield "rft.type", "preprint"


def _author(name: Name) -> str:
    """Family name first. Zotero takes apart what has no comma, and keeps nothing after a second one."""
    if name.is_whole:
        return f"{name.family}," if " " in name.family else name.family
    return f"{name.surname}, {name.given}{f' {name.suffix}' if name.suffix else ''}"

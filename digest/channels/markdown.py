"""A digest as a Markdown file, for notes or a static site."""

import json
import re
from collections.abc import Iterator

from digest.channels.base import Post
from digest.config.parsing import CHANNEL
from digest.mail.citations.markdown import markdown_text
from digest.mail.rendering.frame import names_for
from digest.mail.rendering.richtext import RichText
from digest.model.digest import Digest, Entry, Revision, groups
from digest.model.paper import Paper, one_line

GENERATOR = "arxiv-digest"
_ADDRESS = re.compile(r":(?=//)|(?<=www)\.|@", re.IGNORECASE)


def write_markdown(post: Post, *, with_abstracts: bool) -> str:
    """Front matter, then the papers by keyword. The same text for each attempt at the same mailing."""
    return "\n".join((*_front_matter(post), *_body(post.digest, with_abstracts=with_abstracts), ""))


def mark_of(token: str) -> str:
    """The line of the front matter by which the file of a mailing is known."""
    return f"digest: {token}"


def _front_matter(post: Post) -> Iterator[str]:
    """Its texts are JSON strings, which YAML and TOML of all tools read alike."""
    digest = post.digest
    yield "---"
    yield f"title: {json.dumps(f'{post.title}, {digest.dated_on:%Y-%m-%d}', ensure_ascii=False)}"
    yield f"date: {digest.dated_on:%Y-%m-%d}"
    yield f"channel: {digest.email.removeprefix(CHANNEL)}"
    yield f"papers: {len(digest.entries)}"
    yield f"generator: {GENERATOR}"
    yield mark_of(post.token)
    yield "---"


def _body(digest: Digest, *, with_abstracts: bool) -> Iterator[str]:
    names = names_for(digest)
    for group in groups(digest):
        yield f"\n## {_inline(names.get(group.keyword, 'Other papers'))}\n"
        for entry in group.entries:
            yield from _entry(entry, with_abstract=with_abstracts)
    if digest.revisions:
        yield "\n## New versions\n"
        yield from map(_revision, digest.revisions)


def _entry(entry: Entry, *, with_abstract: bool) -> Iterator[str]:
    paper = entry.paper
    names = ", ".join(_inline(str(RichText(author))) for author in paper.authors)
    yield f"- {_linked(paper)}  \n  {names}{' · ' if names else ''}{', '.join(paper.categories)}"
    if with_abstract and paper.abstract:
        yield f"\n  {_inline(str(RichText(paper.abstract)))}\n"


def _revision(revision: Revision) -> str:
    paper = revision.paper
    return f"- {_linked(paper)}: version {paper.version}, you had {revision.from_version}"


def _linked(paper: Paper) -> str:
    return f"[{_inline(str(RichText(paper.title)))}]({paper.abs_url})"


def _inline(text: str) -> str:
    """The text in one line as it is. An address in it makes no link: one within a title would end ours."""
    return _ADDRESS.sub(lambda found: f"&#{ord(found[0])};", markdown_text(one_line(text)))

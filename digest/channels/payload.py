"""The JSON of a digest. docs/channels.md describes it, and templates/digest.schema.json is its schema."""

import json
from datetime import datetime
from typing import Any

from digest.channels.base import Post
from digest.config.parsing import CHANNEL
from digest.mail.rendering.richtext import RichText
from digest.model.digest import Digest
from digest.model.paper import Paper

VERSION = 1
"""Raised only if a receiver must be changed. New fields may come at any time."""


def payload(post: Post) -> bytes:
    """The same bytes for each attempt at the same mailing."""
    digest = post.digest
    data = {
        "id": post.token,
        "channel": digest.email.removeprefix(CHANNEL),
        "title": post.title,
        "is_test": post.is_test,
        "page": post.page,
        **digest_fields(digest),
    }
    whole = {"type": "digest", "version": VERSION, "timestamp": _moment(digest.planned_at), "data": data}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def digest_fields(digest: Digest) -> dict[str, Any]:
    """What the JSON of every digest has, wherever it is sent."""
    names = dict(digest.names)
    return {
        "date": digest.dated_on.isoformat(),
        "is_first": digest.is_first,
        "keywords": [{"keyword": text, "name": names.get(text)} for text in digest.keywords],
        "papers": [{**_paper(entry.paper), "keywords": list(entry.keywords)} for entry in digest.entries],
        "revisions": [{**_paper(one.paper), "from_version": one.from_version} for one in digest.revisions],
    }


def _paper(paper: Paper) -> dict[str, Any]:
    """Title and abstract are in Unicode, those of arXiv with their TeX beside them."""
    return {
        "id": paper.id,
        "version": paper.version,
        "title": str(RichText(paper.title)),
        "authors": [str(RichText(author)) for author in paper.authors],
        "abstract": str(RichText(paper.abstract)),
        "categories": list(paper.categories),
        "submitted_at": paper.submitted_at and _moment(paper.submitted_at),
        "updated_at": paper.updated_at and _moment(paper.updated_at),
        "comment": paper.comment,
        "journal_ref": paper.journal_ref,
        "doi": paper.doi,
        "url": paper.abs_url,
        "pdf_url": paper.pdf_url,
        "tex": {"title": paper.title, "abstract": paper.abstract},
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

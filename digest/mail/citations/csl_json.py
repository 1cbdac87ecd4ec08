"""CSL-JSON (https://docs.citationstyles.org), with the fields that Zotero gives to a preprint of arXiv."""

import json
from collections.abc import Iterable
from typing import Any

from digest.mail.citations.names import Name
from digest.mail.citations.reference import Reference, references
from digest.model.paper import Paper


def write_csl_json(papers: Iterable[Paper]) -> str:
    items = [_item(reference) for reference in references(papers)]
    return json.dumps(items, ensure_ascii=False, indent=2) + "\n"


def _item(reference: Reference) -> dict[str, Any]:
    """`article` is CSL's type for what no journal has printed."""
    parts = (reference.year, reference.month, reference.day)
    item = {
        "id": reference.key,
        "type": "article",
        "genre": "Preprint",
        "title": reference.title,
        "author": [_name(author) for author in reference.authors],
        "issued": {"date-parts": [[part for part in parts if part]]},
        "publisher": "arXiv",
        "number": f"arXiv:{reference.id}",
        "archive": "arXiv",
        "archive_location": reference.id,
        "DOI": reference.doi,
        "URL": reference.paper.abs_url,
        "abstract": reference.abstract,
        "note": reference.journal_ref,
    }
    return {name: value for name, value in item.items() if value}


def _name(name: Name) -> dict[str, str]:
    if name.is_whole:
        return {"literal": name.family}
    parts = {
        "family": name.family,
        "given": name.given,
        "non-dropping-particle": name.particle,
        "suffix": name.suffix,
    }
    return {part: text for part, text in parts.items() if text}

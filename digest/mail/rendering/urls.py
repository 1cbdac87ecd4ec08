"""Web addresses in a text, and links to them: http and https only, without the punctuation around them."""

import re

from markupsafe import escape

_ADDRESS = re.compile(
    r"(?<![\w@./-])https?://(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?(?:[/?#][^\s<>\"“”‘’«»{}|\\^`]*)?",
    re.IGNORECASE,
)
_PUNCTUATION = ".,;:!?'*_"
_PAIRS = {")": "(", "]": "["}

LINK_STYLE = ' style="color:#b31b1b"'
"""What links need in mails, where style sheets may be dropped. No escaped text has it."""


def addresses(text: str) -> list[tuple[int, int]]:
    """The start and the end of each address in `text`; without those that are cut off with an ellipsis."""
    if "://" not in text:
        return []
    whole = [found for found in _ADDRESS.finditer(text) if not found[0].endswith("…")]
    return [(found.start(), found.start() + len(_trimmed(found[0]))) for found in whole]


def linked(address: str, html: str) -> str:
    """A link to `address`, which shows `html`."""
    return f'<a href="{escape(address)}"{LINK_STYLE}>{html}</a>'


def _trimmed(address: str) -> str:
    """Without what belongs to the sentence: its punctuation, and brackets that were opened before."""
    while address:
        last = address[-1]
        opening = _PAIRS.get(last)
        if last not in _PUNCTUATION and (not opening or address.count(opening) >= address.count(last)):
            break
        address = address[:-1]
    return address

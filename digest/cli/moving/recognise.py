"""Finds out which program a file is of."""

from digest.cli.moving.feeds import feeds_of_lines, feeds_of_opml, subscriptions_of_feeds
from digest.cli.moving.found import Subscriptions
from digest.cli.moving.mailing_lists import is_request, subscriptions_of_request
from digest.cli.moving.zotero_daily import is_configuration, subscriptions_of_configuration
from digest.config.parsing import decoded
from digest.errors import ConfigurationError


def subscriptions_of(document: bytes, label: str) -> Subscriptions | None:
    """`None` if the file is of none of these programs, and may be a page of papers.

    Raises `ConfigurationError`, which calls the file `label`.
    """
    if _is_xml(document):
        try:
            return subscriptions_of_feeds("a feed reader (OPML)", feeds_of_opml(document))
        except ConfigurationError as error:
            raise ConfigurationError(f"{label}: {error}") from error
    text = decoded(document, label)
    if is_request(text):
        return subscriptions_of_request(text)
    if is_configuration(text):
        return subscriptions_of_configuration(text)
    feeds = feeds_of_lines(text)
    return subscriptions_of_feeds("a list of feeds", feeds) if feeds else None


def _is_xml(document: bytes) -> bool:
    start = document[:4096].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00").replace(b"\x00", b"").lower()
    return start.startswith((b"<?xml", b"<opml", b"<!doctype opml"))

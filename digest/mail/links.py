"""Where a digest may lead its subscriber on the web; without a web server, nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Web addresses of one subscriber and one digest, each `None` where there is no such page.

    `leave_by_mail` is the address at which any mail unsubscribes the subscriber, where such mails are read.
    `unsubscribe` takes one click (RFC 8058), `manage` leads to the subscriber's preferences, `online` to this
    digest; `keyword_pages` to what a keyword, as the subscriber wrote it, brought lately.
    """

    unsubscribe: str | None = None
    leave_by_mail: str | None = None
    manage: str | None = None
    online: str | None = None
    keyword_pages: Mapping[str, str] | None = None


NO_LINKS = Links()

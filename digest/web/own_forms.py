"""Whether a form was sent from a page of this installation, and how long after the page was made."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from urllib.parse import urlsplit

from digest.web.signing import Signer


class FormSigner:
    """Signs the time at which a form was shown. `purpose` distinguishes the forms of different pages."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._signer = Signer(key)
        self._purpose = purpose

    def stamp(self, now: datetime) -> str:
        seconds = f"{int(now.timestamp())}"
        return f"{seconds}.{self._signer.derive(self._purpose, seconds)}"

    def age(self, stamp: str, now: datetime) -> timedelta | None:
        """How old a stamp is; `None` if it is not one of ours."""
        seconds, _, code = stamp.partition(".")
        wanted = self._signer.derive(self._purpose, seconds)
        if not compare_digest(code.encode(errors="replace"), wanted.encode()):
            return None
        return now - datetime.fromtimestamp(int(seconds), UTC)


def is_foreign(headers: Mapping[str, str], base_url: str) -> bool:
    """Whether a browser says that the request comes from a page of another site.

    Our pages have the policy `no-referrer`, so that browsers send `Origin: null` also for their own forms:
    https://fetch.spec.whatwg.org/#append-a-request-origin-header. `Sec-Fetch-Site` distinguishes these.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("Origin", "null")
    return origin not in {"null", origin_of(base_url)}


def origin_of(url: str) -> str:
    """As a browser writes it in `Origin`: without the usual port."""
    parts = urlsplit(url)
    port = "" if parts.port in {None, 443 if parts.scheme == "https" else 80} else f":{parts.port}"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"

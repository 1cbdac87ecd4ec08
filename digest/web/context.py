"""What the sites of the pages share, without HTTP: their context, and what they find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from digest.config.parsing import address_key
from digest.config.web_settings import Web
from digest.storage.signups import SignupLimits
from digest.subscribers.subscriber import Subscriber
from digest.web.pages import Notice, Pages

Subscribers = Callable[[], Sequence[Subscriber]]
"""The subscribers in subscribers.toml, as it is now."""

_Read = TypeVar("_Read", covariant=True)
_Change = TypeVar("_Change", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteContext(Generic[_Read, _Change]):
    """What each site needs. `store` is only read; `changing` is the same state for changes, which may wait.

    A site names the protocols of the store that it uses.
    """

    base_url: str
    store: _Read
    changing: _Change
    pages: Pages
    subscribers: Subscribers
    clock: Callable[[], datetime]


class SiteBase(Generic[_Read, _Change]):
    """A site over the parts of its context."""

    def __init__(self, context: SiteContext[_Read, _Change]) -> None:
        self._base_url = context.base_url
        self._store = context.store
        self._changing = context.changing
        self._pages = context.pages
        self._subscribers = context.subscribers
        self._clock = context.clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page, a feed or a file to save as `filename`; `is_refused`: it says what to correct in the form.

    `policy`: the Content-Security-Policy of a page with a script.
    """

    body: bytes
    content_type: str = "text/html"
    filename: str | None = None
    is_refused: bool = False
    policy: str | None = None


def signup_limits(settings: Web) -> SignupLimits:
    """For each kind of mail to addresses that somebody typed."""
    return SignupLimits(per_hour=settings.signups_per_hour, per_network=settings.signups_per_network)


def found_page(html: str, notice: Notice | None = None, *, is_refused: bool = False) -> Found:
    """A page without a script. What its notice says may be that the form was refused."""
    return Found(body=html.encode(), is_refused=is_refused or bool(notice and notice.is_failure))


def subscriber_among(everybody: Sequence[Subscriber], email: str) -> Subscriber | None:
    """The subscriber as in the entry. The first, fast comparison finds most."""
    for one in everybody:
        if one.email == email:
            return one
    address = address_key(email)
    return next((one for one in everybody if address_key(one.email) == address), None)

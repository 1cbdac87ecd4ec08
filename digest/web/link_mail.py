"""The page that mails somebody the link to their preferences: by their mailbox, never by a password.

The methods of the site read or write the state: call them outside of the event loop.
"""

from collections.abc import Iterable
from datetime import timedelta

from aiohttp import web

from digest.config.parsing import parse_address
from digest.config.web_settings import Web
from digest.storage.confirmations import PageChange
from digest.storage.personal_data import LinkMailStore
from digest.storage.signups import SignupAnswer, TypedMail
from digest.web.context import Found, SiteContext, found_page, signup_limits
from digest.web.frame import Frame, require_form, response_for
from digest.web.keyword_rows import Sent, first_text
from digest.web.own_forms import FormSigner, is_foreign
from digest.web.pages import Notice

LATEST = timedelta(days=1)

MAILED = Notice(
    title="Look into your mailbox.",
    text="If this address gets digests, a mail with the link is on its way. An address gets at most one such"
    " mail a day.",
)
OLD = Notice(
    title="No mail was sent.", text="This page was open for long. Press the button again.", is_failure=True
)
TOO_MANY = Notice(
    title="No mail was sent.",
    text="Too many people asked within an hour. Try again in an hour.",
    is_failure=True,
)


class LinkMailSite:
    """The answer does not depend on whether an address is known."""

    def __init__(self, settings: Web, context: SiteContext[LinkMailStore, LinkMailStore]) -> None:
        self._url = f"{context.base_url}/link"
        self._limits = signup_limits(settings)
        self._changing = context.changing
        self._pages = context.pages
        self._clock = context.clock
        self._signer = FormSigner(context.store.form_key(), "link")

    def asking(self) -> Found:
        """The empty form."""
        return self._page()

    def ask(self, sent: Sent, network: str) -> Found:
        """Mails the link, within the limits."""
        now = self._clock()
        wanted = first_text(sent, "email")
        try:
            email = parse_address(wanted)
        except ValueError as error:
            return self._page(wanted=wanted, error=f"The address {str(error).rstrip('.')}.")
        age = self._signer.age(first_text(sent, "stamp"), now)
        if age is None or not timedelta(0) <= age < LATEST:
            return self._page(OLD, wanted=wanted)
        if first_text(sent, "website"):
            return self._page(MAILED)
        answer = self._changing.count_attempt(TypedMail.LINK, network=network, limits=self._limits, now=now)
        if answer is not SignupAnswer.TAKEN:
            return self._page(TOO_MANY, wanted=wanted)
        self._changing.confirm(email, PageChange.LINK, now=now)
        return self._page(MAILED)

    def _page(self, notice: Notice | None = None, *, wanted: str = "", error: str = "") -> Found:
        stamp = self._signer.stamp(self._clock())
        html = self._pages.link(url=self._url, notice=notice, wanted=wanted, error=error, stamp=stamp)
        return found_page(html, notice, is_refused=bool(error))


class LinkMailArea:
    def __init__(self, frame: Frame, site: LinkMailSite, base_url: str) -> None:
        self._frame = frame
        self._site = site
        self._base_url = base_url

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.get("/link", self._asking), web.post("/link", self._ask)]

    async def _asking(self, request: web.Request) -> web.StreamResponse:
        return response_for(await self._frame.in_thread(self._site.asking))

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        require_form(request)
        if is_foreign(request.headers, self._base_url):
            raise web.HTTPForbidden
        sent, network = await self._frame.form(request, of_stranger=True), self._frame.network(request)
        return response_for(await self._frame.in_turn(lambda: self._site.ask(sent, network)))

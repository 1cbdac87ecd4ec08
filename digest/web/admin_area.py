"""The addresses of the administrators' pages: who may see them, and what a form must prove."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from aiohttp import web

from digest.config.parsing import address_key, parse_address
from digest.web.admin_access import Access, OidcAccess, RefusalLog, Refused, Visitor
from digest.web.admin_actions import (
    LONGEST_PAUSE,
    OF_ADDRESSES,
    OF_NOBODY,
    OF_SUBSCRIBERS,
    AdminActions,
    Wanted,
)
from digest.web.admin_site import LISTED, AdminSite, Report
from digest.web.frame import Frame, Handler
from digest.web.own_forms import origin_of
from digest.web.pages import Notice, Pages
from digest.web.signing import Signer

_FORM = timedelta(hours=12)
"""How long a page may be open before its buttons end."""

_REPORT_FRESH = timedelta(minutes=2)
_REPORT_PATIENCE = 3.0
"""Seconds for which a page waits for a report; with very many subscribers, the next page has it."""

_Listed = Callable[[str, int], tuple[str, dict[str, object]]]
_Answer = Callable[[web.Request, Visitor], Awaitable[web.StreamResponse]]


class ReportWatch:
    """The last report, renewed in a separate thread when somebody looks: it reads all subscribers."""

    def __init__(self, report: Callable[[], Report], clock: Callable[[], datetime]) -> None:
        self._report = report
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="admin-report")
        self._last: Report | None = None
        self._running: asyncio.Future[Report] | None = None

    async def latest(self) -> Report | None:
        if self._last and self._clock() - self._last.at < _REPORT_FRESH:
            return self._last
        if self._running is None:
            loop = asyncio.get_running_loop()
            self._running = loop.run_in_executor(self._thread, self._report)
        running = self._running  # another request may wait for it too
        done, _ = await asyncio.wait({running}, timeout=_REPORT_PATIENCE)
        if done:
            self._running = None if self._running is running else self._running
            self._last = running.result()
        return self._last


class AdminArea:
    def __init__(
        self,
        *,
        frame: Frame,
        base_url: str,
        access: Access,
        site: AdminSite,
        actions: AdminActions,
        watch: ReportWatch,
        pages: Pages,
        signer: Signer,
        refusals: RefusalLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._frame = frame
        self._url = f"{base_url}/admin"
        self._origin = origin_of(base_url)
        self._access = access
        self._site = site
        self._actions = actions
        self._watch = watch
        self._pages = pages
        self._signer = signer
        self._refusals = refusals
        self._clock = clock

    def routes(self) -> Iterable[web.RouteDef]:
        overview = self._for_administrators(self._overview)
        found: list[web.RouteDef] = [
            web.get("/admin", overview),
            web.get("/admin/", overview),
            web.post("/admin/do", self._for_administrators(self._do)),
            web.post("/admin/logout", self._for_administrators(self._logout)),
        ]
        for name, listed in (
            ("subscribers", self._subscribers),
            ("suppressed", self._suppressed),
            ("actions", self._logged),
        ):
            answer = self._for_administrators(self._list(listed))
            found += [web.get(f"/admin/{name}", answer), web.post(f"/admin/{name}", answer)]
        for route in self._access.routes():
            found.append(web.get(route.path, self._refusing(route.handler)))
        return found

    # Who has access, and what a form must prove.

    def _for_administrators(self, answer: _Answer) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            visitor = self._access.visitor(request)
            if visitor is None or await self._frame.in_thread(
                partial(self._site.is_signed_out, visitor.session)
            ):
                return self._sign_in("To look after this installation, sign in.", status=403)
            if request.method == "POST" and not self._is_from_here(request):
                raise Refused("a form of another site")
            return await answer(request, visitor)

        return self._refusing(handle)

    def _refusing(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Refused as error:
                self._refusals.note(str(error))
                return self._sign_in(
                    "You may not open this page, or your request was not complete. "
                    "The log of the service says why.",
                    status=403,
                )

        return handle

    def _sign_in(self, text: str, *, status: int) -> web.Response:
        values = {"text": text, "login_url": self._access.login_url}
        html = self._pages.admin("admin_sign_in", "Administration", values)
        return web.Response(text=html, status=status, content_type="text/html")

    def _is_from_here(self, request: web.Request) -> bool:
        """Whether a page of ours sent the form.

        Browsers write `Origin: null` into the forms of a page that sends no referrer, as ours; newer ones say
        in Sec-Fetch-Site what they mean by it.
        """
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if origin not in {None, "null", self._origin}:
            return False
        return site == "same-origin" if site is not None else origin == self._origin

    def _token(self, visitor: Visitor, until: datetime, action: str, email: str) -> str:
        """The token of one form: for this administrator, this session, this action and this address."""
        parts = (str(round(until.timestamp())), visitor.name, visitor.session, action, email)
        return f"{parts[0]}.{self._signer.derive('form', repr(parts))}"

    def _tokens(self, visitor: Visitor) -> Callable[[str, str], str]:
        until = self._clock() + _FORM
        return lambda action, email: self._token(visitor, until, action, email)

    def _require_token(self, visitor: Visitor, sent: Mapping[str, str], action: str, email: str) -> None:
        token = sent.get("token", "")
        moment = token.partition(".")[0]
        if not (moment.isascii() and moment.isdigit() and len(moment) < 12):
            raise Refused("a form without its token")
        until = datetime.fromtimestamp(int(moment), self._clock().tzinfo)
        wanted = self._token(visitor, until, action, email)
        if not hmac.compare_digest(token.encode(errors="replace"), wanted.encode()):
            raise Refused("a form with a token of another form")
        if until < self._clock():
            raise Refused("a form that was open for too long")

    # The pages.

    async def _overview(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        return await self._overview_page(visitor)

    async def _overview_page(self, visitor: Visitor, notice: Notice | None = None) -> web.Response:
        report = await self._watch.latest()

        def make() -> str:
            suppressed, has_more_suppressed = self._site.suppressions(1, rows=LISTED)
            actions, has_more_actions = self._site.actions(1, rows=LISTED)
            values = {
                "notice": notice,
                "report": report,
                "counts": self._site.counts(),
                "charts": self._site.charts(),
                "listing": self._site.listing("", 1, rows=LISTED),
                "suppressed": suppressed,
                "has_more_suppressed": has_more_suppressed,
                "has_invites": self._site.has_invites,
                "invites": self._site.invites() if self._site.has_invites else (),
                "actions": actions,
                "has_more_actions": has_more_actions,
                "logout_token": self._tokens(visitor)("logout", "") if visitor.session else "",
            }
            return self._pages.admin("admin", "Administration", {**values, **self._shared(visitor)})

        return _html(await self._frame.in_thread(make), notice)

    def _shared(self, visitor: Visitor) -> dict[str, object]:
        today = self._clock().date()
        return {
            "today": today,
            "url": self._url,
            "visitor": visitor.name,
            "tokens": self._tokens(visitor),
            "first_day": today + timedelta(days=1),
            "last_day": today + LONGEST_PAUSE,
        }

    def _list(self, listed: _Listed) -> _Answer:
        async def show(request: web.Request, visitor: Visitor) -> web.StreamResponse:
            sent = _first(await self._frame.form(request)) if request.method == "POST" else {}
            number = sent.get("page", "")
            page = int(number) if number.isascii() and number.isdigit() and 0 < len(number) < 6 else 1
            search = sent.get("search", "")[:200]

            def make() -> str:
                values: dict[str, object] = {"listing": None, "suppressed": None, "actions": (), "page": page}
                values |= {"own_url": f"{self._url}{request.path.removeprefix('/admin')}"}
                title, found = listed(search, max(page, 1))
                return self._pages.admin("admin_list", title, {**values, **found, **self._shared(visitor)})

            return _html(await self._frame.in_thread(make))

        return show

    def _subscribers(self, search: str, page: int) -> tuple[str, dict[str, object]]:
        listing = self._site.listing(search, page)
        has_more = listing.page < listing.pages
        return "Subscribers", {"listing": listing, "page": listing.page, "has_more": has_more}

    def _suppressed(self, search: str, page: int) -> tuple[str, dict[str, object]]:
        rows, has_more = self._site.suppressions(page)
        return "Suppressed addresses", {"suppressed": rows, "has_more": has_more}

    def _logged(self, search: str, page: int) -> tuple[str, dict[str, object]]:
        rows, has_more = self._site.actions(page)
        return "Actions of the last year", {"actions": rows, "has_more": has_more}

    async def _do(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        sent = _first(await self._frame.form(request))
        action, email = sent.get("action", ""), sent.get("email", "")
        self._require_token(visitor, sent, action, email)
        is_right = not email if action in OF_NOBODY else _is_address(email)
        if action not in OF_NOBODY | OF_ADDRESSES | OF_SUBSCRIBERS or not is_right:
            raise Refused("a form of a former version")
        wanted = Wanted(who=visitor.name, action=action, email=email, fields=sent)
        notice = await self._frame.in_turn(lambda: self._actions.do(wanted))
        return await self._overview_page(visitor, notice)

    async def _logout(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        self._require_token(visitor, _first(await self._frame.form(request)), "logout", "")
        await self._frame.in_turn(partial(self._actions.end_session, visitor.session))
        response = self._sign_in("You are signed out.", status=200)
        if isinstance(self._access, OidcAccess):
            self._access.forget(response)
        return response


def _html(html: str, notice: Notice | None = None) -> web.Response:
    status = 422 if notice and notice.is_failure else 200
    return web.Response(text=html, status=status, content_type="text/html")


def _first(fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The first value of each field."""
    return {name: values[0] for name, values in fields.items()}


def _is_address(text: str) -> bool:
    try:
        return bool(address_key(parse_address(text)))
    except ValueError:
        return False

"""The addresses of sign-up."""

from collections.abc import Iterable

from aiohttp import web

from digest.config.web_settings import Web
from digest.web.frame import Frame, Handler, require_form, response_for
from digest.web.own_forms import is_foreign
from digest.web.signup import Ready, SignupSite


class SignupArea:
    def __init__(self, settings: Web, site: SignupSite) -> None:
        self._settings = settings
        self._site = site

    def routes(self, frame: Frame) -> Iterable[web.RouteDef]:
        show = frame.showing
        by_invite = [
            web.get("/join/{token}", show(self._site.joining_by)),
            web.post("/join/{token}", self._join(frame)),
        ]
        return [
            web.get("/join", self._joining(frame)),
            web.post("/join", self._join(frame)),
            *(by_invite if self._settings.signup == "invite" else ()),
            web.get("/c/{token}", show(self._site.confirming)),
            web.post("/c/{token}", self._confirm(frame)),
        ]

    def _joining(self, frame: Frame) -> Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            return response_for(await frame.in_thread(self._site.joining))

        return show

    def _join(self, frame: Frame) -> Handler:
        async def join(request: web.Request) -> web.StreamResponse:
            """Checks the token of an invite before it waits for the body, as for other pages."""
            require_form(request)
            if is_foreign(request.headers, self._settings.base_url or ""):
                raise web.HTTPForbidden
            token = request.match_info.get("token")
            if token is not None:
                await frame.found_for(request, self._site.is_invite)
            sent = await frame.form(request)
            found = await frame.in_thread(lambda: self._site.check(token, sent))
            if isinstance(found, Ready):
                ready, network = found, frame.network(request)
                found = await frame.in_turn(lambda: self._site.store(ready, network))
            return response_for(found)

        return join

    def _confirm(self, frame: Frame) -> Handler:
        async def confirm(request: web.Request) -> web.StreamResponse:
            require_form(request)
            await frame.found_for(request, self._site.confirming)
            sent = await frame.form(request)
            return await frame.found_for(request, lambda token: self._site.confirm(token, sent), in_turn=True)

        return confirm

"""The addresses of sign-up."""

import asyncio
from collections.abc import Iterable, Sequence

from aiohttp import web

from digest.config.web_settings import Web
from digest.web.frame import Frame, require_form, response_for
from digest.web.own_forms import is_foreign
from digest.web.preview import Preview
from digest.web.preview_area import PreviewArea, asked_texts, with_suggestion
from digest.web.preview_site import Busy, Previews, Visitor
from digest.web.signup import Checked, SignupSite

_LONGEST_PREVIEW = 6.0
"""Seconds that somebody waits for what a preview says; then they go on without it."""


class SignupArea:
    def __init__(
        self,
        frame: Frame,
        settings: Web,
        site: SignupSite,
        previews: Previews,
        previewing: PreviewArea,
    ) -> None:
        self._frame = frame
        self._settings = settings
        self._site = site
        self._previews = previews
        self._previewing = previewing

    def routes(self) -> Iterable[web.RouteDef]:
        routes = [
            web.get("/join", self._joining),
            web.post("/join", self._join),
            web.get("/c/{token}", self._confirming),
            web.post("/c/{token}", self._confirm),
            web.get("/c/{token}/preview", self._preview),
        ]
        if self._settings.signup != "invite":
            return [*routes, web.get("/join/preview", self._preview)]
        return [
            *routes,
            web.get("/join/{token}", self._frame.showing(self._site.joining_by)),
            web.post("/join/{token}", self._join),
            web.get("/join/{token}/preview", self._preview),
        ]

    async def _joining(self, request: web.Request) -> web.StreamResponse:
        return response_for(await self._frame.in_thread(self._site.joining))

    async def _join(self, request: web.Request) -> web.StreamResponse:
        """Checks the token of an invite before it waits for the body, as for other pages."""
        require_form(request)
        if is_foreign(request.headers, self._settings.base_url or ""):
            raise web.HTTPForbidden
        token = request.match_info.get("token")
        if token is not None:
            await self._frame.found_for(request, self._site.is_invite)
        sent = with_suggestion(await self._frame.form(request, of_stranger=True))
        checked = await self._frame.in_thread(lambda: self._site.check(token, sent))
        if isinstance(checked, Checked):
            return await self._answer(request, checked)
        return response_for(checked)

    async def _answer(self, request: web.Request, checked: Checked) -> web.StreamResponse:
        """Nothing in it depends on whether the address is known."""
        preview = await self._previewed(request, checked.form.texts)
        found = await self._frame.in_thread(lambda: self._site.answer(checked, preview))
        if found is None:
            network = self._frame.network(request)
            found = await self._frame.in_turn(lambda: self._site.store(checked, network))
        return response_for(found)

    async def _confirming(self, request: web.Request) -> web.StreamResponse:
        preview = await self._previewed_signup(request)
        return await self._frame.found_for(request, lambda token: self._site.confirming(token, preview))

    async def _confirm(self, request: web.Request) -> web.StreamResponse:
        require_form(request)
        await self._frame.found_for(request, self._site.is_signup)
        sent = await self._frame.form(request)
        preview = await self._previewed_signup(request)
        return await self._frame.found_for(
            request, lambda token: self._site.confirm(token, sent, preview), in_turn=True
        )

    async def _preview(self, request: web.Request) -> web.StreamResponse:
        """The preview by itself, for the script, and for people who wait for arXiv."""
        if "token" in request.match_info:
            is_signup = request.path.startswith("/c/")
            await self._frame.found_for(request, self._site.is_signup if is_signup else self._site.is_invite)
        return await self._previewing.answer(request, request.path)

    async def _previewed_signup(self, request: web.Request) -> Preview | None:
        token = request.match_info["token"]
        return await self._previewed(
            request, await self._frame.in_thread(lambda: self._site.keywords_of(token))
        )

    async def _previewed(self, request: web.Request, texts: Sequence[str]) -> Preview | None:
        """`None` if there are no keywords, or if too many previews are being made."""
        if not texts:
            return None
        try:
            async with asyncio.timeout(_LONGEST_PREVIEW):
                return await self._previews.of(
                    asked_texts(texts), Visitor(network=self._frame.network(request))
                )
        except (Busy, TimeoutError):
            return None

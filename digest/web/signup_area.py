"""The addresses of sign-up."""

import asyncio
from collections.abc import Iterable, Sequence

from aiohttp import web

from digest.config.web_settings import Web
from digest.web.frame import Frame, Handler, require_form, response_for
from digest.web.own_forms import is_foreign
from digest.web.preview import Preview
from digest.web.preview_area import PreviewArea, asked_texts, with_suggestion
from digest.web.preview_site import Busy, Previews, Visitor
from digest.web.signup import Checked, SignupSite

_LONGEST_PREVIEW = 6.0
"""Seconds that somebody waits for what a preview says; then they go on without it."""


class SignupArea:
    def __init__(self, settings: Web, site: SignupSite, previews: Previews, previewing: PreviewArea) -> None:
        self._settings = settings
        self._site = site
        self._previews = previews
        self._previewing = previewing

    def routes(self, frame: Frame) -> Iterable[web.RouteDef]:
        routes = [
            web.get("/join", self._joining(frame)),
            web.post("/join", self._join(frame)),
            web.get("/c/{token}", self._confirming(frame)),
            web.post("/c/{token}", self._confirm(frame)),
            web.get("/c/{token}/preview", self._preview(frame)),
        ]
        if self._settings.signup != "invite":
            return [*routes, web.get("/join/preview", self._preview(frame))]
        return [
            *routes,
            web.get("/join/{token}", frame.showing(self._site.joining_by)),
            web.post("/join/{token}", self._join(frame)),
            web.get("/join/{token}/preview", self._preview(frame)),
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
            sent = with_suggestion(await frame.form(request, of_stranger=True))
            checked = await frame.in_thread(lambda: self._site.check(token, sent))
            if isinstance(checked, Checked):
                return await self._answer(frame, request, checked)
            return response_for(checked)

        return join

    async def _answer(self, frame: Frame, request: web.Request, checked: Checked) -> web.StreamResponse:
        """Nothing in it depends on whether the address is known."""
        preview = await self._previewed(frame, request, checked.form.texts)
        found = await frame.in_thread(lambda: self._site.answer(checked, preview))
        if found is None:
            network = frame.network(request)
            found = await frame.in_turn(lambda: self._site.store(checked, network))
        return response_for(found)

    def _confirming(self, frame: Frame) -> Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            preview = await self._previewed_signup(frame, request)
            return await frame.found_for(request, lambda token: self._site.confirming(token, preview))

        return show

    def _confirm(self, frame: Frame) -> Handler:
        async def confirm(request: web.Request) -> web.StreamResponse:
            require_form(request)
            await frame.found_for(request, self._site.is_signup)
            sent = await frame.form(request)
            preview = await self._previewed_signup(frame, request)
            return await frame.found_for(
                request, lambda token: self._site.confirm(token, sent, preview), in_turn=True
            )

        return confirm

    def _preview(self, frame: Frame) -> Handler:
        """The preview by itself, for the script, and for people who wait for arXiv."""

        async def show(request: web.Request) -> web.StreamResponse:
            if "token" in request.match_info:
                is_signup = request.path.startswith("/c/")
                await frame.found_for(request, self._site.is_signup if is_signup else self._site.is_invite)
            return await self._previewing.answer(frame, request, request.path)

        return show

    async def _previewed_signup(self, frame: Frame, request: web.Request) -> Preview | None:
        token = request.match_info["token"]
        return await self._previewed(
            frame, request, await frame.in_thread(lambda: self._site.keywords_of(token))
        )

    async def _previewed(self, frame: Frame, request: web.Request, texts: Sequence[str]) -> Preview | None:
        """`None` if there are no keywords, or if too many previews are being made."""
        if not texts:
            return None
        try:
            async with asyncio.timeout(_LONGEST_PREVIEW):
                return await self._previews.of(asked_texts(texts), Visitor(network=frame.network(request)))
        except (Busy, TimeoutError):
            return None

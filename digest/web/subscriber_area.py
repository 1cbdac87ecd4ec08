"""The addresses of subscribers' pages: each has a token that opens it."""

from collections.abc import Callable, Iterable

from aiohttp import web

from digest.mail.citations import Format
from digest.mail.citations.writer import FILE_TYPES
from digest.web.confirmation_links import ConfirmationLinks
from digest.web.context import Found
from digest.web.frame import Frame, Handler, require_form
from digest.web.judging import JudgingSite
from digest.web.keyword_rows import Sent
from digest.web.own_data import OwnData
from digest.web.preview_area import PreviewArea
from digest.web.site import REFUSED, Site

_LATER_PAGE = r"/p/{token}/interests/{page:\d{1,6}}"


class SubscriberArea:
    def __init__(
        self,
        frame: Frame,
        site: Site,
        mailed: ConfirmationLinks,
        own_data: OwnData,
        judging: JudgingSite,
        previewing: PreviewArea,
    ) -> None:
        self._frame = frame
        self._site = site
        self._previewing = previewing
        self._mailed = mailed
        self._own_data = own_data
        self._judging = judging

    def routes(self) -> Iterable[web.RouteDef]:
        site, show = self._site, self._frame.showing
        return [
            web.get("/u/{token}", show(site.leaving)),
            # RFC 8058, 3.2: the request itself unsubscribes, with any content of the form.
            web.post("/u/{token}", show(site.leave, in_turn=True)),
            web.get("/b/{token}", show(self._mailed.undoing)),
            web.post("/b/{token}", show(self._mailed.undo, in_turn=True)),
            web.get("/p/{token}", show(site.preferences)),
            web.post("/p/{token}", self._saving),
            web.get("/p/{token}/data", show(self._own_data.data)),
            web.post("/p/{token}/data", self._with_form(self._own_data.ask_erasure)),
            web.get("/p/{token}/data.json", show(self._own_data.download)),
            web.get("/p/{token}/interests", show(self._own_data.interests)),
            web.post("/p/{token}/interests", self._with_form(self._own_data.take_back)),
            web.get(_LATER_PAGE, self._interests),
            web.post(_LATER_PAGE, self._taking_back),
            web.get("/p/{token}/address", show(self._mailed.address)),
            web.post("/p/{token}/address", self._asking_address),
            *(
                web.get(f"/d/{{token}}.{file_type.extension}", show(self._references(form)))
                for form, file_type in FILE_TYPES.items()
            ),
            web.get("/d/{token}", show(site.digest)),
            web.get("/d/{token}/feed.atom", show(site.digest_feed)),
            web.get("/i/{token}", show(self._judging.digest)),
            web.get("/i/{token}/{verdict}/{paper:.+}", self._asking_verdict),
            web.post("/i/{token}/{verdict}/{paper:.+}", self._judging_paper),
            web.get("/k/{token}", show(site.keyword)),
            web.get("/k/{token}/feed.atom", show(site.keyword_feed)),
            web.get("/f/{token}/feed.atom", show(site.subscriber_feed)),
        ]

    def _references(self, form: Format) -> Callable[[str], Found | None]:
        return lambda token: self._site.digest_references(token, form)

    async def _asking_verdict(self, request: web.Request) -> web.StreamResponse:
        return await self._frame.found_for(
            request, lambda token: self._judging.asking(token, *_judged_in(request))
        )

    async def _judging_paper(self, request: web.Request) -> web.StreamResponse:
        return await self._frame.found_for(
            request, lambda token: self._judging.judge(token, *_judged_in(request)), in_turn=True
        )

    async def _interests(self, request: web.Request) -> web.StreamResponse:
        page = int(request.match_info["page"])
        return await self._frame.found_for(request, lambda token: self._own_data.interests(token, page))

    async def _taking_back(self, request: web.Request) -> web.StreamResponse:
        page = int(request.match_info["page"])
        return await self._sent(request, lambda token, sent: self._own_data.take_back(token, sent, page))

    def _with_form(self, page: Callable[[str, Sent], Found | None]) -> Handler:
        async def save(request: web.Request) -> web.StreamResponse:
            return await self._sent(request, page)

        return save

    async def _asking_address(self, request: web.Request) -> web.StreamResponse:
        network = self._frame.network(request)
        return await self._sent(request, lambda token, sent: self._mailed.ask_address(token, sent, network))

    async def _saving(self, request: web.Request) -> web.StreamResponse:
        """Saves no new keywords that are known to find more than the operator allows."""
        require_form(request)
        await self._frame.found_for(request, self._site.is_of_subscriber)
        sent, token = await self._frame.form(request), request.match_info["token"]
        if await self._frame.in_thread(lambda: self._site.adds_keywords(token, sent)):
            path = f"/p/{token}/preview"
            box = await self._previewing.excess(request, path, sent, subscriber=token)
            if box:
                refused = box
                return await self._frame.found_for(
                    request, lambda token: self._site.previewed(token, sent, refused, REFUSED)
                )
        return await self._frame.found_for(
            request, lambda token: self._site.save_preferences(token, sent), in_turn=True
        )

    async def _sent(
        self, request: web.Request, page: Callable[[str, Sent], Found | None]
    ) -> web.StreamResponse:
        """Checks the token before it waits for the body: a wrong token must not occupy a place."""
        require_form(request)
        await self._frame.found_for(request, self._site.is_of_subscriber)
        sent = await self._frame.form(request)
        return await self._frame.found_for(request, lambda token: page(token, sent), in_turn=True)


def _judged_in(request: web.Request) -> tuple[str, str]:
    """The verdict and the paper in the address."""
    return request.match_info["verdict"], request.match_info["paper"]

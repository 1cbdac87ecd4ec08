"""The addresses of previews, and of the script that shows them while keywords are written."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from aiohttp import web

from digest.model.paper import one_line
from digest.web.frame import Frame, Handler
from digest.web.pages import Pages
from digest.web.preview import Preview, PreviewBox
from digest.web.preview_site import Busy, Previews, Visitor
from digest.web.site import Site

_LONGEST_PAGE = 64
_RETRY_AFTER = 5


class PreviewArea:
    """Previews for subscribers, by the token of their preferences. Other areas use `answer` for strangers."""

    def __init__(self, previews: Previews, pages: Pages, site: Site, base_url: str) -> None:
        self._previews = previews
        self._pages = pages
        self._site = site
        self._base_url = base_url

    def routes(self, frame: Frame) -> Iterable[web.RouteDef]:
        return [
            web.get("/preview.js", self._script),
            web.get("/p/{token}/preview", self._of_subscriber(frame)),
        ]

    async def _script(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._pages.script, content_type="text/javascript")

    def _of_subscriber(self, frame: Frame) -> Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            await frame.found_for(request, self._site.is_of_subscriber)
            token = request.match_info["token"]
            return await self.answer(frame, request, f"/p/{token}/preview", subscriber=token)

        return show

    async def answer(
        self, frame: Frame, request: web.Request, path: str, *, subscriber: str | None = None
    ) -> web.StreamResponse:
        """The page at `path` with the preview of the keywords in the address, for who may see it."""
        texts = asked_texts(request.query.getall("k", []))
        visitor = Visitor(
            network=frame.network(request),
            subscriber=subscriber,
            page=request.query.get("page", "")[:_LONGEST_PAGE],
        )
        try:
            preview = await self._previews.of(texts, visitor)
        except Busy:
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(_RETRY_AFTER)}) from None
        html = self._pages.preview(preview, url=preview_url(f"{self._base_url}{path}", texts))
        return web.Response(text=html, content_type="text/html")


def preview_box(
    base_url: str, path: str, texts: Sequence[str] = (), preview: Preview | None = None
) -> PreviewBox:
    """What a form shows whose previews are at `path`."""
    url = f"{base_url}{path}"
    script = f"{base_url}/preview.js"
    return PreviewBox(url=url, script=script, again=preview_url(url, texts), preview=preview)


def asked_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """Keywords as they were written, each on one line and once."""
    return tuple(dict.fromkeys(text for one in texts if (text := one_line(one))))


def preview_url(address: str, texts: Sequence[str]) -> str:
    """Where the preview of these keywords is by itself."""
    return f"{address}?{urlencode([('k', text) for text in texts])}"

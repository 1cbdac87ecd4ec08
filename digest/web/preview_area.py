"""The addresses of previews, and of the script that shows them while keywords are written."""

from collections.abc import Iterable, Sequence

from aiohttp import web

from digest.model.paper import one_line
from digest.web.frame import Frame, require_form
from digest.web.keyword_rows import Sent
from digest.web.pages import Pages
from digest.web.preview import Preview, PreviewBox, preview_box, preview_url
from digest.web.preview_site import Busy, Previews, Visitor
from digest.web.site import Site

_LONGEST_PAGE = 64
_RETRY_AFTER = 5


class PreviewArea:
    """Previews for subscribers, by the token of their preferences. Other areas use `answer` for strangers."""

    def __init__(self, frame: Frame, previews: Previews, pages: Pages, site: Site, base_url: str) -> None:
        self._frame = frame
        self._previews = previews
        self._pages = pages
        self._site = site
        self._base_url = base_url

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/preview.js", self._script),
            web.get("/p/{token}/preview", self._of_subscriber),
            web.post("/p/{token}/preview", self._in_preferences),
        ]

    async def _script(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._pages.script, content_type="text/javascript")

    async def _of_subscriber(self, request: web.Request) -> web.StreamResponse:
        await self._frame.found_for(request, self._site.is_of_subscriber)
        token = request.match_info["token"]
        return await self.answer(request, f"/p/{token}/preview", subscriber=token)

    async def _in_preferences(self, request: web.Request) -> web.StreamResponse:
        """The form as it was sent, which is not saved, with the preview of its keywords."""
        require_form(request)
        await self._frame.found_for(request, self._site.is_of_subscriber)
        sent, token = with_suggestion(await self._frame.form(request)), request.match_info["token"]
        path = f"/p/{token}/preview"
        box = await self.box(request, path, texts_in(sent), subscriber=token)
        return await self._frame.found_for(request, lambda token: self._site.previewed(token, sent, box))

    async def box(
        self,
        request: web.Request,
        path: str,
        texts: Sequence[str],
        *,
        subscriber: str | None = None,
    ) -> PreviewBox:
        """The preview of these keywords for a form whose previews are at `path`."""
        preview = await self._preview(request, texts, subscriber)
        return preview_box(self._base_url, path, texts, preview)

    async def excess(
        self, request: web.Request, path: str, sent: Sent, *, subscriber: str
    ) -> PreviewBox | None:
        """The preview of a form whose keywords are known to find more than the operator allows.

        The last ones count first: they are new. While too many previews are made, nobody is refused.
        """
        try:
            texts = texts_in(sent)[::-1]
            box = await self.box(request, path, texts, subscriber=subscriber)
        except web.HTTPTooManyRequests:
            return None
        return box if box.preview and box.preview.is_over else None

    async def answer(
        self, request: web.Request, path: str, *, subscriber: str | None = None
    ) -> web.StreamResponse:
        """The page at `path` with the preview of the keywords in the address, for a person who may see it."""
        texts = asked_texts(request.query.getall("k", []))
        preview = await self._preview(request, texts, subscriber)
        url = preview_url(f"{self._base_url}{path}", texts)
        html = self._pages.preview(preview, url=url, is_for_script="page" in request.query)
        return web.Response(text=html, content_type="text/html")

    async def _preview(self, request: web.Request, texts: Sequence[str], subscriber: str | None) -> Preview:
        visitor = Visitor(
            network=self._frame.network(request),
            subscriber=subscriber,
            page=request.query.get("page", "")[:_LONGEST_PAGE],
        )
        try:
            return await self._previews.of(texts, visitor)
        except Busy:
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(_RETRY_AFTER)}) from None


def asked_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """Keywords as they were written, each on one line and once."""
    return tuple(dict.fromkeys(text for one in texts if (text := one_line(one))))


def texts_in(sent: Sent) -> tuple[str, ...]:
    """The keywords of a form with a row for each."""
    return asked_texts(texts[-1] for name, texts in sent.items() if name.startswith("k-") and texts)


def with_suggestion(sent: Sent) -> Sent:
    """The form as it is after one of the suggestions was chosen: it replaces the keyword that it is for."""
    old, _, new = (sent.get("use") or [""])[-1].partition("\n")
    if not new:
        return sent
    return {
        name: [new if name.startswith("k-") and one_line(text) == old.strip() else text for text in texts]
        for name, texts in sent.items()
    }

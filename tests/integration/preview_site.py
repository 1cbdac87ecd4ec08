"""The pages of a town whose previews are asked of an arXiv on loopback; time passes as a test says."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from digest.config.loader import load_settings
from digest.demo.arxiv import Announcement, LocalArxiv
from digest.mail.links import links_for
from digest.model.paper import Paper
from digest.service.preview_asker import PreviewAsker
from digest.sources.arxiv.calendar import earliest_announcement
from tests.factories import invented_paper, moment
from tests.integration.web_site import ADA, BASE, Answer, Town, serving_town, told

NOW = moment("2026-06-17 08:00")


@dataclass(slots=True, kw_only=True)
class Previewing:
    """A town and who asks arXiv for it; `token` opens Ada's preferences."""

    town: Town
    asker: PreviewAsker
    token: str

    async def preview(self, *keywords: str, page: str = "", client: str = "") -> Answer:
        fields = [*(("k", keyword) for keyword in keywords), *([("page", page)] if page else [])]
        headers = {"X-Forwarded-For": client} if client else {}
        return await self.town.ask(
            "GET", f"{BASE}/p/{self.token}/preview?{urlencode(fields)}", headers=headers
        )

    async def said(self, *keywords: str) -> str:
        answer = await self.preview(*keywords)
        assert answer.status == 200
        return told(answer.body)

    async def minute_passes(self) -> timedelta | None:
        """A minute later, arXiv is asked if somebody waits."""
        self.town.now += timedelta(minutes=1)
        return await self.asker.step()


@asynccontextmanager
async def previewing_town(
    folder: Path, api_url: str, *, signup: str | None = None, most_papers_a_day: int = 200
) -> AsyncIterator[Previewing]:
    """`api_url` is that of an arXiv. Ada follows tea and milk, which were fetched."""
    settings = load_settings(
        None,
        {
            "DIGEST_ARXIV__API_URL": api_url,
            "DIGEST_STATE": str(folder / "digest.db"),
            "XDG_STATE_HOME": str(folder),
        },
    )
    async with serving_town(folder, signup=signup, most_papers_a_day=most_papers_a_day) as town:
        town.now = NOW
        town.found(invented_paper("2606.00001", "On tea", submitted="2026-06-15 10:00"))
        pages = links_for(BASE, town.store)(town.mail(ADA))
        assert pages.manage
        asker = PreviewAsker(town.store, lambda: settings, lambda: town.now, town.metrics.asked_arxiv)
        yield Previewing(town=town, asker=asker, token=pages.manage.rpartition("/")[2])


def local_arxiv(papers: Sequence[Paper], now: str = "2027-01-01 00:00") -> LocalArxiv:
    """One that has announced these papers."""
    return LocalArxiv(
        [
            Announcement(paper=paper, announced_at=earliest_announcement(paper.submitted_at or NOW))
            for paper in papers
        ],
        moment(now),
    )


def written_papers(title: str, count: int, *, day: str = "2026-06-15", first: int = 100) -> list[Paper]:
    """So many papers with this title, a minute apart."""
    return [
        invented_paper(
            f"2606.{number:05}",
            f"{title} {number}",
            submitted=f"{day} {number // 60 % 24:02}:{number % 60:02}",
        )
        for number in range(first, first + count)
    ]

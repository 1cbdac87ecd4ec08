"""arXiv's interfaces: whether each answers, and plausibly, with one small request each."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from digest.cli.doctor_checks.clock import judge_clock
from digest.config.parsing import is_loopback
from digest.config.settings import Settings
from digest.errors import BadDocument, Implausible, SourceError, StateError, Throttled, Unreachable
from digest.service.bootstrap import client_settings_for, open_client, rate_limiter_file
from digest.service.finding import Finding, failed, ok, warning
from digest.sources.arxiv.daily_feed_parser import parse_feed_page
from digest.sources.arxiv.search_api_parser import parse_search_answer
from digest.sources.http_client import PoliteClient
from digest.sources.proxies import proxy_for
from digest.sources.proxies import shown as shown_proxy
from digest.sources.xml import moment_of, root_of, text_of

_PATIENCE = timedelta(seconds=40)
_BUSY_CATEGORY = "cs.LG"  # a hundred papers a day
_SMALL_CATEGORY = "math.HO"
_QUIET = timedelta(days=7)  # longer than arXiv's longest holidays
_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_EASTERN = ZoneInfo("America/New_York")

Ask = Callable[[PoliteClient, str], Awaitable[str]]


async def check_arxiv(settings: Settings) -> AsyncIterator[Finding]:
    """The search API, then the two other interfaces, then this machine's clock compared with arXiv's."""
    if owner := _other_owner(settings):
        yield warning(
            "arXiv",
            f"not checked: a file of this user would stop the digest of user {owner}",
            f"run this as that user: sudo -u '#{owner}' digest doctor",
        )
        return
    for proxied in _proxies(settings):
        yield proxied
    manners = replace(client_settings_for(settings, patience=_PATIENCE), tries=1, timeout=_PATIENCE)
    try:
        async with open_client(settings, manners) as client:
            for name, url, ask in _interfaces(settings):
                yield await _asked(name, client, url, ask)
            yield judge_clock(client.clock_lead)
    except (StateError, OSError) as error:
        yield failed("arXiv", f"not checked: {error}", "see the check of the state")
    if settings.arxiv.contact is None:
        said = "no contact is set; arXiv asks for one"
        yield warning("arXiv: contact", said, "set arxiv.contact to your address")


def _proxies(settings: Settings) -> Iterator[Finding]:
    """The proxies from the environment, with the hosts of arXiv that use them."""
    hosts: dict[str, list[str]] = {}
    for _, url, _ in _interfaces(settings):
        try:
            if proxy := proxy_for(url):
                hosts.setdefault(shown_proxy(proxy), []).append(urlsplit(url).hostname or url)
        except Unreachable as error:
            what, _, remedy = error.reason.partition("; ")
            yield failed("arXiv: proxy", what, remedy)
            return
    for proxy, names in hosts.items():
        yield ok("arXiv: proxy", f"{', '.join(dict.fromkeys(names))} through {proxy}, from the environment")


def _other_owner(settings: Settings) -> int | None:
    """The user in whose state folder a request would create a file that they cannot write."""
    file = rate_limiter_file(settings)
    if file.exists() or not file.parent.exists():
        return None
    owner = _owner(file.parent)
    return owner if os.geteuid() == 0 and owner != 0 else None


def _owner(folder: Path) -> int:
    return folder.stat().st_uid


def _interfaces(settings: Settings) -> tuple[tuple[str, str, Ask], ...]:
    """The interfaces in use: an arXiv on this machine is never mixed with the real one."""
    arxiv = settings.arxiv
    found: tuple[tuple[str, str, Ask], ...] = (
        ("search API", arxiv.api_url, _search),
        ("OAI-PMH", arxiv.oai_url, _identify),
        ("daily feed", arxiv.feed_url, _feed),
    )
    side = _is_here(arxiv.api_url)
    return tuple(one for one in found if _is_here(one[1]) == side)


def _is_here(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname)


async def _asked(name: str, client: PoliteClient, url: str, ask: Ask) -> Finding:
    try:
        return ok(f"arXiv: {name}", await ask(client, url))
    except SourceError as error:
        said, remedy = f"{_cause(error)} ({url})", _remedy(error)
        if ask is _search:
            return failed(f"arXiv: {name}", said, remedy)
        return warning(f"arXiv: {name}", said, f"{remedy}; it is used only when needed")


def _cause(error: SourceError) -> str:
    """The reason without the advice at its end, which is about a single run."""
    return error.reason.rpartition("; ")[0] or error.reason


def _remedy(error: SourceError) -> str:
    match error:
        case Throttled():
            return (
                "wait an hour; if this continues, find out which other programs ask arXiv from this address"
            )
        case Implausible() | BadDocument():
            return "nothing is lost: digest does not use such an answer and asks again"
        case _:
            return "open the address in a browser; check proxy, firewall and info.arxiv.org/status"


async def _search(client: PoliteClient, url: str) -> str:
    """The newest paper of a busy category."""
    fields = {
        "search_query": f"cat:{_BUSY_CATEGORY}",
        "sortBy": "submittedDate",
        "sortOrder": "descending",
        "start": "0",
        "max_results": "1",
    }

    def understand(document: bytes) -> str:
        answer = parse_search_answer(document, url=url)
        newest = max((paper.submitted_at for paper in answer.papers if paper.submitted_at), default=None)
        if doubt := doubt_about(newest, answer.total, now=None if _is_here(url) else datetime.now(UTC)):
            raise Implausible(url, doubt)
        return f"answers; its newest paper of {_BUSY_CATEGORY} was submitted on {newest:%F %H:%M} UTC"

    return await client.ask(url, fields, understand)


def doubt_about(newest: datetime | None, total: int, *, now: datetime | None) -> str | None:
    """Why this newest paper of a busy category, or the total, is not plausible; `None` if it is.

    `now` is `None` for an arXiv on this machine, which may have another clock.
    """
    if newest is None or total < 1:
        return f"arXiv must have papers of {_BUSY_CATEGORY}"
    if now is not None and now - newest > _QUIET:
        return f"the newest paper of {_BUSY_CATEGORY} has the date {newest:%F}"
    return None


async def _identify(client: PoliteClient, url: str) -> str:
    """https://www.openarchives.org/OAI/openarchivesprotocol.html#Identify"""

    def understand(document: bytes) -> str:
        root = root_of(document, url, tag=f"{_OAI}OAI-PMH", kind="OAI-PMH document")
        identity = root.find(f"{_OAI}Identify")
        if identity is None:
            raise BadDocument(url, "the answer does not name the repository")
        try:
            moment_of(text_of(root, f"{_OAI}responseDate"))
            return f"answers as {text_of(identity, f'{_OAI}repositoryName')}"
        except ValueError as error:
            raise BadDocument(url, f"the answer is incomplete: {error}") from error

    return await client.ask(url, {"verb": "Identify"}, understand)


async def _feed(client: PoliteClient, url: str) -> str:
    """Today's list of a small category; it has no entries on days without announcement."""
    address = f"{url.rstrip('/')}/{_SMALL_CATEGORY}"

    def understand(document: bytes) -> str:
        page = parse_feed_page(document, url=address)
        if not _is_here(url) and abs(datetime.now(_EASTERN).date() - page.made_on) > _QUIET:
            raise Implausible(address, f"the feed has the date {page.made_on}")
        return f"answers; its date is {page.made_on}"

    return await client.ask(address, {}, understand)

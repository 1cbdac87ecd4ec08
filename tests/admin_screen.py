"""A page of administrators with a month behind it, for the picture in the docs."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zlib import crc32

from digest.model.paper import Paper
from digest.sources.arxiv.calendar import announcements_between
from digest.storage.values import DeliveryResult, Mailing, MailingState
from digest.web.signing import Signer
from tests.factories import invented_paper, make_subscriber
from tests.integration.web_site import NOW, Town, serving_town
from tests.stores import enqueue

_KEYWORDS = (
    *("graph neural network", "exoplanet atmosphere", "dark matter", "quantum error correction"),
    *("topological insulator", "category theory", "large language model", "tea"),
)
_NAMES = (
    *("ada", "bo", "cy", "dee", "edsger", "fay", "grace", "hal"),
    *("ida", "jo", "kit", "lou", "may", "ned", "olga"),
)
SUBSCRIBERS = [
    make_subscriber(f"{name}@lab.example", *dict.fromkeys((_KEYWORDS[place % 8], _KEYWORDS[place * 3 % 7])))
    for place, name in enumerate(_NAMES)
]
_GRACE = "grace@lab.example"


def _papers(morning: datetime, day: int, keyword: int) -> Iterable[Paper]:
    for number in range(crc32(f"{day} {keyword}".encode()) % 5):
        paper = invented_paper(f"{morning:%y%m}.9{morning.day:02}{keyword}{number}", "On what was looked for")
        yield replace(paper, submitted_at=morning - timedelta(hours=20))


def _deliver(town: Town, day: int) -> None:
    """Some mails are put off for an hour, and now and then one fails."""
    waiting = town.store.claim(now=town.now, until=town.now + timedelta(hours=1), limit=99)
    late = [one for place, one in enumerate(waiting) if (place + 3 * day) % 11 == 0]
    for place, one in enumerate(waiting):
        state, reply = MailingState.SENT, "250 taken"
        if one in late:
            state, reply = MailingState.DEFERRED, "451 4.7.1 greylisted"
        elif day % 9 == 5 and place == 4:
            state, reply = MailingState.FAILED, "554 5.7.1 refused"
        _record(town, one, state, reply, town.now + timedelta(seconds=40 * place))
    town.now += timedelta(hours=1)
    for one in town.store.claim(now=town.now, until=town.now + timedelta(hours=1), limit=99):
        _record(town, one, MailingState.SENT, "250 taken", town.now)


def _record(town: Town, one: Mailing, state: MailingState, reply: str, now: datetime) -> None:
    due_at = now if state is MailingState.DEFERRED else None
    town.store.record_results(
        [DeliveryResult(number=one.number, state=state, reply=reply, due_at=due_at)], now=now
    )


def _live(town: Town) -> None:
    end = town.now + timedelta(hours=3)
    mornings = [at + timedelta(hours=7) for at in announcements_between(end - timedelta(days=30), end)]
    town.now = mornings[0] - timedelta(days=1)
    town.enrol()
    for day, morning in enumerate(mornings):
        town.now = morning
        for keyword, text in enumerate(_KEYWORDS):
            town.found(*_papers(morning, day, keyword), keyword=text)
        town.store.note_fetch("search", now=morning)
        for one in SUBSCRIBERS:
            enqueue(town.store, one, now=morning)
        _deliver(town, day)
    town.now = end
    town.store.suppress("edsger@lab.example", cause="550 5.1.1 User unknown", now=end - timedelta(hours=2))
    town.store.add_invite(uses=10, until_at=end + timedelta(days=20), now=end)


async def write_admin_page(folder: Path, state: Path) -> None:
    admin = {"issuer": "https://login.lab.example", "client_id": "digest", "users": [_GRACE]}
    async with serving_town(state, SUBSCRIBERS, admin=admin, signup="invite") as town:
        _live(town)
        session = {"id": "picture", "name": _GRACE, "by": "user"}
        cookie = Signer(town.store.admin_key()).sign("admin", session, until=NOW + timedelta(days=1))
        page = await town.get("/admin", Cookie=f"__Host-digest-admin={cookie}")
        assert page.status == 200
        (folder / "admin.html").write_text(page.body, encoding="utf-8")

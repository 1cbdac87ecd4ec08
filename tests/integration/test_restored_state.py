"""An older copy of the state is put back: every mail has a name of its own, and no paper is lost."""

import re
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from sqlite_utils import Database

from digest.config.package_data import templates_folder
from digest.mail.maildir import MaildirTransport
from digest.mail.message import SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.mail.transport import Transport
from digest.pipeline.compose_job import compose_due
from digest.pipeline.cycle import Cycle
from digest.pipeline.cycle_report import CycleReport
from digest.pipeline.policy import RETRY_BOUNCED_AFTER
from digest.storage.sqlite import restore_detection
from digest.storage.sqlite.backup import back_up
from digest.storage.sqlite.inspection import restored_in
from digest.storage.sqlite.migrations import migrations
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Mailing, MailingState, Restored
from digest.subscribers.subscriber import Subscriber
from tests.factories import invented_paper, make_subscriber, moment
from tests.fakes import FakeSource
from tests.stores import (
    LONG_AGO,
    NOW,
    claim,
    enqueue,
    found,
    ids,
    key,
    outbox_of,
    record,
    record_results,
)

ADA, BO = make_subscriber("ada@example.org", "tea"), make_subscriber("bo@example.org", "tea")
MONDAY = moment("2026-06-15 12:00")
WRITER = Writer(
    Renderer(templates_folder()), SenderIdentity(sender="digest@example.org", contact="digest@example.org")
)

Copy = Callable[[Path, Path], object]
by_command = partial(back_up, now=MONDAY)
EITHER_WAY = pytest.mark.parametrize(
    "copy", [by_command, shutil.copyfile], ids=["digest backup", "copy of the file"]
)


class Installation:
    """A state and a Maildir; day `n` brings paper `n`, and the mails of a day are read on that day."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state" / "digest.db"
        self.maildir = folder / "Maildir"
        self.source = FakeSource()
        self.subscribers: tuple[Subscriber, ...] = (ADA, BO)

    async def day(self, number: int, transport: Transport | None = None) -> CycleReport:
        now = MONDAY + timedelta(days=number)
        self.source.papers += (invented_paper(f"2606.{number:05}", "Tea", submitted=f"{now:%Y-%m-%d} 10:00"),)
        report = await self.run(now, transport)
        for mail in (self.maildir / "new").glob("*"):
            mail.rename(self.maildir / "cur" / f"{mail.name}:2,S")
        return report

    async def run(self, now: datetime, transport: Transport | None = None) -> CycleReport:
        with SqliteStore(self.state) as store:
            cycle = Cycle(
                sources=(self.source,),
                store=store,
                transport=transport or MaildirTransport(self.maildir),
                writer=lambda: WRITER.write,
                subscribers=self.subscribers,
                lookback=timedelta(days=16),
                clock=lambda: now,
            )
            return await cycle.run()

    def put_back(self, copy: Path) -> None:
        """As docs/delivery.md says."""
        for name in ("digest.db-wal", "digest.db-shm"):
            (self.state.parent / name).unlink(missing_ok=True)
        shutil.copyfile(copy, self.state)

    def restored(self) -> Restored | None:
        with SqliteStore(self.state) as store:
            return store.restored()

    def message_ids(self) -> Counter[str]:
        return Counter(message["Message-ID"] for message in self._messages())

    def papers(self, email: str) -> Counter[str]:
        """How many of the subscriber's mails bring each paper."""
        brought: Counter[str] = Counter()
        for message in self._messages():
            text = message.get_body(("plain",))
            if message["To"] == email and text is not None:
                brought.update(set(re.findall(r"arxiv\.org/abs/(2606\.\d{5})", text.get_content())))
        return brought

    def _messages(self) -> list[EmailMessage]:
        files = sorted((self.maildir / "cur").iterdir())
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


@pytest.fixture
def lab(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@EITHER_WAY
async def test_no_mail_has_the_name_of_another_and_no_paper_is_lost(
    lab: Installation, tmp_path: Path, copy: Copy
) -> None:
    await lab.day(1)
    copy(lab.state, tmp_path / "copy.db")
    await lab.day(2)
    await lab.day(3)
    lab.put_back(tmp_path / "copy.db")
    await lab.day(4)
    await lab.day(5)
    assert (len(lab.message_ids()), lab.message_ids().total()) == (10, 10)
    for one in (ADA, BO):
        assert lab.papers(one.email) == {
            "2606.00001": 1,
            "2606.00002": 2,
            "2606.00003": 2,
            "2606.00004": 1,
            "2606.00005": 1,
        }


@pytest.mark.parametrize("is_restored", [True, False])
async def test_a_keyword_that_the_copy_does_not_have_misses_no_paper_that_was_held_back(
    lab: Installation, tmp_path: Path, is_restored: bool
) -> None:
    await lab.day(1)
    if is_restored:
        by_command(lab.state, tmp_path / "copy.db")
        await lab.day(2)
        lab.put_back(tmp_path / "copy.db")
    lab.subscribers += (make_subscriber("cy@example.org", "coffee"),)
    lab.source.papers += (invented_paper("2606.00077", "Coffee", submitted="2026-05-10 10:00"),)
    await lab.day(3)
    assert lab.papers("cy@example.org") == ({"2606.00077": 1} if is_restored else {})


async def test_a_copy_from_before_the_first_fetch_loses_nothing_beyond_the_first_ten(
    lab: Installation, tmp_path: Path
) -> None:
    with SqliteStore(lab.state) as store:
        store.enrol([ADA, BO], now=MONDAY, current_since=MONDAY)
        by_command(lab.state, tmp_path / "copy.db")
    await lab.day(1)
    lab.put_back(tmp_path / "copy.db")
    for number in range(20):
        lab.source.papers += (invented_paper(f"2606.{100 + number:05}", "Tea", submitted="2026-06-16 11:00"),)
    await lab.day(2)
    assert len(lab.papers(ADA.email)) == 22


def lost_and_new(folder: Path) -> tuple[SqliteStore, Mailing, Mailing]:
    """A restored store, a mailing that was sent after the copy was made, and the one with its number now."""
    with SqliteStore(folder / "digest.db") as store:
        store.enrol([ADA], now=NOW, current_since=NOW)
        by_command(folder / "digest.db", folder / "copy.db")
        (lost,) = sent(store, "2606.00001")
    shutil.copyfile(folder / "copy.db", folder / "digest.db")
    store = SqliteStore(folder / "digest.db")
    (new,) = sent(store, "2606.00001", "2606.00002")
    assert (new.number, new.digest.email) == (lost.number, lost.digest.email)
    return store, lost, new


def sent(store: SqliteStore, *papers: str) -> tuple[Mailing, ...]:
    record(store, *(found(paper, "tea") for paper in papers), covered=("tea",))
    enqueue(store, ADA)
    mailings = claim(store)
    for mailing in mailings:
        record_results(store, mailing, MailingState.SENT, "250")
    return mailings


def test_links_to_a_subscribers_pages_stay_and_no_link_shows_another_digest(tmp_path: Path) -> None:
    store, lost, new = lost_and_new(tmp_path)
    with store:
        assert lost.pages is not None
        assert new.pages is not None
        assert lost.pages.subscriber == new.pages.subscriber
        assert store.subscriber_for(lost.pages.subscriber) is not None
        assert store.digest_page(lost.pages.digest) is None
        assert store.digest_page(new.pages.digest) == new.digest


def test_links_in_mails_lead_to_the_same_subscriber_and_keyword_though_all_came_after_the_copy(
    tmp_path: Path,
) -> None:
    cy = make_subscriber("cy@example.org", "milk")
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol([ADA], now=NOW, current_since=NOW)
        by_command(tmp_path / "digest.db", tmp_path / "copy.db")
        links = {one.email: links_for(store, ADA, one) for one in (BO, cy)}
    shutil.copyfile(tmp_path / "copy.db", tmp_path / "digest.db")
    with SqliteStore(tmp_path / "digest.db") as store:
        for one in (cy, BO):  # the other way round
            assert links_for(store, ADA, one) != links[one.email]
        for email, (own, feed, keyword, text) in links.items():
            known = store.subscriber_for(own)
            assert known is not None
            assert known.email == email
            mailings = store.digests_of(feed)
            assert mailings is not None
            assert {mailing.digest.email for mailing in mailings} == {email}
            page = store.keyword_page(keyword)
            assert page is not None
            assert page.keyword == text
        strange = SqliteStore(tmp_path / "strange.db")
        with strange:
            assert strange.subscriber_for(links[BO.email][0]) is None


def links_for(store: SqliteStore, *subscribers: Subscriber) -> tuple[str, str, str, str]:
    """The tokens of the last subscriber's pages, of their feed and of their keyword's page, and the
    keyword.
    """
    newest = subscribers[-1]
    store.enrol(subscribers, now=NOW, current_since=NOW)
    (text,) = (keyword.text for keyword in newest.keywords)
    record(store, found(f"2606.0000{len(newest.email)}", text), covered=(text,))
    enqueue(store, newest)
    (mailing,) = claim(store)
    record_results(store, mailing, MailingState.SENT, "250")
    assert mailing.pages is not None
    known = store.subscriber_for(mailing.pages.subscriber)
    assert known is not None
    return mailing.pages.subscriber, known.feed, store.keyword_tokens({text: key(text)})[text], text


def test_a_mail_that_the_state_forgot_comes_back_for_nobody(tmp_path: Path) -> None:
    store, lost, new = lost_and_new(tmp_path)
    with store:
        assert (
            store.note_bounce(
                lost.token,
                recipient=ADA.email,
                concern="full",
                reply="5.2.2",
                now=NOW,
                retry_at=NOW + RETRY_BOUNCED_AFTER,
            )
            is None
        )
        bounced = store.note_bounce(
            new.token,
            recipient=ADA.email,
            concern="full",
            reply="5.2.2",
            now=NOW,
            retry_at=NOW + RETRY_BOUNCED_AFTER,
        )
        assert bounced is not None
        assert bounced.bounces == 1


# That it was restored is noticed.


async def restored(lab: Installation, copy: Copy) -> None:
    """Leaves an installation whose state is as it was two days ago."""
    await lab.day(1)
    copy(lab.state, lab.state.with_name("copy"))
    await lab.day(2)
    await lab.day(3)
    lab.put_back(lab.state.with_name("copy"))


def told(report: CycleReport) -> bool:
    return any("an older copy of the state" in note for note in report.notes)


@EITHER_WAY
async def test_a_restore_is_noticed_and_told_once(lab: Installation, copy: Copy) -> None:
    await restored(lab, copy)
    copied_at = MONDAY if copy is by_command else None
    assert lab.restored() == Restored(copied_at=copied_at, noticed_at=None)
    assert told(await lab.day(4))
    assert lab.restored() == Restored(copied_at=None, noticed_at=MONDAY + timedelta(days=4))
    assert not told(await lab.day(5))


@EITHER_WAY
async def test_what_is_restored_again_is_noticed_again(lab: Installation, copy: Copy) -> None:
    await restored(lab, copy)
    assert told(await lab.day(4))
    lab.put_back(lab.state.with_name("copy"))
    assert told(await lab.day(5))
    assert lab.message_ids().total() == len(lab.message_ids())


async def test_a_state_that_goes_on_is_not_taken_for_a_restored_one(
    lab: Installation, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        assert not told(await lab.day(number))
        by_command(lab.state, tmp_path / "copy.db")
    assert not told(await lab.run(MONDAY + timedelta(days=30)))
    assert lab.restored() is None


async def test_a_new_installation_is_not_a_restored_one(lab: Installation) -> None:
    await lab.day(1)
    lab.state.unlink()
    assert not told(await lab.day(2))


@EITHER_WAY
async def test_a_kill_after_the_restore_was_noticed_changes_nothing(lab: Installation, copy: Copy) -> None:
    await restored(lab, copy)
    with SqliteStore(lab.state) as store:
        assert store.take_up_restored(now=MONDAY + timedelta(days=4))
    assert not told(await lab.day(4))
    assert (len(lab.message_ids()), lab.message_ids().total()) == (8, 8)
    assert set(lab.papers(ADA.email)) == {f"2606.{number:05}" for number in (1, 2, 3, 4)}


@EITHER_WAY
def test_what_waited_in_the_copy_is_repeated_as_the_same_mail_and_never_merged(
    tmp_path: Path, copy: Copy
) -> None:
    state = tmp_path / "digest.db"
    with SqliteStore(state) as store:
        outbox_of(store, ADA.email)
    copy(state, tmp_path / "copy.db")
    with SqliteStore(state) as store:
        store.reclaim(now=NOW, latest=NOW)
        (waiting,) = claim(store)
        record_results(store, waiting, MailingState.SENT, "250")
        sent(store, "2606.00002")
        store.reclaim(now=NOW, latest=NOW)
    shutil.copyfile(tmp_path / "copy.db", state)
    with SqliteStore(state) as store:
        store.take_up_restored(now=NOW)
        record(store, found("2606.00002", "tea"), covered=("tea",))
        compose_due(store, [ADA], lambda *_: NOW, backlog_since=LONG_AGO)
        again, new = claim(store)
        assert (again.token, WRITER.write(again)) == (waiting.token, WRITER.write(waiting))
        assert ids(new.digest) == {"2606.00002"}


@pytest.mark.parametrize("content", ["", "nonsense", "ffff 7", "é", None])
async def test_a_file_beside_the_state_that_is_of_no_use_is_no_error(
    lab: Installation, content: str | None
) -> None:
    file = lab.state.with_name("digest.db.last-mailing")
    await lab.day(1)
    file.unlink()
    if content is None:
        file.mkdir()
    else:
        file.write_text(content)
    report = await lab.day(2)
    assert (told(report), report.digests_sent) == (False, 2)


async def test_a_file_beside_the_state_that_cannot_be_written_is_no_error(
    lab: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(target: Path, text: str) -> None:
        raise PermissionError(target)

    monkeypatch.setattr(restore_detection, "replace_text", refuse)
    assert (await lab.day(1)).digests_sent == 2
    assert not told(await lab.day(2))


def test_a_state_of_an_earlier_version_can_be_copied(tmp_path: Path) -> None:
    older = Database(tmp_path / "digest.db")
    migrations.apply(older, stop_before="m011_restored")
    older.close()
    by_command(tmp_path / "digest.db", tmp_path / "copy.db")
    assert restored_in(tmp_path / "copy.db") is None
    with SqliteStore(tmp_path / "copy.db") as store:
        assert store.take_up_restored(now=NOW) is None

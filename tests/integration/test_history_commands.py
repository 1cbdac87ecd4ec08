"""`digest history` tells what went to whom; `digest resend` sends one of these mails again."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import pytest

from digest.cli import history
from digest.config.loader import load_settings
from digest.config.parsing import channel_address
from digest.storage.base import Store
from digest.storage.factory import open_store
from digest.storage.values import MailingState
from digest.subscribers.preferences import Preferences
from tests.factories import make_subscriber
from tests.integration.command import Command, installed
from tests.postgresql import take_back_databases
from tests.stores import LONG_AGO, enqueue, found, record, record_results

ADA, BO, CY = "ada@example.org", "bo@example.org", "cy@example.org"
FILE = "".join(f'[[subscriber]]\nemail = "{one}"\nkeywords = ["tea"]\n' for one in (ADA, BO, CY))
TODAY = datetime.now(UTC).replace(hour=7, minute=0, second=0, microsecond=0)


@pytest.fixture(params=["sqlite", "postgresql"])
def digest(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Command]:
    command = installed(tmp_path_factory.mktemp("lab"), request.param, FILE, monkeypatch, capsys)
    command.set(SMTP__SENDER="digest@lab.example")
    yield command
    take_back_databases()


@pytest.fixture
def store(digest: Command) -> Iterator[Store]:
    """Ada and Bo got a digest on each of the last two days; that of today to Bo is deferred."""
    with open_store(load_settings(None, digest.environ).state) as store:
        people = [make_subscriber(one, "tea") for one in (ADA, BO, CY)]
        store.enrol(people, now=LONG_AGO, current_since=LONG_AGO)
        for number, day in ((1, TODAY - timedelta(days=10)), (2, TODAY)):
            record(store, found(f"2606.0000{number}", "tea"), covered=("tea",), now=day)
            for reader in people[:2]:
                enqueue(store, reader, now=day)
            for one in store.claim(now=day, until=day + timedelta(minutes=9), limit=9):
                is_taken = one.digest.email == ADA or number == 1
                state = MailingState.SENT if is_taken else MailingState.DEFERRED
                later = None if is_taken else TODAY + timedelta(days=1)
                record_results(store, one, state, "250 ok" if is_taken else "451 busy", due_at=later)
        yield store


@pytest.mark.usefixtures("store")
def test_the_list_tells_what_went_to_whom_and_with_what_reply(digest: Command) -> None:
    header, ada, bo = digest.said("history").splitlines()
    assert header.split() == ["Address", "Digest", "of", "Papers", "Result", "Last", "attempt", "Reply"]
    assert ada.split()[:4] == [ADA, str(TODAY.date()), "1", "sent"]
    assert ada.rstrip().endswith("250 ok")
    assert "is tried again at" in bo
    assert bo.rstrip().endswith("451 busy")
    assert len(digest.said("history", ADA).splitlines()) == 3
    assert len(digest.said("history", "--since", "2020-01-01").splitlines()) == 5
    assert len(digest.said("history", ADA, "--since", str(TODAY.date())).splitlines()) == 2
    assert digest.said("history", CY) == "Nothing was mailed in this time.\n"
    assert "did you mean ada@example.org?" in digest.refused("history", "eda@example.org")[0]


def test_a_channel_has_its_own_list(digest: Command, store: Store) -> None:
    (digest.folder / "digest.toml").write_text(
        '[[channel]]\nname = "notes"\nkind = "folder"\nfolder = "notes"\nkeywords = ["tea"]\n'
    )
    assert digest.said("history", "channel:notes") == "Nothing was mailed in this time.\n"
    notes = make_subscriber(channel_address("notes"), "tea")
    store.enrol([notes], now=LONG_AGO, current_since=LONG_AGO)
    record(store, found("2606.00009", "tea"), covered=("tea",))
    enqueue(store, notes, now=TODAY)
    assert len(digest.said("history", "channel:notes").splitlines()) == 2
    assert "did you mean notes?" in digest.refused("history", "channel:note")[0]


@pytest.mark.usefixtures("store")
def test_as_json_it_has_the_message_id_and_the_papers(digest: Command) -> None:
    first, second = json.loads(digest.said("history", "Ada@Example.org", "--json"))
    assert (first["ids"], second["ids"], second["papers"]) == (["2606.00001"], ["2606.00002"], 1)
    assert (second["email"], second["date"], second["state"]) == (ADA, str(TODAY.date()), "sent")
    assert second["message_id"].endswith("@lab.example>")
    assert (second["reply"], second["attempts"], second["next_attempt_at"]) == ("250 ok", 1, None)
    assert [one["ids"] for one in json.loads(digest.said("history", "--json"))] == [None, None]


def test_without_a_state_nothing_was_mailed_yet(digest: Command) -> None:
    if "postgresql" in digest.environ["DIGEST_STATE"]:
        pytest.skip("the database of a test has a state")
    said = "Nothing was mailed in the last week; `--since DATE` looks further back.\n"
    assert digest.said("history") == said
    assert digest.said("history", "--json") == "[]\n"
    assert "no digest was sent in the last 90 days" in digest.refused("resend", ADA)[0]
    assert not (digest.folder / "digest.db").exists()


def test_the_last_digest_that_was_sent_goes_once_more(digest: Command, store: Store) -> None:
    out = digest.said("resend", ADA)
    assert out.startswith(f"The digest of {TODAY.date()} goes to ada@example.org once more, as <")
    (mailing,) = store.claim(now=datetime.now(UTC) + timedelta(minutes=1), until=TODAY, limit=9)
    assert mailing.digest.dated_on == TODAY.date()
    assert f"as <{mailing.token}@lab.example>" in out


def test_the_digest_of_a_day_goes_once_more(digest: Command, store: Store) -> None:
    day = (TODAY - timedelta(days=10)).date()
    told = json.loads(digest.said("resend", BO, "--date", str(day), "--json"))
    assert (told["date"], told["email"], told["ids"]) == (str(day), BO, ["2606.00001"])
    assert len(store.claim(now=datetime.now(UTC) + timedelta(minutes=1), until=TODAY, limit=9)) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            (ADA, "--date", "2026-01-01"),
            "is kept; digests are kept for 90 days; there are",
        ),
        ((BO, "--date", str(TODAY.date())), "was not sent: is tried again at"),
        ((CY,), "no digest was sent in the last 90 days"),
        (("eda@example.org",), "did you mean ada@example.org?"),
        ((ADA, "--date", "today"), "must be a day"),
    ],
)
def test_what_cannot_be_sent_again_is_told(
    digest: Command, store: Store, arguments: tuple[str, ...], problem: str
) -> None:
    before = store.past_mailings(since=None, email=None, after=0, limit=9)
    assert problem in " ".join(line.strip(" │") for line in digest.refused("resend", *arguments))
    assert store.past_mailings(since=None, email=None, after=0, limit=9) == before


@pytest.mark.parametrize(
    ("until", "now", "is_taken"),
    [
        (1, TODAY + timedelta(hours=18), False),  # that day has begun in Auckland, and not in Honolulu
        (1, TODAY + timedelta(hours=28), False),
        (1, TODAY + timedelta(hours=30), True),
        (0, TODAY - timedelta(hours=11), True),  # the first digest after the pause, in Auckland
    ],
)
@pytest.mark.usefixtures("store")
def test_a_digest_goes_once_more_as_soon_as_the_outbox_sends_it_after_a_pause(
    digest: Command,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    until: int,
    now: datetime,
    is_taken: bool,
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.combine(now.date(), now.timetz())

    monkeypatch.setattr(history, "datetime", Clock)
    store.save_preferences(ADA, Preferences(paused_until=(TODAY + timedelta(days=until)).date()))
    if is_taken:
        assert "goes to ada@example.org once more" in digest.said("resend", ADA)
    else:
        assert "first `digest unpause ada@example.org`" in digest.refused("resend", ADA)[0]
    claimed = store.claim(now=now, until=now + timedelta(minutes=1), limit=9)
    assert [one.digest.email for one in claimed].count(ADA) == is_taken


def test_nothing_goes_to_who_gets_no_mail(digest: Command, store: Store) -> None:
    store.save_preferences(ADA, Preferences(paused_until=(TODAY + timedelta(days=9)).date()))
    assert "first `digest unpause ada@example.org`" in digest.refused("resend", ADA)[0]
    store.suppress(ADA, cause="550 no such user", now=TODAY)
    assert "(550 no such user): first `digest resume ada@example.org`" in digest.refused("resend", ADA)[0]
    store.leave(BO, now=TODAY)
    assert "has unsubscribed: first `digest subscribe bo@example.org`" in digest.refused("resend", BO)[0]

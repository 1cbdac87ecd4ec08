"""`digest bounce` counts what is about our mailings and nothing else, and loses no notification."""

import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from digest import cli
from digest.config.package_data import templates_folder
from digest.keywords.query import parse
from digest.mail.message import SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.pipeline.compose import compose
from digest.pipeline.policy import MOST_BOUNCES
from digest.storage.sqlite.row_mapping import text_of
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import DeliveryResult, MailingState, Matched
from tests.factories import invented_paper, make_subscriber
from tests.notifications import (
    FIELDS,
    SUBSCRIBER,
    TOKEN,
    exchange,
    exim,
    gmail,
    head,
    postfix,
    returned,
    vacation,
)
from tests.returned_mails import ALIVE, DEAD, UNREADABLE, complaint
from tests.stores import news_of, older_state, served

ROOT = Path(__file__).parents[2]
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=100)
FULL = FIELDS.replace("5.1.1", "5.2.2")
DELAYED = FIELDS.replace("failed", "delayed")
FORGED = "ffffffffffffffffffffffff"
OTHER = "other@home.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


class Machine:
    """A mail server that pipes mails into the command, and the state that the command works on."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.state = folder / "digest.db"
        self._folder, self._patch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DIGEST_STATE", str(self.state))
        monkeypatch.setenv("DIGEST_SMTP__BOUNCE_ADDRESS", "bounce@lab.example")

    def run(self, *arguments: str, stdin: io.BytesIO | None = None) -> Ended:
        self._patch.setattr(sys, "argv", ["digest", *arguments])
        self._patch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin or io.BytesIO()))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capsys.readouterr()
        code = ended.value.code
        return Ended(code=code if isinstance(code, int) else 0, out=out, err=err)

    def bounce(self, message: bytes, token: str) -> Ended:
        ended = self.run("bounce", stdin=io.BytesIO(message.replace(TOKEN.encode(), token.encode())))
        assert len(ended.out.splitlines()) == (ended.code == 0)
        return ended

    def suppressed(self) -> list[str]:
        with SqliteStore(self.state) as store:
            return [one.email for one in store.suppressions()]

    def counted(self, token: str) -> int:
        with closing(sqlite3.connect(self.state)) as db:
            return int(db.execute("SELECT bounces FROM mailing WHERE token = ?", [token]).fetchone()[0])


@pytest.fixture
def machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Machine]:
    found = Machine(tmp_path, monkeypatch, capsys)
    with SqliteStore(found.state):
        yield found


def sent(machine: Machine, email: str = SUBSCRIBER, mailings: int = 1) -> list[str]:
    """The tokens of so many digests that were sent to this subscriber."""
    tokens = []
    subscribers = [make_subscriber(email, "neural operator"), make_subscriber(OTHER, "neural operator")]
    with SqliteStore(machine.state) as store:
        for number in range(mailings):
            paper = invented_paper(f"2606.{number + 1:05}", submitted="2026-06-15 10:00")
            store.enrol(subscribers, now=LONG_AGO, current_since=LONG_AGO)
            query = parse("neural operator").key
            store.record([Matched(paper=paper, query_keys=(query,))], covered={query: LONG_AGO}, now=LONG_AGO)
            news = news_of(store, email, LONG_AGO - timedelta(days=3650))
            digest = compose(subscribers[0], news.hits, planned_at=NOW, is_first=False)
            store.enqueue([served(news, digest, now=NOW)])
            (mailing,) = store.claim(now=NOW, until=NOW + timedelta(hours=1), limit=5)
            done = DeliveryResult(number=mailing.number, state=MailingState.SENT, reply="250 ok")
            store.record_results([done], now=NOW)
            tokens.append(mailing.token)
    return tokens


@pytest.mark.parametrize("message", [postfix(), exim(), exchange(), gmail()])
def test_a_dead_address_gets_no_more_mail_at_once(machine: Machine, message: bytes) -> None:
    (token,) = sent(machine)
    ended = machine.bounce(message, token)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{SUBSCRIBER} gets no more mail (550")
    assert machine.suppressed() == [SUBSCRIBER]


def test_another_failure_is_counted_until_there_are_too_many(machine: Machine) -> None:
    tokens = sent(machine, mailings=MOST_BOUNCES)
    for number, token in enumerate(tokens[:-1], start=1):
        ended = machine.bounce(postfix(fields=FULL), token)
        assert f"still mailed: {number} of {MOST_BOUNCES} mailings came back" in ended.out
    assert machine.suppressed() == []
    assert "5 mailings came back in 30 days" in machine.bounce(postfix(fields=FULL), tokens[-1]).out
    assert machine.suppressed() == [SUBSCRIBER]


def test_one_notification_many_times_is_one_bounce(machine: Machine) -> None:
    (token,) = sent(machine)
    for _ in range(2 * MOST_BOUNCES):
        assert machine.bounce(postfix(fields=FULL), token).code == 0
    assert machine.suppressed() == []
    assert machine.counted(token) == 1


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"Buy now!\n" * 1000,
        vacation(),
        postfix(fields=DELAYED),
        postfix(fields=FIELDS.replace("failed", "delivered")),
        postfix(head=head("digest@lab.example"), returned="Subject: foreign\n"),
    ],
    ids=["empty", "spam", "vacation", "delayed", "delivered", "foreign"],
)
def test_what_is_not_ours_counts_nothing_and_is_never_sent_back(machine: Machine, message: bytes) -> None:
    (token,) = sent(machine)
    ended = machine.bounce(message, token)
    assert ended.code == 0
    assert ended.out.startswith("Nothing done")
    assert (machine.suppressed(), machine.counted(token)) == ([], 0)


@pytest.mark.parametrize("message", [postfix(), exim(), exchange(), gmail()])
def test_a_guessed_token_harms_nobody(machine: Machine, message: bytes) -> None:
    (token,) = sent(machine)
    ended = machine.bounce(message, FORGED)
    assert (ended.code, ended.out) == (
        0,
        "Nothing done: the notification is about a mail that digest did not send.\n",
    )
    assert (machine.suppressed(), machine.counted(token)) == ([], 0)


def test_a_subscriber_cannot_stop_the_mails_of_another(machine: Machine) -> None:
    """They know the names of their own mailings alone."""
    (token,) = sent(machine)
    forged = postfix(fields=FIELDS.replace(SUBSCRIBER, OTHER))
    for _ in range(2):
        machine.bounce(forged, token)
    assert OTHER not in machine.suppressed()


def test_a_message_id_of_ours_does_not_make_a_foreign_notification_ours(machine: Machine) -> None:
    """As when a subscriber answers a digest to a list, and somebody on the list has left."""
    (token,) = sent(machine)
    foreign = postfix(
        head=head("digest@lab.example"), fields=FIELDS.replace(SUBSCRIBER, "someone@list.example")
    )
    ended = machine.bounce(foreign, token)
    assert ended.out.startswith("Nothing done")
    assert machine.counted(token) == 0


def test_where_a_mailbox_hands_on_the_failure_counts_and_the_subscriber_is_not_dead(machine: Machine) -> None:
    (token,) = sent(machine)
    ended = machine.bounce(postfix(fields=FIELDS.replace(SUBSCRIBER, "new@far.example")), token)
    assert f"{SUBSCRIBER} is still mailed: 1 of" in ended.out
    assert machine.suppressed() == []


def test_so_it_does_where_the_notification_names_the_subscriber_as_the_original_one(machine: Machine) -> None:
    (token,) = sent(machine)
    fields = FIELDS.replace(
        f"Final-Recipient: rfc822; {SUBSCRIBER}", "Final-Recipient: rfc822; new@far.example"
    )
    ended = machine.bounce(postfix(head=head("digest@lab.example"), fields=fields), token)
    assert f"{SUBSCRIBER} is still mailed: 1 of" in ended.out
    assert machine.suppressed() == []


def test_an_address_is_the_same_in_other_letters(machine: Machine) -> None:
    (token,) = sent(machine)
    machine.bounce(
        postfix(head=head("digest@lab.example"), fields=FIELDS.replace(SUBSCRIBER, SUBSCRIBER.upper())), token
    )
    assert machine.suppressed() == [SUBSCRIBER]


def test_the_daemon_may_be_at_work_meanwhile(machine: Machine) -> None:
    from digest.storage.lock import hold_state

    (token,) = sent(machine)
    with hold_state(machine.state), SqliteStore(machine.state):
        assert machine.bounce(postfix(), token).code == 0
    assert machine.suppressed() == [SUBSCRIBER]


def test_a_mail_server_is_to_try_again_when_the_state_is_locked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.storage.sqlite.connection._BUSY_SECONDS", 0.1)
    (token,) = sent(machine)
    with closing(sqlite3.connect(machine.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = machine.bounce(postfix(), token)
        other.execute("ROLLBACK")
    assert (ended.code, ended.out) == (75, "")
    assert ended.err.startswith("error: ")
    assert machine.bounce(postfix(), token).code == 0
    assert machine.suppressed() == [SUBSCRIBER]


def test_a_mail_server_is_to_try_again_when_the_state_is_missing(machine: Machine) -> None:
    machine.state.rename(machine.state.with_suffix(".moved"))
    ended = machine.bounce(postfix(), TOKEN)
    assert ended.code == 75
    assert "DIGEST_STATE" in ended.err
    assert not machine.state.exists()


def test_a_mail_server_is_to_try_again_when_the_configuration_is_wrong(machine: Machine) -> None:
    Path("digest.toml").write_text("[smtp]\nhots = 'x'\n")
    ended = machine.bounce(postfix(), TOKEN)
    assert ended.code == 75
    assert "smtp.hots" in ended.err
    assert machine.run("suppressions").code == 2


def test_the_whole_mail_is_taken_from_the_mail_server(machine: Machine) -> None:
    (token,) = sent(machine)
    stdin = io.BytesIO(postfix().replace(TOKEN.encode(), token.encode()) + b"x\n" * 3_000_000)
    assert machine.run("bounce", stdin=stdin).code == 0
    assert stdin.read() == b""
    assert machine.suppressed() == [SUBSCRIBER]


def test_suppressed_addresses_are_listed_with_their_cause(machine: Machine) -> None:
    assert machine.run("suppressions").out == "No address is suppressed.\n"
    assert json.loads(machine.run("suppressions", "--json").out) == []
    (token,) = sent(machine)
    machine.bounce(postfix(), token)
    (listed,) = json.loads(machine.run("suppressions", "--json").out)
    assert (listed["email"], listed["cause"][:9]) == (SUBSCRIBER, "550 5.1.1")
    since = datetime.fromisoformat(listed["since"])
    assert since.tzinfo is not None
    assert f"{SUBSCRIBER}  {since:%Y-%m-%d %H:%M}" in machine.run("suppressions").out


def test_without_a_state_nobody_is_suppressed_and_none_is_made(machine: Machine) -> None:
    machine.state.rename(machine.state.with_suffix(".moved"))
    assert machine.run("suppressions").out == "No address is suppressed.\n"
    assert not machine.state.exists()


def test_an_address_is_mailed_again_when_that_is_wished(machine: Machine) -> None:
    (token,) = sent(machine)
    machine.bounce(postfix(), token)
    ended = machine.run("resume", SUBSCRIBER.upper())
    assert (ended.code, machine.suppressed()) == (0, [])
    assert "is mailed again. The waiting digest goes with the next `digest run`" in ended.out


def test_whoever_had_nothing_waiting_is_told_when_the_next_digest_comes(machine: Machine) -> None:
    for arguments in (["other@home.example"], ["--all"]):
        with SqliteStore(machine.state) as store:
            store.suppress("other@home.example", cause="550 5.1.1 no such user", now=NOW)
        ended = machine.run("resume", *arguments)
        assert "No digest waited: the next one comes at its usual time." in ended.out


@pytest.mark.parametrize("email", ["nobody@home.example", "an invalid address"])
def test_what_is_not_suppressed_cannot_be_resumed(machine: Machine, email: str) -> None:
    ended = machine.run("resume", email)
    assert (ended.code, ended.out) == (2, "")
    assert email in ended.err


@pytest.mark.parametrize("name", DEAD)
def test_every_server_ends_the_mails_to_a_mailbox_that_is_gone(machine: Machine, name: str) -> None:
    (token,) = sent(machine)
    message = DEAD[name]
    for encoding in (bytes, b64encode):
        message = message.replace(encoding(returned().encode()), encoding(returned(token).encode()))
    assert machine.bounce(message, token).code == 0
    assert machine.suppressed() == [SUBSCRIBER]


@pytest.mark.parametrize("name", [name for name in ALIVE if "full" not in name])
def test_what_is_not_about_the_mailbox_suppresses_nobody_however_often(machine: Machine, name: str) -> None:
    for token in sent(machine, mailings=2 * MOST_BOUNCES):
        assert f"{SUBSCRIBER} is still mailed: 0 of" in machine.bounce(ALIVE[name], token).out
    assert machine.suppressed() == []


def test_a_doubtful_address_takes_two_mailings_days_apart(machine: Machine) -> None:
    doubtful = postfix(
        fields=FIELDS.replace("5.1.1", "5.1.2").replace("nobody of that name", "no such domain")
    )
    first, second, third = sent(machine, mailings=3)
    for token in (first, second):  # one soon after the other
        assert "is still mailed" in machine.bounce(doubtful, token).out
    with closing(sqlite3.connect(machine.state)) as db, db:
        db.execute("UPDATE returned SET returned_at = ?", [text_of(NOW - timedelta(days=2))])
    assert "mailings came back for days" in machine.bounce(doubtful, third).out
    assert machine.suppressed() == [SUBSCRIBER]


def test_a_server_that_sends_back_every_mail_is_not_believed(machine: Machine) -> None:
    emails = [f"reader{number}@home.example" for number in range(12)]
    tokens = {email: sent(machine, email)[0] for email in emails}
    for email, token in tokens.items():
        ended = machine.bounce(postfix().replace(SUBSCRIBER.encode(), email.encode()), token)
    assert "probably a mail server is the cause" in ended.out
    assert machine.suppressed() == emails[:3]


def test_a_domain_whose_mails_come_back_all_keeps_the_rest_of_it(machine: Machine) -> None:
    astray = [f"reader{number}@away.example" for number in range(5)]
    emails = [*(f"reader{number}@home.example" for number in range(60)), *astray]
    tokens = {email: sent(machine, email)[0] for email in emails}
    for email in (*astray, emails[0]):
        ended = machine.bounce(postfix().replace(SUBSCRIBER.encode(), email.encode()), tokens[email])
        assert ("probably a mail server is the cause" in ended.out) == (email in astray[2:])
    assert set(machine.suppressed()) == {*astray[:2], emails[0]}


def test_a_few_that_died_among_many_are_given_up(machine: Machine) -> None:
    emails = [f"reader{number}@home.example" for number in range(50)]
    tokens = {email: sent(machine, email)[0] for email in emails}
    for email in emails[::12]:
        machine.bounce(postfix().replace(SUBSCRIBER.encode(), email.encode()), tokens[email])
    assert machine.suppressed() == sorted(emails[::12])


def leaving(machine: Machine) -> str:
    """The address in the header of a subscriber's mail."""
    with SqliteStore(machine.state) as store:
        (mailing,) = store.claim(now=NOW + timedelta(days=2), until=NOW + timedelta(days=3), limit=1)
        sender_identity = SenderIdentity(
            sender="d@lab.example", contact="c@lab.example", bounce_address="bounce@lab.example"
        )
        outgoing = Writer(Renderer(templates_folder()), sender_identity).write(mailing)
    header = re.search(rb"\r\nList-Unsubscribe: <mailto:([^?]+)\?subject=unsubscribe>\r\n", outgoing.message)
    assert header
    return header[1].decode()


def test_whoever_writes_to_the_address_in_their_mail_is_unsubscribed(machine: Machine) -> None:
    (token,) = sent(machine)
    machine.bounce(postfix(fields=FULL), token)  # so that there is a mail to write again
    address = leaving(machine)
    for _ in range(2):
        ended = machine.bounce(f"From: {SUBSCRIBER}\nTo: {address}\nSubject: unsubscribe\n\n".encode(), token)
        assert ended.out == f"{SUBSCRIBER} is unsubscribed, as requested by mail.\n"
    with SqliteStore(machine.state) as store:
        assert store.preferences_of(SUBSCRIBER).left_at is not None
    forged = f"From: {SUBSCRIBER}\nTo: bounce+leave-{'a' * 29}@lab.example\n\n".encode()
    assert machine.bounce(forged, token).out.startswith("Nothing done")


def test_a_complaint_ends_the_mails(machine: Machine) -> None:
    (token,) = sent(machine)
    assert machine.bounce(complaint("not-spam"), token).code == 0
    assert machine.suppressed() == []
    assert "marked as spam" in machine.bounce(complaint(), token).out
    assert machine.suppressed() == [SUBSCRIBER]
    assert machine.bounce(complaint(), FORGED).out.startswith("Nothing done")


def test_what_is_not_understood_is_kept_and_told(machine: Machine) -> None:
    (token,) = sent(machine)
    assert machine.bounce(UNREADABLE["prose"], FORGED).out.startswith("Nothing done")
    for _ in range(60):
        assert machine.bounce(UNREADABLE["prose"], token).out.startswith("Kept for the operator")
    with SqliteStore(machine.state) as store:
        kept = store.unread_mails()
    assert len(kept) == 50
    assert "postmaster@home.example" in machine.run("bounce", "--kept").out
    assert "It failed." in machine.run("bounce", "--show", str(kept[-1].number)).out
    assert machine.run("bounce", "--show", "9999").code == 2
    Path("subscribers.toml").write_text(
        f'[[subscriber]]\nemail = "{SUBSCRIBER}"\nkeywords = ["neural operator"]\n'
    )
    Path("digest.toml").write_text("[smtp]\nhost = 'localhost'\nsender = 'd@lab.example'\n")
    status = machine.run("status")
    assert status.code == 1
    assert "digest bounce --kept" in " ".join(status.out.split())
    machine.run("bounce", "--clear")
    assert machine.run("bounce", "--kept").out == "No mail is kept.\n"


def test_a_mail_server_is_to_try_again_where_a_folder_may_not_be_entered(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/etc/arxiv-digest/digest.toml")

    monkeypatch.setattr("digest.config.loader.load_settings", refused)
    ended = machine.bounce(postfix(), TOKEN)
    assert (ended.code, ended.out) == (75, "")
    assert "/etc/arxiv-digest" in ended.err


class _Unreadable(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_mail_server_is_to_try_again_where_its_mail_cannot_be_read(machine: Machine) -> None:
    ended = machine.run("bounce", stdin=_Unreadable())
    assert (ended.code, ended.out) == (75, "")
    assert ended.err.startswith("error: Input/output error")


def test_a_closed_standard_input_is_a_mail_without_content(machine: Machine) -> None:
    closed = 'exec "$0" -m digest bounce <&-'
    done = subprocess.run(["sh", "-c", closed, sys.executable], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.partition(":")[0], done.stderr) == (0, "Nothing done", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full, a file on a full disk")
def test_what_was_done_is_done_though_nobody_can_be_told(machine: Machine) -> None:
    (token,) = sent(machine)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "digest", "bounce"],
            input=postfix().replace(TOKEN.encode(), token.encode()),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert machine.suppressed() == [SUBSCRIBER]


def test_looking_at_what_was_kept_leaves_an_older_state_as_it_is(machine: Machine) -> None:
    machine.state.unlink(missing_ok=True)
    older_state(machine.state)
    before = machine.state.read_bytes()
    assert machine.run("bounce", "--kept").out == "No mail is kept.\n"
    assert machine.run("bounce", "--show", "1").code == 2
    assert machine.state.read_bytes() == before
    assert not list(machine.state.parent.glob("digest.db.before-*"))

"""Real servers' forms are read, whoever is alive stays alive, and answers of machines are nothing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.bounces import (
    Bounce,
    Complaint,
    Returned,
    Unread,
    UnsubscribeRequest,
    read_returned,
)
from digest.mail.delivery_reports import Concern
from digest.mail.mime import read_mail
from digest.mail.return_addresses import leave_address
from tests.examples import examples
from tests.notifications import BOUNCES, SUBSCRIBER, TOKEN
from tests.returned_mails import (
    ALIVE,
    ANSWERS,
    DAEMON,
    DEAD,
    DSN,
    NO_FAILURE,
    TEXT,
    UNREADABLE,
    complaint,
    damaged,
    mail,
    status,
)

SUBSCRIBERS_TOKEN = "AAECAwQFBgcICQoLDA0ODxAR"


def read(message: bytes) -> Returned | None:
    return read_returned(message, bounce_address=BOUNCES)


def bounce(message: bytes) -> Bounce:
    found = read(message)
    assert isinstance(found, Bounce)
    return found


@pytest.mark.parametrize("server", DEAD)
def test_a_mailbox_that_is_gone_is_told_in_every_form(server: str) -> None:
    found = bounce(DEAD[server])
    assert (found.token, found.action, found.recipient) == (TOKEN, "failed", SUBSCRIBER)
    assert found.concern is Concern.DEAD


@pytest.mark.parametrize("what", ALIVE)
def test_the_words_of_the_server_that_refused_go_before_the_status(what: str) -> None:
    found = bounce(ALIVE[what])
    assert (found.token, found.action) == (TOKEN, "failed")
    assert found.concern is (Concern.FULL if "full" in what else Concern.OTHER)


@pytest.mark.parametrize("action", NO_FAILURE)
def test_what_is_no_failure_counts_nothing(action: str) -> None:
    assert bounce(NO_FAILURE[action]).action == action.lower()


@pytest.mark.parametrize("what", ANSWERS)
def test_an_automatic_answer_is_nothing(what: str) -> None:
    assert read(ANSWERS[what]) is None


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_names_a_mailing_and_is_not_understood_is_for_a_person(what: str) -> None:
    found = read(UNREADABLE[what])
    assert isinstance(found, Unread)
    assert TOKEN in found.tokens


def test_an_address_in_letters_of_the_world_is_read() -> None:
    fields = status("smtp; 550 5.1.1 user unknown").replace(
        f"rfc822; {SUBSCRIBER}", r"utf-8; j\x{F6}rg@home.example"
    )
    assert (
        bounce(mail(DAEMON, TEXT, ("message/global-delivery-status", fields))).recipient
        == "jörg@home.example"
    )


def test_of_several_recipients_the_mildest_holds() -> None:
    _, _, taken = status("smtp; 250 ok", "2.1.5", "relayed").partition("\n\n")
    both = f"{status('smtp; 550 5.1.1 unknown')}\n{taken}"
    assert bounce(mail(DAEMON, TEXT, (DSN, both))).action == "relayed"


@pytest.mark.parametrize("kind", ["abuse", "fraud", "opt-out"])
def test_a_complaint_names_the_mailing(kind: str) -> None:
    found = read(complaint(kind))
    assert isinstance(found, Complaint)
    assert TOKEN in found.tokens


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "virus"])
def test_other_feedback_is_no_complaint(kind: str) -> None:
    assert not isinstance(read(complaint(kind)), Complaint)


@pytest.mark.parametrize("make", [str, str.lower, str.upper])
@pytest.mark.parametrize("lines", ["", "Auto-Submitted: auto-generated\n", "Subject: unsubscribe\n"])
def test_any_mail_to_the_address_to_leave_is_a_wish_to_leave(lines: str, make: type[str]) -> None:
    address = make(leave_address(BOUNCES, SUBSCRIBERS_TOKEN))
    assert len(address.partition("@")[0]) <= 64  # RFC 5321, section 4.5.3.1.1
    found = read(f"From: {SUBSCRIBER}\nTo: <{address}>\n{lines}\n".encode())
    assert found == UnsubscribeRequest(subscriber=SUBSCRIBERS_TOKEN, tokens=())


def test_a_notification_or_receipt_to_that_address_is_none() -> None:
    address = leave_address(BOUNCES, SUBSCRIBERS_TOKEN)
    for message in (
        *DEAD.values(),
        mail(DAEMON, ("message/disposition-notification", "Disposition: displayed")),
    ):
        moved = message.replace(f"bounce+{TOKEN}@lab.example".encode(), address.encode())
        assert not isinstance(read(moved), UnsubscribeRequest)


def test_a_subject_that_says_so_is_a_wish_to_leave_too() -> None:
    found = read(f"From: {SUBSCRIBER}\nTo: bounce+{TOKEN}@lab.example\nSubject: Unsubscribe\n\n".encode())
    assert found == UnsubscribeRequest(subscriber="", tokens=(TOKEN,))


HOSTILE = {
    "semicolons": "Content-Type: multipart/report" + ";" * 200_000 + "\n\n",
    "parameters": "Content-Type: multipart/report; " + "a=b; " * 150_000 + "\n\n",
    "continuations": "Content-Type: multipart/report; " + "boundary*1=a; " * 70_000 + "\n\n",
    "commas": "To: " + "," * 900_000 + "\n\n",
    "addresses": "To: " + "<a@b>," * 150_000 + "\n\n",
    "folded": "To: a\n" + " b\n" * 300_000 + "\n\n",
    "fields": "A: b\n" * 190_000 + "\n",
    "colons": ":" * 900_000,
    "encoded words": "Subject: " + "=?utf-8?q?a?= " * 60_000 + f"\nTo: bounce+{TOKEN}@lab.example\n\n",
    "quotes": 'Content-Type: multipart/report; boundary="' + '\\"' * 400_000 + "\n\n",
    "a long boundary": f"Content-Type: multipart/mixed; boundary={'x' * 400_000}\n\n--{'x' * 400_000}\n",
    "deep": "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(20_000)),
    "many parts": "Content-Type: multipart/report; boundary=b\n\n" + "--b\n\n" * 190_000,
    "many reports": mail(DAEMON, (DSN, status("smtp; 550 no\n") * 9_000)).decode(),
    "one report": mail(
        DAEMON, (DSN, "Action: failed\nDiagnostic-Code: smtp; " + "550 5.1.1\n" * 90_000)
    ).decode(),
    "quoted": f"X-Failed-Recipients: {'a@b.example,' * 70_000}\n\n{'a@b.example 550 no ' * 1_000}",
    "qmail": "From: x\n\nHi. This is the qmail-send program at x.\n\n"
    + "<a@b.example>:\n550 no\n\n" * 40_000,
    "message ids": "References: " + "<a@b" * 200_000 + "\n\n" + "Message-ID: <a@b\n" * 9_000,
    "blank lines": "A: b" + "\r" * 900_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_takes_little_time(name: str) -> None:
    message = HOSTILE[name].encode()
    began = time.process_time()
    read(message)
    assert time.process_time() - began < 5


@examples(200)
@given(seed=st.integers(0, 2**64))
def test_a_damaged_mail_never_raises(seed: int) -> None:
    read_mail(damaged(seed))
    read(damaged(seed))

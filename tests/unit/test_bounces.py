"""A notification is understood whoever wrote it, and nothing else is ever taken for one."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.bounces import LONGEST_BOUNCE, Bounce, read_returned
from digest.mail.delivery_reports import Concern
from digest.mail.return_addresses import unverp, verp
from tests.examples import examples
from tests.notifications import (
    BOUNCES,
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

OTHER = "ffffffffffffffffffffffff"


def read(message: bytes, bounce_address: str | None = BOUNCES) -> Bounce | None:
    found = read_returned(message, bounce_address=bounce_address)
    return found if isinstance(found, Bounce) else None


def the(message: bytes, bounce_address: str | None = BOUNCES) -> Bounce:
    found = read(message, bounce_address)
    assert found is not None
    return found


def about(status: str, diagnostic: str = "", action: str = "failed", recipient: str = SUBSCRIBER) -> str:
    words = f"Diagnostic-Code: {diagnostic}\n" if diagnostic else ""
    return f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n{words}"


@pytest.mark.parametrize(
    "message", [postfix(), exim(), exchange(), gmail()], ids=["postfix", "exim", "exchange", "gmail"]
)
@pytest.mark.parametrize("bounce_address", [BOUNCES, None])
def test_a_dead_address_is_told_by_every_common_server(message: bytes, bounce_address: str | None) -> None:
    found = the(message, bounce_address)
    assert (found.token, found.action, found.recipient) == (TOKEN, "failed", SUBSCRIBER)
    assert found.status in {"5.1.1", "5.1.10"}
    assert found.is_dead


def test_the_words_come_in_one_line_with_the_status_once() -> None:
    assert the(postfix()).reply == "550 5.1.1 <reader@home.example>: nobody of that name"
    assert the(exchange()).diagnostic == "550 5.1.10 no recipient by that SMTP address; it was looked up"
    assert "\n" not in the(gmail()).diagnostic
    assert the(postfix(fields=about("5.4.4"))).reply == "5.4.4"
    assert the(postfix(fields=about("5.4.4", "smtp; 550 not found"))).reply == "5.4.4 550 not found"
    assert len(the(postfix(fields=about("5.4.4", "smtp; 550 " + "long " * 500))).diagnostic) == 300


@pytest.mark.parametrize(
    ("status", "diagnostic", "is_dead"),
    [
        ("5.1.1", "", True),
        ("5.1.2", "x-unix; whatever it says", False),
        ("5.2.1", "smtp; 550 5.2.1 disabled", True),
        ("5.0.0", "smtp; 550 5.1.1 unknown", True),
        ("5.0.0", "smtp; 550-5.1.1 unknown", True),
        ("5.0.0", "smtp; 551 moved away", False),
        ("5.0.0", "smtp; 550 unknown, see 5.1.1", False),
        ("5.0.0", "", False),
        ("", "smtp; 550 5.1.1 unknown", True),
        ("", "smtp; 450 4.1.1 unknown for now", False),
        ("5.1.7", "smtp; 550 5.1.7 sender", False),
        ("5.1.8", "smtp; 550 5.1.8 the sender's domain does not exist", False),
        ("5.1.90", "smtp; 550 5.1.90 too many sent today", False),
        ("5.2.2", "smtp; 552 5.2.2 full", False),
        ("5.7.1", "smtp; 550 5.7.1 spam", False),
        ("5.3.4", "smtp; 552 5.3.4 too large", False),
        ("5.7.0", "smtp; 530 5.7.0 log in first", False),
        ("4.1.1", "smtp; 450 4.1.1 not known now", False),
        ("4.4.7", "smtp; 550 5.1.1 contradicts itself", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_an_address_is_dead_where_the_reply_would_say_so_in_smtp(
    status: str, diagnostic: str, is_dead: bool
) -> None:
    assert the(postfix(fields=about(status, diagnostic))).is_dead is is_dead


@pytest.mark.parametrize(
    "folded",
    [
        "smtp; 550 5.4.1 [reader@home.example]: Recipient\n    address rejected: Access denied [DB1]",
        "smtp; 550 5.2.1 The account that you tried to reach\n\tis\n\tdisabled",
        "smtp; 550 5.0.0 user\n    unknown",
    ],
)
def test_a_dead_address_is_told_however_the_lines_of_the_reply_are_folded(folded: str) -> None:
    assert the(postfix(fields=about(folded[10:15], folded))).is_dead


@pytest.mark.parametrize(
    ("status", "diagnostic", "concern"),
    [
        ("5.1.1", "SMTP; 550 User unknown", Concern.DEAD),
        ("5.1.1", "SMTP; 550 5.1.1 nobody", Concern.DEAD),
        ("5.1.1", "X-Unix; nobody", Concern.DEAD),
        ("5.1.1", "SMTP; 550 Requested action not taken: mailbox unavailable", Concern.DOUBTFUL),
        ("5.1.1", "SMTP; 550 http://lists.example/query?address=192.0.2.1", Concern.OTHER),
        ("5.1.3", "SMTP; 553 http://lists.example/query?address=192.0.2.1", Concern.OTHER),
        ("5.1.6", "SMTP; 551 not today", Concern.OTHER),
        ("5.2.2", "SMTP; 552 message too large", Concern.OTHER),
        ("5.2.2", "SMTP; 552 mailbox full", Concern.FULL),
    ],
)
def test_a_status_that_a_relay_made_of_a_bare_code_says_nothing(
    status: str, diagnostic: str, concern: Concern
) -> None:
    assert the(postfix(fields=about(status, diagnostic))).concern is concern


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [
        ("error", "5.0.0", "failed"),
        ("failure", "", "failed"),
        ("Failed (permanently)", "5.0.0", "failed"),
        ("retrying", "4.4.1", "delayed"),
        ("error", "", "error"),
    ],
)
def test_an_action_in_another_word_is_told_by_the_status(action: str, status: str, expected: str) -> None:
    found = the(postfix(fields=about(status, "smtp; 550 user unknown", action=action)))
    assert (found.action, found.is_dead) == (expected, expected == "failed")


@pytest.mark.parametrize("action", ["delayed", "relayed", "delivered", "expanded", "Delayed"])
def test_only_a_failure_can_be_about_a_dead_address(action: str) -> None:
    found = the(postfix(fields=about("5.1.1", "smtp; 550 5.1.1 no", action=action)))
    assert (found.action, found.is_dead) == (action.lower(), False)


@pytest.mark.parametrize(
    ("prose", "action"),
    [
        ("THIS IS A WARNING ONLY.\n\n<{}>: unknown user for now", "delayed"),
        ("It will be retried until it is 4 day(s) old.\n\nThe mail system\n\n<{}>: no route", "delayed"),
        ("Your mail was successfully delivered to:\n\n<{}>: delivered to mailbox", "delayed"),
        ("Your mail could not be delivered.\n\n<{}>: unknown user, it will be retried", "failed"),
    ],
)
@pytest.mark.parametrize(
    "extra", ["", f"X-Failed-Recipients: {SUBSCRIBER}\n"], ids=["in its own form", "with the header"]
)
def test_a_notification_without_fields_that_only_warns_is_no_failure(
    prose: str, action: str, extra: str
) -> None:
    form = "A notification." if extra else "This is the mail system at host mx.lab.example."
    message = f"{head()}{extra}\n{form}\n\n{prose.format(SUBSCRIBER)}\n"
    assert the(message.encode()).action == action


def test_of_several_recipients_the_mildest_report_holds() -> None:
    dead, full, taken = about("5.1.1"), about("5.2.2"), about("2.0.0", action="delivered")
    assert the(postfix(fields=f"{dead}\n{full}")).status == "5.2.2"
    assert the(postfix(fields=f"{full}\n{dead}")).status == "5.2.2"
    assert the(postfix(fields=f"{dead}\n{taken}\n{full}")).action == "delivered"


@pytest.mark.parametrize("header", ["X-Original-To", "Delivered-To", "Envelope-To", "To"])
def test_the_address_it_came_to_tells_the_mailing(header: str) -> None:
    addressed = f'{header}: "arXiv" <Bounce+{TOKEN}@LAB.example>\n'
    found = the(postfix(head=addressed, returned="Subject: someone took the Message-ID away\n"))
    assert (found.token, found.is_addressed) == (TOKEN, True)


def test_the_address_goes_before_the_message_id_and_our_server_before_the_sender() -> None:
    assert the(postfix(returned=returned(OTHER))).token == TOKEN
    lines = f"To: bounce+{OTHER}@lab.example\nDelivered-To: bounce+{TOKEN}@lab.example\n"
    assert the(postfix(head=lines)).token == TOKEN


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_without_such_an_address_the_message_id_tells_the_mailing(kind: str) -> None:
    found = the(postfix(head=head("digest@lab.example"), kind=kind))
    assert (found.token, found.is_addressed) == (TOKEN, False)


def test_at_last_what_the_notification_answers_tells_the_mailing() -> None:
    answers = head("digest@lab.example") + f"References: <{TOKEN}@lab.example>\n"
    assert the(postfix(head=answers, returned="Subject: bare\n")).token == TOKEN


def test_who_has_failed_and_whom_it_was_sent_to_are_told_apart() -> None:
    fields = about("5.1.1", recipient="next@far.example") + f"Original-Recipient: rfc822;{SUBSCRIBER}\n"
    found = the(postfix(fields=fields))
    assert (found.recipient, found.original) == ("next@far.example", SUBSCRIBER)
    assert the(postfix(fields=about("5.1.1", recipient="an invalid address"))).recipient is None


NOTHING = {
    "empty": b"",
    "binary": b"\x00\xff\xfe",
    "auto-reply": vacation(),
    "read receipt": postfix().replace(b"message/delivery-status", b"message/disposition-notification"),
    "in prose": postfix().replace(b"message/delivery-status", b"text/plain"),
    "no report on anyone": postfix(fields=""),
    "no action": postfix(fields="Status: 5.1.1\n"),
    "no mailing": postfix(head=head("digest@lab.example"), returned="Subject: foreign\n"),
    "nested": b"Content-Type: message/rfc822\n\n" + postfix(),
    "forwarded": b'Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: message/rfc822\n\n'
    + postfix()
    + b"\n--x--\n",
}


@pytest.mark.parametrize("message", NOTHING.values(), ids=NOTHING)
def test_what_is_no_notification_about_a_mailing_is_nothing(message: bytes) -> None:
    assert read(message) is None


def test_a_notification_in_what_was_returned_is_not_this_one() -> None:
    inner = postfix().decode().replace("C88AE", "INNER")
    assert the(postfix(fields=about("4.2.2"), returned=inner)).is_dead is False


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (verp(BOUNCES, TOKEN), TOKEN),
        (f"<{verp(BOUNCES, TOKEN)}>", TOKEN),
        (f"a@x.example, {verp(BOUNCES, TOKEN)}", TOKEN),
        (BOUNCES, None),
        ("bounce+@lab.example", None),
        (f"rebounce+{TOKEN}@lab.example", None),
        (f"x.bounce+{TOKEN}@lab.example", None),
        (f"bounce+{TOKEN}@lab.example.evil.example", None),
        (f"bounce+{TOKEN}@labXexample", None),
        (f"bounce+{'a' * 65}@lab.example", None),
        ("bounce+a b@lab.example", None),
    ],
)
def test_only_our_own_address_carries_a_token(text: str, token: str | None) -> None:
    assert unverp(text, BOUNCES) == token


@given(
    local=st.from_regex(r"[a-z][a-z0-9+._-]{0,20}", fullmatch=True),
    token=st.from_regex(r"[a-z0-9_.-]{1,64}", fullmatch=True),
)
def test_verp_and_its_inverse_agree(local: str, token: str) -> None:
    assert unverp(verp(f"{local}@lab.example", token), f"{local}@lab.example") == token


@examples(300)
@given(seed=st.integers(0, 2**32), original=st.sampled_from([postfix(), exim(), exchange(), gmail()]))
def test_a_damaged_notification_never_raises(seed: int, original: bytes) -> None:
    chance = random.Random(seed)
    lines = bytearray(original)
    for _ in range(chance.randrange(1, 40)):
        at = chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                lines[at] = chance.randrange(256)
            case 1:
                del lines[at : at + chance.randrange(1, 60)]
            case 2:
                lines[at:at] = original[chance.randrange(len(original)) :][: chance.randrange(200)]
            case 3:
                lines[at:at] = chance.choice(
                    [b"*0*=", b";", b'"', b"\n\n", b"=?utf-8?b?/w==?=", b"\r", b"\xff", b"("]
                )
        lines = lines or bytearray(b"\n")
    found = read(bytes(lines))
    assert found is None or (found.token and "\n" not in found.reply)


def nested(levels: int) -> str:
    return "".join(f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(levels))


HOSTILE = {
    "deep multiparts": nested(20_000),
    "as deep as is read": nested(15) + "\n" * 1_000_000,
    "deeper than is read": nested(150) + "\n" * 1_000_000,
    "deep messages": "Content-Type: message/rfc822\n\n" * 40_000,
    "a number too long": f"Content-Type: multipart/report; boundary*{'9' * 6_000}=x\n\n--x\n",
    "empty lines": postfix().decode().replace("hello", "\n" * 1_000_000),
    "many reports": postfix(fields=(about("5.1.1") + "\n") * 12_000).decode(),
    "many addresses": f"To: bounce+{'a' * 70}@lab.example, <b@c>\n" * 12_000 + postfix().decode(),
    "one long line": postfix(fields="Diagnostic-Code: smtp; " + "550 5.1.1 " * 90_000).decode(),
    "many references": "References: " + "<a@b " * 190_000 + "\n" + postfix().decode(),
    "huge": postfix().decode() + "x" * 30_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_costs_little_time(name: str) -> None:
    message = HOSTILE[name].encode()
    begun = time.process_time()
    read(message)
    assert time.process_time() - begun < 8


def test_what_follows_the_report_may_be_cut_off() -> None:
    cut = postfix(returned=returned() + "\n" + "x" * 78 * 20_000)
    assert len(cut) > LONGEST_BOUNCE
    assert the(cut, None).is_dead

"""A reply code means the same thing everywhere, by its stage and its enhanced status code."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.mail.replies import Reply, ReplyClass, Stage, judge

MAIL = (Stage.RECIPIENT, Stage.CONTENT)


@pytest.mark.parametrize(
    ("stage", "code", "text", "expected"),
    [
        (Stage.RECIPIENT, 250, "2.1.5 ok", ReplyClass.ACCEPTED),
        (Stage.RECIPIENT, 251, "will forward", ReplyClass.ACCEPTED),
        (Stage.CONTENT, 250, "2.0.0 queued", ReplyClass.ACCEPTED),
        (Stage.RECIPIENT, 450, "4.2.0 greylisted", ReplyClass.TRANSIENT),
        (Stage.RECIPIENT, 451, "4.3.0 local error", ReplyClass.TRANSIENT),
        (Stage.RECIPIENT, 452, "4.2.2 mailbox full", ReplyClass.TRANSIENT),
        (Stage.CONTENT, 452, "4.3.1 no room", ReplyClass.TRANSIENT),
        (Stage.RECIPIENT, 454, "4.7.1 relay access denied", ReplyClass.TRANSIENT),
        (Stage.RECIPIENT, 550, "5.1.1 no such user", ReplyClass.DEAD_ADDRESS),
        (Stage.RECIPIENT, 550, "5.1.10 recipient not found", ReplyClass.DEAD_ADDRESS),
        (Stage.CONTENT, 550, "5.1.1 no such user", ReplyClass.DEAD_ADDRESS),
        (Stage.RECIPIENT, 550, "5.2.1 account disabled", ReplyClass.DEAD_ADDRESS),
        (Stage.RECIPIENT, 550, "5.1.8 the sender's domain does not exist", ReplyClass.POLICY),
        (Stage.RECIPIENT, 553, "mailbox name not allowed", ReplyClass.DEAD_ADDRESS),
        (Stage.RECIPIENT, 550, "unavailable", ReplyClass.POLICY),
        (Stage.RECIPIENT, 550, "5.7.1 relaying denied", ReplyClass.POLICY),
        (Stage.RECIPIENT, 553, "5.7.1 not allowed", ReplyClass.POLICY),
        (Stage.CONTENT, 554, "5.7.1 spam", ReplyClass.POLICY),
        (Stage.RECIPIENT, 552, "5.2.2 mailbox full", ReplyClass.SIZE),
        (Stage.CONTENT, 552, "too much mail data", ReplyClass.SIZE),
        (Stage.CONTENT, 554, "5.3.4 too big", ReplyClass.SIZE),
        (Stage.SENDER, 552, "5.3.4 too big", ReplyClass.SIZE),
        (Stage.SENDER, 550, "5.7.1 not your address", ReplyClass.SERVER),
        (Stage.SENDER, 451, "4.3.0 local error", ReplyClass.SERVER),
        (Stage.SENDER, 530, "5.7.0 authentication required", ReplyClass.SERVER),
        (Stage.RECIPIENT, 530, "5.7.0 authentication required", ReplyClass.SERVER),
        (Stage.RECIPIENT, 421, "4.7.0 slow down", ReplyClass.SERVER),
        (Stage.CONTENT, 421, "closing", ReplyClass.SERVER),
        (Stage.GREETING, 554, "no service", ReplyClass.SERVER),
        (Stage.CONTENT, -1, "Malformed SMTP response line", ReplyClass.SERVER),
    ],
)
def test_a_reply_concerns_the_address_the_mail_or_the_server(
    stage: Stage, code: int, text: str, expected: ReplyClass
) -> None:
    assert judge(stage, Reply(code=code, text=text)).reply_class is expected


@pytest.mark.parametrize(
    ("stage", "code", "text", "remedy"),
    [
        (
            Stage.LOGIN,
            535,
            "5.7.8 bad",
            "check smtp.username and the password; Gmail and Outlook need an app password",
        ),
        (Stage.LOGIN, 535, "bad", "app password"),
        (Stage.LOGIN, 534, "5.7.9 application-specific password required", "create an app password"),
        (Stage.LOGIN, 538, "5.7.11 encryption required", 'set smtp.security to "starttls"'),
        (Stage.LOGIN, 454, "4.7.0 temporary failure", "tried again later"),
        (Stage.LOGIN, 504, "5.5.4 unknown mechanism", "check smtp.username"),
        (Stage.TLS, 454, "4.7.0 TLS not available", "port 465"),
        (Stage.SENDER, 530, "5.7.0 must issue STARTTLS first", "smtp.security"),
        (Stage.SENDER, 553, "5.7.1 not owned by user", "set smtp.sender"),
        (Stage.GREETING, 554, "5.7.1 listed", "server for outgoing mail"),
        (Stage.RECIPIENT, 421, "4.7.0 too many connections", "smtp.connections"),
    ],
)
def test_a_refusal_comes_with_its_remedy(stage: Stage, code: int, text: str, remedy: str) -> None:
    assert remedy in judge(stage, Reply(code=code, text=text)).remedy


@settings(deadline=None)
@given(stage=st.sampled_from(Stage), code=st.integers(-1, 999), text=st.text(max_size=20))
def test_every_reply_has_a_meaning_and_every_refusal_a_remedy(stage: Stage, code: int, text: str) -> None:
    verdict = judge(stage, Reply(code=code, text=text))
    is_accepted = 200 <= code < 300
    assert (verdict.reply_class is ReplyClass.ACCEPTED) == is_accepted
    assert bool(verdict.cause and verdict.remedy) is not is_accepted
    if stage not in MAIL and not is_accepted:
        assert verdict.reply_class in {ReplyClass.SERVER, ReplyClass.SIZE}


def test_only_a_status_at_the_beginning_counts() -> None:
    assert Reply(code=550, text="5.1.1 no such user").status == "5.1.1"
    assert Reply(code=550, text="5.1.1").status == "5.1.1"
    assert Reply(code=550, text="see 5.1.1").status == ""
    assert Reply(code=550, text="5.1.1999 words").status == ""


def test_a_reply_is_shown_on_one_short_line() -> None:
    shown = str(Reply(code=550, text="5.1.1 first\nsecond \x1b[31mred " + "x" * 5000))
    assert shown.startswith("550 5.1.1 first second [31mred xxx")
    assert len(shown) < 320

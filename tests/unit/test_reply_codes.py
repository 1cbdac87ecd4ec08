"""A reply code means the same thing everywhere, by its stage and its enhanced status code."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.smtp.reply import Reply, ReplyClass, Stage
from digest.mail.smtp.reply_codes import judge
from digest.mail.smtp.reply_text import ReplySubject, subject_of
from tests import replies

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
        (Stage.RECIPIENT, 553, "mailbox name not allowed", ReplyClass.POLICY),
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
        (Stage.LOGIN, 454, "4.7.0 temporary failure", "tries again later"),
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


ADDRESSES = {ReplyClass.DEAD_ADDRESS, ReplyClass.DOUBTFUL_ADDRESS}


@pytest.mark.parametrize("reply", replies.DEAD, ids=str)
def test_words_about_that_very_mailbox_give_the_address_up(reply: Reply) -> None:
    for stage in MAIL:
        assert judge(stage, reply).reply_class is ReplyClass.DEAD_ADDRESS


@pytest.mark.parametrize("reply", replies.DOUBTFUL, ids=str)
def test_words_that_may_mean_a_missing_mailbox_are_not_believed_at_once(reply: Reply) -> None:
    for stage in MAIL:
        assert judge(stage, reply).reply_class is ReplyClass.DOUBTFUL_ADDRESS


@pytest.mark.parametrize("reply", replies.OTHERS, ids=str)
def test_words_about_anything_else_outweigh_the_code(reply: Reply) -> None:
    for stage in MAIL:
        assert judge(stage, reply).reply_class not in ADDRESSES


@pytest.mark.parametrize("reply", replies.OTHERS, ids=str)
def test_no_number_makes_words_about_anything_else_speak_of_the_mailbox(reply: Reply) -> None:
    for code in (550, 551, 553, 554, 556, 521):
        other = Reply(code=code, text=reply.text)
        assert judge(Stage.RECIPIENT, other).reply_class not in ADDRESSES


@pytest.mark.parametrize("reply", replies.QUOTAS, ids=str)
def test_a_limit_of_what_we_may_send_concerns_every_mail_and_ends(reply: Reply) -> None:
    for stage in (Stage.SENDER, *MAIL):
        verdict = judge(stage, reply)
        assert verdict.reply_class is ReplyClass.SERVER
        assert verdict.wait is not None
        assert timedelta(minutes=1) <= verdict.wait <= timedelta(hours=12)


@pytest.mark.parametrize("reply", replies.LIMITS_OF_A_MAILBOX, ids=str)
def test_a_limit_of_what_a_mailbox_takes_concerns_only_its_mail(reply: Reply) -> None:
    for stage in MAIL:
        expected = {ReplyClass.TRANSIENT, ReplyClass.POLICY, ReplyClass.SIZE}
        assert judge(stage, reply).reply_class in expected


def test_a_limit_of_a_day_is_waited_for_longer_than_one_of_a_minute() -> None:
    day = judge(Stage.SENDER, Reply(code=550, text="5.4.5 Daily user sending limit exceeded")).wait
    rate = judge(
        Stage.SENDER, Reply(code=454, text="Throttling failure: Maximum sending rate exceeded.")
    ).wait
    assert (day, rate) == (timedelta(hours=3), timedelta(minutes=5))


@pytest.mark.parametrize("reply", replies.GREETINGS, ids=str)
def test_a_refusal_of_our_name_concerns_every_mail(reply: Reply) -> None:
    for stage in (Stage.HELLO, Stage.SENDER, Stage.RECIPIENT):
        verdict = judge(stage, reply)
        assert (verdict.reply_class, "full name" in verdict.remedy) == (ReplyClass.SERVER, True)


@pytest.mark.parametrize("reply", [*replies.DEAD, *replies.DOUBTFUL], ids=str)
def test_a_refusal_for_now_gives_no_address_up(reply: Reply) -> None:
    assert judge(Stage.RECIPIENT, Reply(code=450, text=reply.text)).reply_class is ReplyClass.TRANSIENT


def test_words_in_addresses_and_links_are_not_the_servers() -> None:
    text = "<spam-policy@relay.example>: no such user, see https://relay.example/sender/rate"
    assert subject_of(text) is ReplySubject.MAILBOX_GONE


def test_words_in_an_encoding_of_their_own_are_read() -> None:
    for words, encoding in (("用户不存在", "gb18030"), ("Empfänger unbekannt", "latin-1")):
        text = words.encode(encoding).decode("utf-8", "surrogateescape")
        assert subject_of(text) is ReplySubject.MAILBOX_GONE


@given(stage=st.sampled_from(Stage), code=st.integers(-1, 999), text=st.text(max_size=20))
def test_every_reply_has_a_meaning_and_every_refusal_a_remedy(stage: Stage, code: int, text: str) -> None:
    verdict = judge(stage, Reply(code=code, text=text))
    yes = {Stage.GREETING: {220}, Stage.HELLO: {250}, Stage.TLS: {220}, Stage.LOGIN: {235}}
    is_accepted = code in yes.get(stage, range(200, 300))
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

"""A message is the same bytes every time, and reads the same in every program."""

import email
import email.policy
from datetime import UTC, date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.links import Links
from digest.mail.message import Rendered, SenderIdentity, wire_address
from digest.model.digest import Digest
from tests.factories import message_of

LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")
RENDERED = Rendered(
    subject="2 new papers: compilers (2)", text="text\n", html="<!DOCTYPE html>\n<p>html</p>\n"
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)


def digest(**changes: Any) -> Digest:
    fields: dict[str, Any] = {
        "email": "reader@example.org",
        "name": "A Reader",
        "planned_at": datetime(2026, 6, 16, 7, 30, tzinfo=UTC),
        "dated_on": date(2026, 6, 16),
        "keywords": ("compilers",),
        "entries": (),
    }
    return Digest(**(fields | changes))


def rendered(
    subject: str = RENDERED.subject, text: str = RENDERED.text, html: str = RENDERED.html
) -> Rendered:
    return Rendered(subject=subject, text=text, html=html)


def parse(message: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def defects(message: EmailMessage) -> list[object]:
    in_headers = [flaw for value in message.values() for flaw in value.defects]
    return [*in_headers, *(flaw for part in message.walk() for flaw in part.defects)]


def content(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def foldable(message: bytes) -> list[bytes]:
    """The lines but for those that hold one address, which nothing may break."""
    return [line for line in message.split(b"\r\n") if not line.startswith(b"List-")]


def test_the_same_digest_is_the_same_bytes() -> None:
    first = message_of(digest(), RENDERED, LETTERHEAD, "m1")
    assert first == message_of(digest(), RENDERED, LETTERHEAD, "m1")
    assert first != message_of(digest(), RENDERED, LETTERHEAD, "m2")


def test_the_headers_are_those_of_a_list() -> None:
    message = parse(message_of(digest(), RENDERED, LETTERHEAD, "m1"))
    assert {name: str(value) for name, value in message.items() if name != "Content-Type"} == {
        "From": "arXiv digest <digest@example.org>",
        "To": "A Reader <reader@example.org>",
        "Reply-To": "library@example.org",
        "Subject": "2 new papers: compilers (2)",
        "Date": "Tue, 16 Jun 2026 07:30:00 +0000",
        "Message-ID": "<m1@example.org>",
        "List-Id": "<arxiv-digest.example.org>",
        "List-Post": "NO",
        "List-Help": "<mailto:library@example.org?subject=help>",
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
        "MIME-Version": "1.0",
    }
    assert message["Date"].datetime == digest().planned_at


def test_text_comes_before_html_and_both_are_quoted_printable() -> None:
    message = parse(message_of(digest(), RENDERED, LETTERHEAD, "m1"))
    assert message.get_content_type() == "multipart/alternative"
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert {part["Content-Transfer-Encoding"] for part in parts} == {"quoted-printable"}
    assert {part.get_content_charset() for part in parts} == {"utf-8"}
    assert defects(message) == []


@given(subject=TEXTS, name=TEXTS, text=TEXTS, html=TEXTS)
def test_whatever_it_says_it_parses_back_without_a_defect(
    subject: str, name: str, text: str, html: str
) -> None:
    message = message_of(digest(name=name), rendered(subject, text, html), LETTERHEAD, "m1")
    assert message.isascii()
    assert not any(b"\n" in line or b"\r" in line for line in message.split(b"\r\n"))
    assert max(map(len, foldable(message))) <= 76
    assert b"\n." not in message
    parsed = parse(message)
    assert defects(parsed) == []
    assert content(parsed, "plain") == text
    assert content(parsed, "html") == html
    assert parsed["To"].addresses[0].addr_spec == "reader@example.org"
    assert " ".join(str(parsed["Subject"]).split()) == " ".join(subject.split())
    assert len(parsed.keys()) == 13


@pytest.mark.parametrize(
    "line",
    [
        ".",
        "..",
        "From here",
        "trailing blank ",
        "tab\t",
        "a=b",
        "=C3=A9",
        "--=_boundary",
        "é" * 200,
        "x" * 5000,
    ],
)
def test_no_line_is_changed_by_its_encoding(line: str) -> None:
    text = f"before\n{line}\n{line}"
    message = message_of(digest(), rendered(text=text), LETTERHEAD, "m1")
    assert content(parse(message), "plain") == text
    assert b"\r\n.\r\n" not in message


def test_line_ends_of_any_kind_become_crlf() -> None:
    message = message_of(digest(), rendered(text="a\r\nb\rc\nd"), LETTERHEAD, "m1")
    assert b"a\r\nb\r\nc\r\nd\r\n" in message


@pytest.mark.parametrize(
    "hostile", ["x\r\nBcc: all@example.org", "x\n\nbody", "x\x00\x1b[2J", "\u2028x", "\ud800"]
)
def test_nothing_in_a_name_a_subject_or_an_address_makes_a_header(hostile: str) -> None:
    plain = parse(message_of(digest(), RENDERED, LETTERHEAD, "m1"))
    sender_identity = SenderIdentity(
        sender=f"digest{hostile}@example.org", sender_name=hostile, contact=f"{hostile}@example.org"
    )
    for changed in (
        message_of(digest(name=hostile), RENDERED, LETTERHEAD, "m1"),
        message_of(digest(), rendered(subject=hostile), LETTERHEAD, "m1"),
        message_of(digest(email=f"a{hostile}@example.org"), RENDERED, LETTERHEAD, "m1"),
        message_of(digest(), RENDERED, sender_identity, "m1"),
    ):
        message = parse(changed)
        assert message.keys() == plain.keys()
        assert content(message, "plain") == "text\n"
        assert not any(character < " " for value in message.values() for character in value)


@pytest.mark.parametrize(
    "name",
    ["Réa Lectrice", "李小龙", "محمد", 'O"Neill, Jr. <x@y>', "back\\slash", "=?utf-8?q?evil?=", "🚀" * 8],
)
def test_a_name_arrives_as_it_was_written(name: str) -> None:
    message = parse(message_of(digest(name=name), RENDERED, LETTERHEAD, "m1"))
    assert message["To"].addresses == (Address(name, addr_spec="reader@example.org"),)
    assert defects(message) == []


def test_a_subscriber_without_a_name_is_addressed_by_address() -> None:
    message = parse(message_of(digest(name=None), RENDERED, LETTERHEAD, "m1"))
    assert str(message["To"]) == "reader@example.org"


def test_absurd_lengths_stay_within_a_line() -> None:
    message = message_of(digest(name="x" * 5000), rendered(subject="y" * 5000), LETTERHEAD, "m1")
    assert max(map(len, foldable(message))) <= 76
    assert defects(parse(message)) == []
    shown = parse(message)["To"].addresses[0].display_name
    assert shown.replace(" ", "") == "x" * 100  # Python's parser puts a blank between encoded words


def test_a_mail_promises_to_unsubscribe_by_mail_only_where_that_is_read() -> None:
    links = Links(leave_by_mail="bounce+leave-abc@example.org")
    message = parse(message_of(digest(), RENDERED, LETTERHEAD, "m1", links))
    assert message["List-Unsubscribe"] == "<mailto:bounce+leave-abc@example.org?subject=unsubscribe>"
    assert "List-Unsubscribe" not in parse(message_of(digest(), RENDERED, LETTERHEAD, "m1"))
    on_the_web = Links(unsubscribe="https://digest.example.org/u/x")
    message = parse(message_of(digest(), RENDERED, LETTERHEAD, "m1", on_the_web))
    assert message["List-Unsubscribe"] == "<https://digest.example.org/u/x>"


def test_a_long_address_is_neither_broken_nor_encoded() -> None:
    address = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.example.org"
    message = message_of(digest(email=address), RENDERED, LETTERHEAD, "m1")
    assert parse(message)["To"].addresses[0].addr_spec == address
    assert max(map(len, message.split(b"\r\n"))) <= 998


def test_a_domain_beyond_ascii_is_written_in_ascii() -> None:
    sender_identity = SenderIdentity(sender="digest@bücher.example", contact="help@bücher.example")
    message = message_of(digest(email="leser@straße.example"), RENDERED, sender_identity, "m1")
    assert message.isascii()
    parsed = parse(message)
    assert parsed["To"].addresses[0].addr_spec == "leser@xn--strae-oqa.example"
    assert str(parsed["Message-ID"]) == "<m1@xn--bcher-kva.example>"
    assert defects(parsed) == []


def test_a_local_part_beyond_ascii_stands_in_utf8() -> None:
    message = message_of(digest(email="用户@example.org"), RENDERED, LETTERHEAD, "m1")
    assert 'To: "A Reader" <用户@example.org>\r\n'.encode() in message


@pytest.mark.parametrize("address", ["a@xn--.example", "a@" + "é" * 80, "a@é..example", "nobody", ""])
def test_an_address_that_cannot_be_converted_stays(address: str) -> None:
    assert wire_address(address) == address


@pytest.mark.parametrize("token", ["", "a b", "a@b", "a\r\nb", "é", ".a", "a..b", "<a>"])
def test_a_token_that_makes_no_message_id_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="not usable in a Message-ID"):
        message_of(digest(), RENDERED, LETTERHEAD, token)

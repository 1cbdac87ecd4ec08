"""Parsers of mail: Python's `email`, and Dovecot's, which IMAP programs read a mail's structure from."""

import re
from email import message_from_bytes, policy

import pytest

from tests.judges.correspondence import Correspondence, Mail
from tests.judges.dovecot import dovecot
from tests.judges.presence import requires

pytestmark = pytest.mark.long

_PART = r'\("text" "{}" \("charset" "utf-8"\) NIL NIL "quoted-printable" \d+ \d+ NIL NIL NIL NIL\)'
_STRUCTURE = re.compile(
    r"BODYSTRUCTURE \("
    + _PART.format("plain")
    + _PART.format("html")
    + r' "alternative" \("boundary" "[^"]+"\)'
)


def test_python_finds_no_defect(correspondence: Correspondence) -> None:
    for mail in correspondence.mails:
        message = mail.message
        parts = [part.get_content_type() for part in message.walk()]
        assert parts == ["multipart/alternative", "text/plain", "text/html"], mail.name
        for part in message.walk():
            assert not part.defects, mail.name
            for name, value in part.items():
                assert not value.defects, (mail.name, name)


def test_dovecot_finds_the_structure_and_the_envelope(correspondence: Correspondence) -> None:
    requires("doveadm")
    with dovecot([mail.content for mail in correspondence.mails]) as mailbox:
        for number, mail in enumerate(correspondence.mails, start=1):
            parts = [_as_sent(mail, part) for part in (1, 2)]
            assert _STRUCTURE.search(mailbox.fetch(number, "BODYSTRUCTURE")), mail.name
            assert mailbox.sizes(number) == [len(part) for part in parts], mail.name
            assert [mailbox.literal(number, f"BODY[{part}]") for part in (1, 2)] == parts, mail.name
            envelope = mailbox.fetch(number, "ENVELOPE")
            assert mail.message["Message-ID"] in envelope, mail.name
            as_sent = message_from_bytes(mail.content, policy=policy.compat32)["Subject"]
            assert "".join(as_sent.split()) in "".join(envelope.split()), mail.name


def _as_sent(mail: Mail, part: int) -> bytes:
    """One part of its body, cut out at the boundary."""
    boundary = mail.message.get_boundary()
    assert boundary is not None
    body = mail.content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").split(f"--{boundary}".encode())[part]
    return body.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")

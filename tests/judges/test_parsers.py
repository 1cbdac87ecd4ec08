"""Parsers of mail: Python's `email`, and Dovecot's, which IMAP programs read a mail's structure from."""

import pytest

from tests.judges.correspondence import Correspondence

pytestmark = pytest.mark.long


def test_python_finds_no_defect(correspondence: Correspondence) -> None:
    for mail in correspondence.mails:
        message = mail.message
        parts = [part.get_content_type() for part in message.walk()]
        assert parts == ["multipart/alternative", "text/plain", "text/html"], mail.name
        for part in message.walk():
            assert not part.defects, mail.name
            for name, value in part.items():
                assert not value.defects, (mail.name, name)

"""Whom subscribers may ask."""

from pathlib import Path

import pytest

from digest.config.loader import load_settings
from digest.service.mail_setup import writer_setup_for


@pytest.mark.parametrize(
    ("more", "contact"),
    [
        ({}, "digest@lab.example"),
        ({"DIGEST_OPERATOR__EMAIL": "op@lab.example"}, "op@lab.example"),
        (
            {"DIGEST_OPERATOR__EMAIL": "op@lab.example", "DIGEST_MAIL__CONTACT": "help@lab.example"},
            "help@lab.example",
        ),
    ],
)
def test_whom_subscribers_may_ask_is_not_whom_arxiv_may_ask(
    tmp_path: Path, more: dict[str, str], contact: str
) -> None:
    environ = {
        "HOME": str(tmp_path),
        "DIGEST_ARXIV__CONTACT": "arxiv@lab.example",
        "DIGEST_SMTP__SENDER": "digest@lab.example",
    }
    settings = load_settings(None, {**environ, **more})
    assert writer_setup_for(settings).sender_identity.contact == contact

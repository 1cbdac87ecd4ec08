"""The mails of sign-up: as markup, for who cannot see well, and as a filter for spam sees them."""

import re
import subprocess
from email.utils import format_datetime
from pathlib import Path

import pytest

from digest.mail.message import SenderIdentity
from digest.mail.signup_mail import write_known_mail, write_signup_mail
from digest.mail.transport import Outgoing
from digest.storage.signups import Signup
from tests.factories import moment
from tests.judges.browser import AXE, opening, visits
from tests.judges.correspondence import BASE
from tests.judges.on_node import html_errors
from tests.judges.presence import requires
from tests.signups import texts_of

pytestmark = pytest.mark.long

IDENTITY = SenderIdentity(sender="digest@lab.example", contact="help@lab.example")
AT = moment("2026-06-16 07:00")
SIGNUP = Signup(
    number=7,
    email="cy@readers.example",
    content="{}",
    invite=None,
    token="wN3kT9xQ2mB7vR4cL8zF1pYd",
    written_at=AT,
    mailed_at=AT,
)
MAILS = {
    "confirm": write_signup_mail(SIGNUP, IDENTITY, BASE),
    "known": write_known_mail(SIGNUP, IDENTITY, f"{BASE}/p/wN3kT9xQ2mB7vR4cL8zF1pYd"),
    "known, no page yet": write_known_mail(SIGNUP, IDENTITY, None),
}

IN_MAILS = {"no-inline-style", "no-deprecated-attr", "prefer-tbody", "presentation-role-style"}
"""Rules that no mail keeps to; tests/judges/test_markup.py has the reasons."""

OF_AXE = {"landmark-one-main", "region"}
"""A program for mail shows it inside of a page of its own."""

_RECEIVED = """\
Received: from mx.lab.example (mx.lab.example [8.8.8.8])
 by mx.readers.example (Postfix) with ESMTPS id 4A1B2C3D4E
 for <cy@readers.example>; {date}
"""


class Port:
    port = 9  # nothing is asked of it


def test_html_validate_finds_no_error() -> None:
    found = html_errors({name: texts_of(mail)[1] for name, mail in MAILS.items()})
    assert [one for one in found if one["rule"] not in IN_MAILS] == []


@pytest.mark.parametrize("is_dark", [False, True])
def test_axe_finds_nothing(tmp_path: Path, is_dark: bool) -> None:
    for name, mail in MAILS.items():
        (tmp_path / f"{name}.html").write_text(texts_of(mail)[1], encoding="utf-8")
    wanted = {name: [opening((tmp_path / f"{name}.html").as_uri()), AXE] for name in MAILS}
    for width in (360, 700):
        for one in visits(Port(), wanted, is_dark=is_dark, width=width).values():
            assert [found for found in one.last.violations if found["rule"] not in OF_AXE] == []
            assert not one.last.scrolls


@pytest.mark.parametrize("name", MAILS)
def test_spamassassin_scores_at_most_nothing(name: str, tmp_path: Path) -> None:
    requires("spamassassin")
    assert _score(MAILS[name], tmp_path) <= 0.0


def _score(mail: Outgoing, home: Path) -> float:
    done = subprocess.run(
        ["spamassassin", "--local"],
        input=_RECEIVED.format(date=format_datetime(AT)).encode() + mail.message,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    found = re.search(r"^X-Spam-Status: .*?score=(-?[\d.]+)", done.stdout.decode(), re.MULTILINE)
    assert found
    return float(found[1])

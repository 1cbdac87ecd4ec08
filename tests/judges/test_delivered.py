"""Mails that were signed and went through a Postfix: what a spam filter and a verifier say of them there."""

import re
import subprocess
from email.utils import format_datetime
from pathlib import Path
from smtplib import SMTP

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.acceptance.installation import ROOT
from tests.acceptance.postfix import SUBSCRIBERS_DOMAIN, postfix, wait_for
from tests.judges.correspondence import SENDER, Correspondence, Mail
from tests.judges.presence import requires

pytestmark = pytest.mark.long

EXCEPTIONS = {
    "LONGWORDS": "ten long words in a row: such sentences are the authors'; one abstract in 300 has them"
}
"""Rules that do not count, and why."""

_DOCUMENTED = re.compile(r"^SignHeaders (.+)$", re.MULTILINE)
_SCORE = re.compile(r"^X-Spam-Status: .*?score=(-?[\d.]+) .*?tests=(.*?) autolearn", re.MULTILINE | re.DOTALL)

# Written by the subscriber's own server. An address for documentation would be taken for a forgery.
_RECEIVED = """\
Received: from mx.lab.example (mx.lab.example [8.8.8.8])
 by mx.{domain} (Postfix) with ESMTPS id 4A1B2C3D4E
 for <reader@{domain}>; {date}
"""


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def delivered(correspondence: Correspondence, key: RSAPrivateKey) -> tuple[bytes, ...]:
    """The mails as they lie in a mailbox, in the order of the correspondence."""
    requires("postfix", "smtp-sink", is_for_root=True)
    mailboxes = tuple(f"reader{number}" for number in range(len(correspondence.mails)))
    with postfix(mailboxes) as server:
        with SMTP("127.0.0.1", server.port) as client:
            for mailbox, mail in zip(mailboxes, correspondence.mails, strict=True):
                client.sendmail(SENDER, [f"{mailbox}@{SUBSCRIBERS_DOMAIN}"], _signed(mail, key))
        wait_for(lambda: all(server.delivered(mailbox) for mailbox in mailboxes), server)
        return tuple(server.delivered(mailbox)[0] for mailbox in mailboxes)


def _signed(mail: Mail, key: RSAPrivateKey) -> bytes:
    """With a signature over the headers that the docs name."""
    found = _DOCUMENTED.search((ROOT / "docs" / "mail-servers.md").read_text(encoding="utf-8"))
    assert found is not None
    signature = dkim.sign(
        mail.content,
        b"day",
        SENDER.partition("@")[2].encode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name.encode() for name in found[1].split(",")],
    )
    assert isinstance(signature, bytes)
    return signature + mail.content


def _is_valid(content: bytes, key: RSAPrivateKey) -> bool:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + b"".join(public.splitlines()[1:-1])
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout: record))


def test_a_signature_by_the_documented_list_is_valid_where_the_mail_arrives(
    delivered: tuple[bytes, ...], key: RSAPrivateKey
) -> None:
    for content in delivered:
        assert b"\nReceived:" in content
        assert _is_valid(content, key)


@pytest.mark.parametrize("header", [b"List-Unsubscribe", b"List-Unsubscribe-Post"])
def test_the_signature_covers_one_click_unsubscribing(
    delivered: tuple[bytes, ...], key: RSAPrivateKey, header: bytes
) -> None:
    for content in delivered:
        changed, changes = re.subn(rb"(?m)^(%b: [^\n]*)" % header, rb"\1x", content)
        assert changes == 1
        assert not _is_valid(changed, key)


def test_spamassassin_scores_at_most_nothing(
    delivered: tuple[bytes, ...], correspondence: Correspondence, tmp_path: Path
) -> None:
    requires("spamassassin")
    names = [mail.name for mail in correspondence.mails]
    for name, content, mail in zip(names, delivered, correspondence.mails, strict=True):
        date = format_datetime(mail.message["Date"].datetime)
        (tmp_path / name).write_bytes(
            _RECEIVED.format(domain=SUBSCRIBERS_DOMAIN, date=date).encode() + content
        )
    scores = dict(zip(names, _scores([tmp_path / name for name in names], tmp_path), strict=True))
    assert {name: found for name, found in scores.items() if found[0] > 0.0} == {}
    assert not [name for name, found in scores.items() if re.search("NO_RECEIVED|ALL_TRUSTED", found[1])]


def test_spamassassin_sees_spam(tmp_path: Path) -> None:
    requires("spamassassin")
    (tmp_path / "mail").write_text(
        "From: a@lab.example\nSubject: FREE MONEY!!!\n\nDear friend, $$$ act now!\n"
    )
    ((score, _),) = _scores([tmp_path / "mail"], tmp_path)
    assert score > 0.0


def _scores(files: list[Path], home: Path) -> list[tuple[float, str]]:
    """Points, and the rules that gave them, by the rules that come with it and without the network."""
    done = subprocess.run(
        ["spamassassin", "--local", *(f"--cf=score {rule} 0" for rule in EXCEPTIONS), *files],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    found = _SCORE.findall(done.stdout.decode(errors="replace"))
    return [(float(score), "".join(rules.split())) for score, rules in found]

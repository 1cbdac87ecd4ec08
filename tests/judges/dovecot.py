"""A mailbox as Dovecot reads it: its `imap` on a pipe, with no server and no login."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from imaplib import IMAP4_stream
from pathlib import Path
from pwd import getpwnam
from tempfile import TemporaryDirectory

_CONFIGURATION = """
protocols = imap
mail_location = maildir:{folder}/mail
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = {uid}
first_valid_gid = {gid}
base_dir = {folder}
state_dir = {folder}
log_path = /dev/stderr
stats_writer_socket_path =
"""


@contextmanager
def dovecot(mails: Sequence[bytes]) -> Iterator["Mailbox"]:
    """The mailbox that holds `mails`."""
    # Not below pytest's own folder, and not as root: Dovecot opens no mail for it.
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        _lay_out(folder, mails)
        with IMAP4_stream(f"USER=reader HOME={folder} doveadm -c {folder}/dovecot.conf exec imap") as imap:
            imap.select("INBOX", readonly=True)
            yield Mailbox(imap)


class Mailbox:
    def __init__(self, imap: IMAP4_stream) -> None:
        self._imap = imap

    def fetch(self, number: int, item: str) -> str:
        """What Dovecot says of one part of the mail `number`, which counts from 1."""
        answer, pieces = self._imap.fetch(str(number), f"({item})")
        assert answer == "OK"
        return b"".join(b"".join(one) if isinstance(one, tuple) else one for one in pieces if one).decode()

    def literal(self, number: int, item: str) -> bytes:
        """The bytes of one part of the mail `number`."""
        answer, pieces = self._imap.fetch(str(number), f"({item})")
        assert answer == "OK"
        (content,) = (one[1] for one in pieces if isinstance(one, tuple))
        return content

    def sizes(self, number: int) -> list[int]:
        """The bytes of each part, by the structure that Dovecot found."""
        structure = self.fetch(number, "BODYSTRUCTURE")
        return [int(size) for size in re.findall(r'"quoted-printable" (\d+) \d+', structure)]


def _lay_out(folder: Path, mails: Sequence[bytes]) -> None:
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        uid, gid = getpwnam("nobody").pw_uid, getpwnam("nobody").pw_gid
    for name in ("mail", "mail/cur", "mail/new", "mail/tmp"):
        (folder / name).mkdir()
        shutil.chown(folder / name, uid, gid)
    for number, mail in enumerate(mails, start=1):
        (folder / "mail" / "cur" / f"{number}.M1.host:2,").write_bytes(mail.replace(b"\r\n", b"\n"))
    configuration = _CONFIGURATION.format(folder=folder, uid=uid, gid=gid)
    (folder / "dovecot.conf").write_text(configuration)

"""A private Postfix: its own configuration, queue and ports, Maildirs, and what comes back to us."""

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pwd import getpwnam
from socket import create_connection, socket
from tempfile import TemporaryDirectory

from tests.processes import started
from tests.waiting import LIMIT

SUBSCRIBERS_DOMAIN, DEAD_DOMAIN = "readers.example", "gone.example"
BOUNCE_ADDRESS = "bounce@lab.example"
REFUSAL = "550 5.1.1 no such mailbox"

_MAIN = """
compatibility_level = 3.6
myhostname = mx.lab.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
alias_maps =
alias_database =
local_recipient_maps =
smtp_dns_support_level = disabled
virtual_mailbox_domains = {subscribers_domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
recipient_delimiter = +
transport_maps = inline:{{
    {{ {dead_domain} = smtp:[127.0.0.1]:{sink_port} }}
    {{ {bounce_address} = arxiv-bounce: }} }}
arxiv-bounce_destination_recipient_limit = 1
"""

# Not in a chroot. The lines of `arxiv-bounce` are those of docs/mail-servers.md, but for the command.
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix       n - n 60 1 pickup
cleanup   unix       n - n - 0 cleanup
qmgr      unix       n - n 300 1 qmgr
rewrite   unix       - - n - - trivial-rewrite
bounce    unix       - - n - 0 bounce
defer     unix       - - n - 0 bounce
trace     unix       - - n - 0 bounce
verify    unix       - - n - 1 verify
flush     unix       n - n 1000? 0 flush
proxymap  unix       - - n - - proxymap
smtp      unix       - - n - - smtp
showq     unix       n - n - - showq
error     unix       - - n - - error
retry     unix       - - n - - error
local     unix       - n n - - local
virtual   unix       - n n - - virtual
anvil     unix       - - n - 1 anvil
scache    unix       - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
arxiv-bounce unix - n n - 1 pipe
  flags=DO user=nobody argv=/bin/sh {folder}/take {folder}/came-back
"""

# The user of pipe(8) may be unable to run this Python, so the notification goes on from a file.
_TAKE = """\
file=$(mktemp "$1/.XXXXXX") && cat >"$file" && mv "$file" "$1/$(basename "$file" | tr -d .)" || exit 75
"""

_ON_TOP = re.compile(
    rb"(?:(?:Return-Path|X-Original-To|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)+", re.IGNORECASE
)


def why_not() -> str | None:
    """What is missing here for it."""
    if os.geteuid() != 0:
        return "only root can run a Postfix"
    if not (shutil.which("postfix") and shutil.which("smtp-sink")):
        return "there is no Postfix here"
    try:
        getpwnam("nobody"), getpwnam("postfix")
    except KeyError as error:
        return f"Postfix needs its users here: {error}"
    return None


class Postfix:
    """A mail server for `SUBSCRIBERS_DOMAIN`; the next hop of `DEAD_DOMAIN` refuses every recipient."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder

    def mailbox(self, name: str) -> list[bytes]:
        """The mails of `name`@`SUBSCRIBERS_DOMAIN`, as they were before a mail server wrote on top of
        them.
        """
        return [_ON_TOP.sub(b"", mail, count=1) for mail in self.delivered(name)]

    def delivered(self, name: str) -> list[bytes]:
        """The same with what it wrote, oldest first."""
        files = (self._folder / "mail" / name / "new").glob("*")
        return [file.read_bytes() for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)]

    def came_back(self) -> list[bytes]:
        """The notifications that came to `BOUNCE_ADDRESS`."""
        files = (self._folder / "came-back").glob("[!.]*")
        return [file.read_bytes() for file in files]

    def log(self) -> str:
        log = self._folder / "log"
        return log.read_text(errors="replace") if log.exists() else ""


@contextmanager
def postfix(mailboxes: tuple[str, ...]) -> Iterator[Postfix]:
    """Runs it until the block is left; only for root."""
    # Not below pytest's own folder: users of lower rank cannot come in there.
    with TemporaryDirectory() as name:
        folder = Path(name)
        port, sink_port = _free_port(), _free_port()
        _lay_out(folder, mailboxes, port, sink_port)
        with started(
            "smtp-sink", "-u", "nobody", "-f", "rcpt", "-B", REFUSAL, f"127.0.0.1:{sink_port}", "16"
        ):
            server = Postfix(folder, port)
            subprocess.run(
                ["postfix", "-c", folder / "etc", "start"], check=True, capture_output=True, timeout=60
            )
            try:
                wait_for(lambda: _listens(port), server)
                yield server
            finally:
                subprocess.run(
                    ["postfix", "-c", folder / "etc", "stop"], check=True, capture_output=True, timeout=60
                )


def wait_for(has_come: Callable[[], object], server: Postfix, *, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not has_come():
        assert time.monotonic() < until, server.log()[-5000:]
        time.sleep(0.05)


def _lay_out(folder: Path, mailboxes: tuple[str, ...], port: int, sink_port: int) -> None:
    nobody, owner = getpwnam("nobody"), getpwnam("postfix")
    folder.chmod(0o755)
    for name, user in (
        ("etc", None),
        ("queue", None),
        ("data", owner),
        ("mail", nobody),
        ("came-back", nobody),
    ):
        (folder / name).mkdir()
        if user is not None:
            shutil.chown(folder / name, user.pw_uid, user.pw_gid)
    (folder / "etc" / "main.cf").write_text(
        _MAIN.format(
            folder=folder,
            subscribers_domain=SUBSCRIBERS_DOMAIN,
            dead_domain=DEAD_DOMAIN,
            bounce_address=BOUNCE_ADDRESS,
            sink_port=sink_port,
            uid=nobody.pw_uid,
            gid=nobody.pw_gid,
        )
    )
    (folder / "etc" / "master.cf").write_text(_MASTER.format(folder=folder, port=port))
    (folder / "take").write_text(_TAKE)
    (folder / "mailboxes").write_text("".join(f"{name}@{SUBSCRIBERS_DOMAIN} {name}/\n" for name in mailboxes))


def _tell(folder: Path, what: str) -> None:
    subprocess.run(["postfix", "-c", folder / "etc", what], check=True, capture_output=True, timeout=LIMIT)


def _free_port() -> int:
    """Of those below the ones that the system gives out, so that nobody takes it before Postfix does."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def _listens(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True

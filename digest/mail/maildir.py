"""Writes mails into a Maildir (https://cr.yp.to/proto/maildir.html), if no mail server is set."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from digest.config.atomic_write import sync_folder
from digest.errors import ServerUnavailable
from digest.mail.transport import Outcome, Outgoing, Receipt

_REMEDIES = {
    errno.ENOSPC: "free some space on the disk",
    errno.EDQUOT: "free some space within the quota",
    errno.EACCES: "give the user that runs digest write permission there, or set delivery.maildir",
    errno.EPERM: "give the user that runs digest write permission there, or set delivery.maildir",
    errno.EROFS: "set delivery.maildir to a folder that can be written",
    errno.ENOTDIR: "there is a file where a folder is needed: move it, or set another delivery.maildir",
    errno.EEXIST: "there is a file where a folder is needed: move it, or set another delivery.maildir",
}


@dataclass(frozen=True, slots=True)
class MaildirTransport:
    """Writes all mails into the Maildir at `path`, which is created if missing."""

    path: Path

    @property
    def sessions(self) -> int:
        return 1

    @asynccontextmanager
    async def session(self) -> AsyncIterator["MaildirSession"]:
        try:
            await asyncio.to_thread(_make_folders, self.path)
        except OSError as error:
            raise _unavailable(self.path, error) from error
        yield MaildirSession(self.path)


class MaildirSession:
    """Writes mails one after the other; no file stays open in between."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, mail: Outgoing) -> Receipt:
        """Returns when the mail is on the disk. A mailing that is already there is not written again."""
        try:
            file = await asyncio.to_thread(_deliver, self._path, mail)
        except OSError as error:
            raise _unavailable(self._path, error) from error
        return Receipt(outcome=Outcome.SENT, reply=f"written to {file}")


def _make_folders(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("tmp", "new", "cur"):
        (path / name).mkdir(mode=0o700, exist_ok=True)


def _deliver(path: Path, mail: Outgoing) -> Path:
    """The path of the mail: in `new`, or in `cur` if a mail program moved an earlier attempt there."""
    name = quote(mail.token, safe="") + ".arxiv-digest"
    if seen := _in_cur(path, name):
        return seen
    draft, delivered = path / "tmp" / name, path / "new" / name
    try:
        with draft.open("wb") as file:
            file.write(mail.message.replace(b"\r\n", b"\n"))  # a Maildir has the line ends of the system
            file.flush()
            os.fsync(file.fileno())
        draft.replace(delivered)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(delivered.parent)
    return delivered


def _in_cur(path: Path, name: str) -> Path | None:
    """The mail `name`, if it was read already: in `cur` its flags follow a colon."""
    with os.scandir(path / "cur") as entries:
        return next((Path(entry.path) for entry in entries if entry.name.partition(":")[0] == name), None)


def _unavailable(path: Path, error: OSError) -> ServerUnavailable:
    remedy = _REMEDIES.get(error.errno or 0, "check delivery.maildir")
    return ServerUnavailable(str(path), f"the mail cannot be written ({error.strerror or error})", remedy)

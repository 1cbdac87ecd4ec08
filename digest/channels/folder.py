"""Writes digests as Markdown files into a folder: one a day, complete, and never over another file."""

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from digest.channels.base import Answer, Outcome, Post
from digest.channels.markdown import mark_of, write_markdown
from digest.config.atomic_write import sync_folder
from digest.config.os_errors import explain

_HEAD = 2_000
"""The bytes of a file in which its front matter is."""

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_MOST_A_DAY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder at `path`, which is made if it is missing."""

    path: Path
    with_abstracts: bool = True

    async def send(self, post: Post) -> Answer:
        """A mailing that is there already is not written again, even if its file was changed."""
        try:
            file = await asyncio.to_thread(self._write, post)
        except OSError as error:
            return Answer(outcome=Outcome.REFUSED, reply=f"cannot be written: {explain(error, self.path)}")
        return Answer(outcome=Outcome.SENT, reply=f"written to {file.name}")

    async def check(self) -> Answer:
        """Whether a file can be written there. Leaves nothing behind, not even a folder that was missing."""
        try:
            await asyncio.to_thread(self._probe)
        except OSError as error:
            return Answer(outcome=Outcome.REFUSED, reply=f"cannot be written: {explain(error, self.path)}")
        return Answer(
            outcome=Outcome.SENT,
            reply=f"a file was written to {self.path.absolute()} and removed; nothing is left of it",
        )

    def _probe(self) -> None:
        missing = [one for one in (self.path, *self.path.parents) if not one.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self.path, prefix=".digest-test-", suffix=".tmp") as file:
                file.write(b"a test of digest, to be removed at once\n")
                file.flush()
                os.fsync(file.fileno())
        finally:
            for folder in missing:
                with suppress(OSError):  # somebody else uses it by now
                    folder.rmdir()

    def _write(self, post: Post) -> Path:
        self.path.mkdir(parents=True, exist_ok=True)
        draft = self.path / f".{post.token}.tmp"
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.write(write_markdown(post, with_abstracts=self.with_abstracts))
                file.flush()
                os.fsync(file.fileno())
            for place in _places(self.path, f"{post.digest.dated_on:%Y-%m-%d}"):
                if _is_of(place, post.token) or _placed(draft, place):
                    return place
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self.path))
        finally:
            draft.unlink(missing_ok=True)
            sync_folder(self.path)


def _places(folder: Path, day: str) -> Iterator[Path]:
    """`2026-06-16.md`, and if other files have that name, `2026-06-16-2.md` and so on."""
    yield folder / f"{day}.md"
    yield from (folder / f"{day}-{number}.md" for number in range(2, _MOST_A_DAY))


def _is_of(place: Path, token: str) -> bool:
    """Whether the file is of this mailing."""
    try:
        with place.open("rb") as file:
            head = file.read(_HEAD)
    except (FileNotFoundError, IsADirectoryError):
        return False
    return mark_of(token).encode() in head.splitlines()


def _placed(draft: Path, place: Path) -> bool:
    """Gives the draft its name, in one step. Returns false if there is a file already."""
    try:
        os.link(draft, place)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(place):
            return False
        draft.replace(place)
    return True

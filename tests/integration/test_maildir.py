"""What the Maildir holds after second attempts, mail subscribers and full disks."""

import errno
from pathlib import Path

import pytest

from digest.errors import ServerUnavailable
from digest.mail.maildir import MaildirTransport, _unavailable
from digest.mail.transport import Outcome, Outgoing


def mail(token: str, message: bytes = b"Subject: papers\r\n\r\ntext\r\n") -> Outgoing:
    return Outgoing(sender="digest@example.org", recipient="reader@example.org", message=message, token=token)


async def deliver(path: Path, outgoing: Outgoing) -> str:
    async with MaildirTransport(path).session() as session:
        receipt = await session.send(outgoing)
    assert receipt.outcome is Outcome.SENT
    return receipt.reply


def files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()]


async def test_a_second_attempt_replaces_the_first(tmp_path: Path) -> None:
    await deliver(tmp_path, mail("m1", b"first\r\n"))
    await deliver(tmp_path, mail("m1", b"second\r\n"))
    (file,) = files(tmp_path)
    assert file.parent.name == "new"
    assert file.read_bytes() == b"second\n"


@pytest.mark.parametrize("flags", ["", ":2,", ":2,FS"])
async def test_a_mail_that_a_subscriber_has_taken_is_not_delivered_again(tmp_path: Path, flags: str) -> None:
    await deliver(tmp_path, mail("m11"))
    delivered = tmp_path / "new" / "m11.arxiv-digest"
    seen = delivered.rename(tmp_path / "cur" / f"{delivered.name}{flags}")
    assert str(seen) in await deliver(tmp_path, mail("m11"))
    await deliver(tmp_path, mail("m1"))
    assert sorted(files(tmp_path)) == sorted([seen, tmp_path / "new" / "m1.arxiv-digest"])


async def test_what_a_crash_left_in_tmp_is_replaced(tmp_path: Path) -> None:
    await deliver(tmp_path, mail("m0"))
    (tmp_path / "tmp" / "m1.arxiv-digest").write_bytes(b"half a ma")
    await deliver(tmp_path, mail("m1", b"whole\r\n"))
    assert (tmp_path / "new" / "m1.arxiv-digest").read_bytes() == b"whole\n"
    assert not list((tmp_path / "tmp").iterdir())


async def test_a_token_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    await deliver(tmp_path / "Maildir", mail("../../m1"))
    assert [file.parent for file in files(tmp_path)] == [tmp_path / "Maildir" / "new"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
async def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    await deliver(tmp_path, mail("m0"))
    (tmp_path / "tmp" / "m1.arxiv-digest").symlink_to("/dev/full")
    with pytest.raises(ServerUnavailable, match=r"No space left on device.*; free some space on the disk"):
        await deliver(tmp_path, mail("m1"))
    assert [file.name for file in files(tmp_path)] == ["m0.arxiv-digest"]


async def test_a_folder_that_vanishes_is_named(tmp_path: Path) -> None:
    async with MaildirTransport(tmp_path).session() as session:
        (tmp_path / "new").rmdir()
        with pytest.raises(ServerUnavailable, match="No such file") as caught:
            await session.send(mail("m1"))
    assert caught.value.server == str(tmp_path)
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "write permission"),
        (errno.EROFS, "can be written"),
        (errno.EEXIST, "there is a file where"),
        (errno.ENOTDIR, "there is a file where"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "check delivery.maildir"),
    ],
)
def test_each_cause_has_its_remedy(number: int, remedy: str) -> None:
    assert remedy in _unavailable(Path("mails"), OSError(number, "cause")).remedy

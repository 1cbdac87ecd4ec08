"""Explains errors of the operating system to an operator, with the same words for all files."""

import errno
import os
import pwd
import stat
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}
_PASSING = {*_FULL, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_PROBE = b"\0" * 65_536
"""More than SQLite allocates at once for the files of a database."""


def explain(error: OSError, path: Path | None = None) -> str:
    """What failed and what to do, in one line; `path` could not be used."""
    number = error.errno or 0
    said = error.strerror or str(error) or type(error).__name__
    if number == errno.ENOSPC:
        return "the disk is full; free some space and run again; no file is incomplete"
    if number == errno.EDQUOT:
        return "the disk quota of this user is used up; free some space and run again; no file is incomplete"
    if number in _FORBIDDEN:
        return f"{said}; {_who_may(path)}"
    return f"{said}; {_remedy(number)}" if _remedy(number) else said


def explain_with_path(error: OSError) -> str:
    """As `explain`, after the path that the error names, if any."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    return f"{path}: {explain(error, path)}" if path else explain(error)


def _remedy(number: int) -> str:
    match number:
        case errno.EROFS:
            return "mount that file system writable, or choose another path"
        case errno.EIO | errno.ESTALE | errno.ETIMEDOUT:
            return "the disk or its file server fails: see `dmesg`, and check your backup"
        case errno.EMFILE | errno.ENFILE:
            return "too many files are open: raise the limit (LimitNOFILE= of the service, `ulimit -n`)"
        case errno.ENOTDIR | errno.EEXIST:
            return "there is a file where a folder is needed: move it, or choose another path"
        case errno.EBUSY | errno.EXDEV:
            return "the file is a mount point and cannot be replaced: mount its folder instead"
        case errno.EISDIR:
            return "it is a folder: give the path of a file"
        case errno.ENOENT:
            return "create its folder, or choose another path"
        case errno.ELOOP:
            return "symbolic links form a loop: correct them"
        case errno.ENAMETOOLONG:
            return "choose a shorter path"
    return ""


def is_file(path: Path) -> bool:
    """As `Path.is_file`, the same in all Python versions. Raises `OSError` if this user has no permission."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_passing(error: OSError) -> bool:
    """Whether it can end without a change of settings or permissions, for example a full disk."""
    return error.errno in _PASSING


def is_full(error: OSError) -> bool:
    return error.errno in _FULL


def this_user() -> str:
    """The name of the user that this process runs as, for messages."""
    return user_named(os.geteuid())


def user_named(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _who_may(path: Path | None) -> str:
    """Names the folder that this user cannot enter, and its owner, if visible."""
    closed = path and _closed_part(path)
    if not closed:
        return f"user {this_user()} has no permission: run as the owner, or change the mode"
    try:
        owner = user_named(closed.stat().st_uid)
    except OSError:
        return f"user {this_user()} has no permission for {closed}: run as its owner"
    if owner == this_user():
        return f"its owner {owner} has no permission for {closed}: chmod u+rwX {closed}"
    return f"user {this_user()} has no permission for {closed}: run as its owner {owner}, or change its mode"


def _closed_part(path: Path) -> Path | None:
    """The first folder on the way to `path` that cannot be entered, else `path` or its folder."""
    target = path.absolute()
    for folder in reversed(target.parents):
        if not os.access(folder, os.X_OK):
            return folder
    if os.path.lexists(target) and not os.access(target, os.R_OK | os.W_OK):
        return target
    return target.parent


def probe(folder: Path) -> OSError | None:
    """The error of the system when it writes some data to `folder`; `None` if it works."""
    import tempfile  # imported only when needed: it is slow

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None

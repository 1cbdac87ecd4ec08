"""What the system's refusals mean to an operator, in the same words wherever a file is opened or written."""

import errno
import os
import pwd
import stat
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}
_PASSING = {*_FULL, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_PROBE = b"\0" * 65_536
"""More than SQLite asks for at once, when it begins the files beside a database."""


def explain(error: OSError, path: Path | None = None) -> str:
    """What failed and what to do about it, in one line; `path` is what could not be used."""
    number = error.errno or 0
    said = error.strerror or str(error) or type(error).__name__
    if number == errno.ENOSPC:
        return "the disk is full; make room and run again, nothing was half-written"
    if number == errno.EDQUOT:
        return "the disk quota of this user is used up; make room and run again, nothing was half-written"
    if number in _FORBIDDEN:
        return f"{said}; {_who_may(path)}"
    return f"{said}; {_remedy(number)}" if _remedy(number) else said


def told(error: OSError) -> str:
    """As `explain`, behind the path that the error itself names, if any."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    return f"{path}: {explain(error, path)}" if path else explain(error)


def _remedy(number: int) -> str:
    match number:
        case errno.EROFS:
            return "mount that file system writable, or name another place"
        case errno.EIO | errno.ESTALE | errno.ETIMEDOUT:
            return "the disk or its file server fails: see `dmesg`, and check that there is a backup"
        case errno.EMFILE | errno.ENFILE:
            return "too many files are open: raise the limit (LimitNOFILE= of the service, `ulimit -n`)"
        case errno.ENOTDIR | errno.EEXIST:
            return "a file is in the way where a folder is needed: move it, or name another place"
        case errno.EBUSY | errno.EXDEV:
            return "the file is mounted by itself and cannot be replaced: mount its folder instead"
        case errno.EISDIR:
            return "name a file in that folder"
        case errno.ENOENT:
            return "make its folder, or name another place"
        case errno.ELOOP:
            return "symbolic links lead in a circle: correct them"
        case errno.ENAMETOOLONG:
            return "name a shorter path"
    return ""


def is_file(path: Path) -> bool:
    """As `Path.is_file`, in all versions of Python alike. Raises `OSError` where this user may not look."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_passing(error: OSError) -> bool:
    """Whether it may be over without a change of settings or permissions, as a full disk is."""
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
    """Names the folder that shuts this user out, and its owner, where that can be seen."""
    closed = path and _closed_part(path)
    if not closed:
        return f"user {this_user()} may not: run this as the user that owns it, or change its mode"
    try:
        owner = user_named(closed.stat().st_uid)
    except OSError:
        return f"user {this_user()} may not use {closed}: run this as its owner"
    if owner == this_user():
        return f"its mode keeps its owner {owner} from using {closed}: chmod u+rwX {closed}"
    return f"user {this_user()} may not use {closed}: run this as {owner}, its owner, or change its mode"


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
    """What the system says when some room is asked for in `folder`: nothing where it is given."""
    import tempfile  # only in need: each command waits for what it imports

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None

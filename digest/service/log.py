"""The log, on standard error: lines of `event key=value`."""

import logging
import os
import sys
import time
from collections.abc import Mapping

_FORMAT = "%(levelname)s %(name)s: %(message)s"
_STDERR = 2


def begin_log(level: int, environ: Mapping[str, str]) -> None:
    """Lines begin with their time in UTC, unless the journal adds it."""
    if is_in_journal(environ, _STDERR):
        formatter = logging.Formatter(_FORMAT)
    else:
        formatter = logging.Formatter(f"%(asctime)s {_FORMAT}", "%Y-%m-%dT%H:%M:%SZ")
        formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])


def is_in_journal(environ: Mapping[str, str], descriptor: int) -> bool:
    """Whether systemd connected this output to the journal (JOURNAL_STREAM, systemd.exec(5)).

    A child of a service may inherit the variable and write elsewhere.
    """
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"

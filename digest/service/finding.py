"""What `digest doctor` looks at: a module for each subject, a function for each check.

A check yields its findings in the order in which an operator would look. It changes nothing, has a time
limit for everything that it waits for, and goes on after a failure where that makes sense.
"""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    """`WARNING` is for what works and may not stay so, and for what could not be looked at."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: `said` is what it saw, `remedy` one line of what to do, empty if nothing."""

    name: str
    verdict: Verdict
    said: str
    remedy: str = ""


def ok(name: str, said: str) -> Finding:
    return Finding(name=name, verdict=Verdict.OK, said=said)


def warning(name: str, said: str, remedy: str) -> Finding:
    return Finding(name=name, verdict=Verdict.WARNING, said=said, remedy=remedy)


def failed(name: str, said: str, remedy: str) -> Finding:
    return Finding(name=name, verdict=Verdict.FAILED, said=said, remedy=remedy)


def nearest_folder(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next((one for one in (folder, *folder.absolute().parents) if one.exists()), Path("/"))


def writable(name: str, folder: Path) -> Finding:
    """Whether this user can write in a folder, or make it."""
    there = nearest_folder(folder)
    if not there.is_dir():
        return failed(name, f"{there} is a file, and should be a folder", "move it, or name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = f"run digest as the user whom {there} belongs to, or name another place"
        return failed(name, f"{there} cannot be written by this user", remedy)
    return ok(name, f"{folder} can be written" if there == folder else f"{folder} will be made")

"""What the checks of `digest doctor` have in common.

A check yields its findings in the order in which an operator would look. It changes nothing, limits every
wait, and continues after a failure where this is useful.
"""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    """`WARNING`: it works now but may fail later, or it could not be checked."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check: `said` is what it found, `remedy` one line of what to do, or empty."""

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
    """The folder, or the nearest existing one above it."""
    return next((one for one in (folder, *folder.absolute().parents) if one.exists()), Path("/"))


def writable(name: str, folder: Path) -> Finding:
    """Whether this user can write in a folder, or make it."""
    there = nearest_folder(folder)
    if not there.is_dir():
        return failed(name, f"{there} is a file and must be a folder", "move it, or choose another path")
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = f"run digest as the owner of {there}, or choose another path"
        return failed(name, f"this user cannot write to {there}", remedy)
    return ok(name, f"{folder} can be written to" if there == folder else f"{folder} will be created")

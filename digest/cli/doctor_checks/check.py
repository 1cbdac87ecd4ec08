"""What `digest doctor` looks at: a module for each subject, a function for each check.

A check yields its findings in the order in which an operator would look. It changes nothing, has a time
limit for everything that it waits for, and goes on after a failure where that makes sense.
"""

from dataclasses import dataclass
from enum import StrEnum


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

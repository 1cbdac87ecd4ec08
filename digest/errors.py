"""All expected errors: one hierarchy below `DigestError`.

An error has its facts as fields; its text says what happened and what to do.
"""

from datetime import timedelta
from pathlib import Path
from traceback import extract_tb


def kind_and_place(error: BaseException) -> str:
    """What kind of error it is, and in which line, without its text: that may contain a secret."""
    *_, last = extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"


class DigestError(Exception):
    """The base of all errors that this project raises intentionally."""


class ConfigurationError(DigestError):
    """Settings or subscribers cannot be used; `problems` describes each, with file, place and remedy.

    `is_passing`: it can end by itself, for example a full disk.
    """

    def __init__(self, *problems: str, is_passing: bool = False) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.is_passing = is_passing


class QueryError(DigestError):
    """A keyword is not in the keyword language; `position` (0-based) is the place in `text`.

    `remedies` are complete keywords to write instead, the likeliest first.
    """

    def __init__(
        self,
        text: str,
        position: int,
        expected: str,
        hint: str | None = None,
        *,
        remedies: tuple[str, ...] = (),
    ) -> None:
        lines = [expected, text, f"{' ' * position}^", *([hint] if hint else [])]
        lines += [f"{'or' if at else 'write'} {remedy}" for at, remedy in enumerate(remedies)]
        super().__init__("\n  ".join(lines))
        self.remedies = remedies
        self.text = text
        self.position = position
        self.expected = expected
        self.hint = hint


class SourceError(DigestError):
    """arXiv gave no usable answer. The request must be repeated."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{reason} ({url})")
        self.url = url
        self.reason = reason


class Unreachable(SourceError):
    """No answer: no connection, a reset, a time-out."""


class Throttled(SourceError):
    """The server is overloaded or wants fewer requests; `retry_after` is its Retry-After, if any."""

    def __init__(self, url: str, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(url, reason)
        self.retry_after = retry_after


class Refused(SourceError):
    """The server refused the request; `reason` has its words."""


class BadDocument(SourceError):
    """The answer is cut off, too large, or not a document of the expected kind."""


class Implausible(SourceError):
    """A well-formed answer that cannot be true, such as a total without entries."""


class Unbelievable(SourceError):
    """An answer that contradicts what this installation knows, such as no papers after an announcement."""


class MissingNews(Unbelievable):
    """A well-formed answer without the papers of an announcement that was due."""


class WrongClock(SourceError):
    """The date of arXiv's answer differs from this machine's clock: decisions by time would be wrong."""


class StateError(DigestError):
    """The state file cannot be used; it is not changed. `is_passing`: it can end by itself."""

    def __init__(self, path: str, reason: str, *, is_passing: bool = False) -> None:
        super().__init__(f"{path}: {reason}")
        self.is_passing = is_passing
        self.path = path
        self.reason = reason


class AlreadyRunning(DigestError):
    """Another process uses the same state file."""

    def __init__(self, path: str, holder: str = "") -> None:
        by = f" ({holder})" if holder else ""
        super().__init__(f"another digest process uses {path}{by}; wait until it ends, or stop it")
        self.path = path
        self.holder = holder


class WorkerGone(DigestError):
    """A worker process cannot start, has ended or does not answer: others must do its work."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"a worker process failed: {cause}")
        self.cause = cause


class Unwritable(DigestError):
    """A digest cannot be rendered: the template does not fit it."""


class ServerUnavailable(DigestError):
    """The mail server cannot be used now: the session is over.

    `wait` is how long to wait if it says that a quota is used up, which may be that of one recipient.
    """

    def __init__(self, server: str, reason: str, remedy: str, wait: timedelta | None = None) -> None:
        super().__init__(f"{server}: {reason}; {remedy}")
        self.server = server
        self.reason = reason
        self.remedy = remedy
        self.wait = wait

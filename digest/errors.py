"""Everything that can go wrong on purpose: one hierarchy, rooted in `DigestError`.

An error carries its facts as fields; its text says what happened and what to do about it.
"""

from datetime import timedelta


class DigestError(Exception):
    """The root: whatever this project raises knowingly is one of these."""


class ConfigurationError(DigestError):
    """Settings or subscribers cannot be used; `problems` names each, with file, place and remedy.

    `is_passing`: it may be over by itself, as a full disk is.
    """

    def __init__(self, *problems: str, is_passing: bool = False) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.is_passing = is_passing


class QueryError(DigestError):
    """A keyword is not of the language; `position` (0-based) is where in `text`.

    `remedies` are whole keywords to write instead, the likeliest first.
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
        told = [expected, text, f"{' ' * position}^", *([hint] if hint else [])]
        told += [f"{'or' if at else 'write'} {remedy}" for at, remedy in enumerate(remedies)]
        super().__init__("\n  ".join(told))
        self.remedies = remedies
        self.text = text
        self.position = position
        self.expected = expected
        self.hint = hint


class SourceError(DigestError):
    """arXiv gave no answer that can be used. What was asked must be asked again."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{reason} ({url})")
        self.url = url
        self.reason = reason


class Unreachable(SourceError):
    """No answer at all: no connection, a reset, a time-out."""


class Throttled(SourceError):
    """The server is overloaded or wants fewer requests; `retry_after` if it said for how long."""

    def __init__(self, url: str, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(url, reason)
        self.retry_after = retry_after


class Refused(SourceError):
    """The server understood and said no; `reason` holds its words."""


class BadDocument(SourceError):
    """The answer is cut off, too large, or not a document of the kind asked for."""


class Implausible(SourceError):
    """A well-formed answer that cannot be true, such as a total without entries."""


class Unbelievable(SourceError):
    """An answer that contradicts what this installation knows, such as silence after an announcement."""


class MissingNews(Unbelievable):
    """A well-formed answer that has nothing of an announcement that was due."""


class WrongClock(SourceError):
    """arXiv's answer was made at another time than it is here: nothing that goes by the time can be right."""


class StateError(DigestError):
    """The state file cannot be used; it is left as it is. `is_passing`: it may be over by itself."""

    def __init__(self, path: str, reason: str, *, is_passing: bool = False) -> None:
        super().__init__(f"{path}: {reason}")
        self.is_passing = is_passing
        self.path = path
        self.reason = reason


class AlreadyRunning(DigestError):
    """Another process is at work on the same state file."""

    def __init__(self, path: str, holder: str = "") -> None:
        by = f" ({holder})" if holder else ""
        super().__init__(f"another digest is running on {path}{by}; wait for it to end, or stop it")
        self.path = path
        self.holder = holder


class WorkerGone(DigestError):
    """The second process cannot be had, has ended, or does not answer: its work is to be done here."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the process that writes mails is gone: {cause}")
        self.cause = cause


class Unwritable(DigestError):
    """A digest could not be made into a message: its template does not fit it."""


class ServerUnavailable(DigestError):
    """The mail server as a whole cannot be used now: no recipient is to blame.

    `wait` is for how long it had better not be asked, where a provider's quota is used up.
    """

    def __init__(self, server: str, reason: str, remedy: str, wait: timedelta | None = None) -> None:
        super().__init__(f"{server}: {reason}; {remedy}")
        self.server = server
        self.reason = reason
        self.remedy = remedy
        self.wait = wait

"""A server's reply, when it came, and what it may mean. `reply_codes` decides which of it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from digest.model.paper import one_line

_LONGEST_TEXT = 300
_STATUS = r"[245]\.\d{1,3}\.\d{1,3}"
_ENHANCED = re.compile(rf"#?(?P<status>{_STATUS})(?!\S)")
_BEHIND = re.compile(rf"\(#(?P<status>{_STATUS})\b")  # as qmail writes it
_QUOTED = re.compile(
    rf"(?:(?P<quotes>said:|respon\w+:|->)|said|respon\w+|[(:;]) *(?P<code>[45]\d\d)[ -]"
    rf"(?P<text>#?{_STATUS}\b.*|(?=\D).*)",
    re.DOTALL,
)


class Stage(Enum):
    """The request to the server; the value is its description."""

    GREETING = "the greeting"
    HELLO = "EHLO"
    TLS = "STARTTLS"
    LOGIN = "the login"
    SENDER = "MAIL"
    RECIPIENT = "RCPT"
    CONTENT = "DATA"


class ReplyClass(Enum):
    """What a reply applies to.

    `TRANSIENT`: this recipient, for now. `DEAD_ADDRESS`: there is no such mailbox. `DOUBTFUL_ADDRESS`: there
    probably is no such mailbox; this is certain if the replies repeat for days. `POLICY` and `SIZE`: the
    server refuses this mail; the address is not the cause. `SERVER`: the reply applies to every mail.
    """

    ACCEPTED = "accepted"
    TRANSIENT = "transient"
    DEAD_ADDRESS = "dead address"
    DOUBTFUL_ADDRESS = "doubtful address"
    POLICY = "policy"
    SIZE = "size"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's answer: `code`, such as 550, or -1 if it is not SMTP, and its words."""

    code: int
    text: str

    @property
    def status(self) -> str:
        """The enhanced status code, or empty."""
        found = _ENHANCED.match(self.text) or _BEHIND.search(self.text)
        return found["status"] if found else ""

    @property
    def origin(self) -> "Reply":
        """The reply of another server that this one quotes, or itself: that server knows the reason best."""
        found = _QUOTED.search(self.text)
        return Reply(code=int(found["code"]), text=found["text"]) if found else self

    @property
    def is_relayed(self) -> bool:
        """Whether it quotes another server with its name for the reason, such as "undeliverable address", in
        front. That name is the same for every reason.
        """
        found = _QUOTED.search(self.text)
        return found is not None and found["quotes"] is not None

    def __str__(self) -> str:
        words = one_line(self.text)
        shown = words if len(words) <= _LONGEST_TEXT else words[:_LONGEST_TEXT] + "…"
        return f"{self.code} {shown}".strip() if self.code > 0 else shown or "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The meaning of a reply: `cause` and `remedy` are for the operator; both are empty after success.

    `wait` is the time to wait before the next mail, if the reply says that a quota is used up.
    """

    reply_class: ReplyClass
    cause: str = ""
    remedy: str = ""
    wait: timedelta | None = None

"""What a server's reply means, at which stage: whose fault it is, what it says, what to do about it.

Reply codes are those of RFC 5321, section 4.2, and RFC 4954; enhanced status codes (`5.7.1`) of RFC 3463.
"""

import re
from dataclasses import dataclass
from enum import Enum

from digest.papers import one_line

_LONGEST_TEXT = 300
_ENHANCED = re.compile(r"(?P<status>[245]\.\d{1,3}\.\d{1,3})(?!\S)")


class Stage(Enum):
    """What the server was asked for; the value says it in words."""

    GREETING = "the greeting"
    HELLO = "EHLO"
    TLS = "STARTTLS"
    LOGIN = "the login"
    SENDER = "MAIL"
    RECIPIENT = "RCPT"
    CONTENT = "DATA"


class ReplyClass(Enum):
    """Who is concerned by a reply.

    `TRANSIENT`: this recipient, for now. `DEAD_ADDRESS`: there is no such mailbox. `POLICY` and `SIZE`:
    this mail is not wanted, and the address is not to blame. `SERVER`: every mail would fare alike.
    """

    ACCEPTED = "accepted"
    TRANSIENT = "transient"
    DEAD_ADDRESS = "dead address"
    POLICY = "policy"
    SIZE = "size"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's answer: `code` such as 550, -1 for one that is not SMTP, and its words."""

    code: int
    text: str

    @property
    def status(self) -> str:
        """The enhanced status code, or nothing."""
        found = _ENHANCED.match(self.text)
        return found["status"] if found else ""

    def __str__(self) -> str:
        words = one_line(self.text)
        shown = words if len(words) <= _LONGEST_TEXT else words[:_LONGEST_TEXT] + "…"
        return f"{self.code} {shown}".strip() if self.code > 0 else shown or "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a reply means: `cause` and `remedy` are for the operator, and empty when all is well."""

    reply_class: ReplyClass
    cause: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """`pattern` is matched against code and status, as in `550 5.1.1`, or `550 ` where there is no status."""

    stages: frozenset[Stage]
    pattern: str
    verdict: Verdict


def judge(stage: Stage, reply: Reply) -> Verdict:
    """The meaning of `reply` to what was asked at `stage`. Unknown codes are read by their first digit."""
    if 200 <= reply.code < 300:
        return _ACCEPTED
    subject = f"{reply.code} {reply.status}"
    for rule in _RULES:
        if stage in rule.stages and re.fullmatch(rule.pattern, subject):
            return rule.verdict
    raise AssertionError(
        f"no rule for {subject!r} at {stage}"
    )  # the last rule of each stage takes everything


_ACCEPTED = Verdict(reply_class=ReplyClass.ACCEPTED)

_OPENING = frozenset({Stage.GREETING, Stage.HELLO})
_LOGIN = frozenset({Stage.LOGIN})
_TLS = frozenset({Stage.TLS})
_SENDER = frozenset({Stage.SENDER})
_MAIL = frozenset({Stage.RECIPIENT, Stage.CONTENT})
_ENVELOPE = _SENDER | _MAIL
_ANY = frozenset(Stage)


def _rule(stages: frozenset[Stage], pattern: str, reply_class: ReplyClass, cause: str, remedy: str) -> _Rule:
    return _Rule(stages, pattern, Verdict(reply_class=reply_class, cause=cause, remedy=remedy))


# The first that fits decides.
_RULES = (
    _rule(
        _ANY,
        r"421 .*",
        ReplyClass.SERVER,
        "the server takes no mail for now",
        "it is tried again later; if this goes on, lower smtp.connections",
    ),
    _rule(
        _ANY,
        r"-1 .*",
        ReplyClass.SERVER,
        "what answers does not speak SMTP",
        "check smtp.host and smtp.port",
    ),
    _rule(
        _LOGIN,
        r"\d+ 5\.7\.(?:30|139)",  # of Microsoft alone, and for many a reason, which its words tell
        ReplyClass.SERVER,
        "login refused, perhaps because the account may not log in with a password",
        "have the administrator turn on SMTP AUTH for this mailbox, then check name and password",
    ),
    _rule(
        _LOGIN,
        r"535 .*|\d+ 5\.7\.8",
        ReplyClass.SERVER,
        "login refused",
        "check smtp.username and the password; Gmail and Outlook need an app password",
    ),
    _rule(
        _LOGIN,
        r"534 .*|432 .*|\d+ [45]\.7\.(?:9|12)",
        ReplyClass.SERVER,
        "the account may not log in with this password",
        "create an app password in the settings of the mail account, and use it here",
    ),
    _rule(
        _LOGIN,
        r"538 .*|\d+ 5\.7\.11",
        ReplyClass.SERVER,
        "the server takes a login only on an encrypted connection",
        'set smtp.security to "starttls", or to "tls" for port 465',
    ),
    _rule(
        _LOGIN,
        r"4.*",
        ReplyClass.SERVER,
        "the server cannot check logins for now",
        "it is tried again later; if this goes on, the provider may have blocked the account for a while",
    ),
    _rule(
        _LOGIN,
        r".*",
        ReplyClass.SERVER,
        "login refused",
        "check smtp.username and the password, and that the account may send by SMTP",
    ),
    _rule(
        _TLS,
        r".*",
        ReplyClass.SERVER,
        "the server offers encryption but does not begin it",
        'it is tried again later; if this goes on, try port 465 with smtp.security = "tls"',
    ),
    _rule(
        _OPENING,
        r"4.*",
        ReplyClass.SERVER,
        "the server takes no mail for now",
        "it is tried again later",
    ),
    _rule(
        _OPENING,
        r".*",
        ReplyClass.SERVER,
        "the server takes no mail from this machine",
        "check smtp.host; send by your provider's server for outgoing mail, with a login",
    ),
    _rule(
        _ENVELOPE,
        r"530 .*",
        ReplyClass.SERVER,
        "the server wants a login or encryption first",
        'set smtp.username and its password, and leave smtp.security at "starttls" or "tls"',
    ),
    _rule(
        _ENVELOPE,
        r"53[458] .*",
        ReplyClass.SERVER,
        "the login is not enough for sending",
        "check smtp.username and the password, and that the account may send by SMTP",
    ),
    _rule(
        _ENVELOPE,
        r"5\d\d 5\.2\.2",
        ReplyClass.SIZE,
        "the reader's mailbox is full",
        "the reader has to make room",
    ),
    _rule(
        _ENVELOPE,
        r"552 .*|\d+ 5\.(?:3\.4|2\.3)",
        ReplyClass.SIZE,
        "the mail is too large for the server or the mailbox",
        "fewer or narrower keywords make smaller digests",
    ),
    _rule(
        _SENDER,
        r"4.*",
        ReplyClass.SERVER,
        "the server takes no mail for now",
        "it is tried again later; if this goes on, the provider's limit of mails may be reached",
    ),
    _rule(
        _SENDER,
        r".*",
        ReplyClass.SERVER,
        "the server does not take mail from this sender",
        "set smtp.sender to an address that this account may send from",
    ),
    _rule(
        _MAIL,
        r"5\d\d 5\.7\.60",  # of Microsoft alone
        ReplyClass.POLICY,
        "the account may not send as this sender",
        "set smtp.sender to the account's own address, or have the administrator allow the other one",
    ),
    _rule(
        _MAIL,
        r"4.*",
        ReplyClass.TRANSIENT,
        "not taken for now",
        "it is tried again later",
    ),
    _rule(
        _MAIL,
        r"5\d\d 5\.1\.(?!(?:[78]|90)$)\d+|5\d\d 5\.2\.1|55[136] |521 ",  # 5.1.7, 5.1.8, 5.1.90: the sender
        ReplyClass.DEAD_ADDRESS,
        "there is no such mailbox",
        "correct the address in subscribers.toml, or remove it with: digest unsubscribe",
    ),
    _rule(
        frozenset({Stage.RECIPIENT}),
        r"5.*",
        ReplyClass.POLICY,
        "the server refuses mail for this recipient",
        "if it speaks of relaying, set smtp.username and its password; if not, check the address",
    ),
    _rule(
        _MAIL,
        r".*",
        ReplyClass.POLICY,
        "the server refuses this mail by its rules",
        "check that smtp.sender belongs to the account, and that its domain has SPF and DKIM records",
    ),
)

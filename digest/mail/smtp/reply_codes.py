"""The meaning of a server's reply at each stage: who is at fault, the cause, and the remedy.

Reply codes follow RFC 5321, section 4.2, and RFC 4954; enhanced status codes (`5.7.1`) follow RFC 3463.
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum

from digest.mail.smtp.reply_text import ReplySubject, quota_wait, subject_of
from digest.model.paper import one_line

__all__ = ["Reply", "ReplyClass", "ReplySubject", "Stage", "Verdict", "judge", "subject_of"]

_LONGEST_TEXT = 300
_STATUS = r"[245]\.\d{1,3}\.\d{1,3}"
_ENHANCED = re.compile(rf"#?(?P<status>{_STATUS})(?!\S)")
_BEHIND = re.compile(rf"\(#(?P<status>{_STATUS})\b")  # as qmail writes it
_QUOTED = re.compile(
    rf"(?:said:?|respon\w+:?|[(:;]) *(?P<code>[45]\d\d)[ -](?P<text>#?{_STATUS}\b.*|(?=\D).*)", re.DOTALL
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


@dataclass(frozen=True, slots=True)
class _Rule:
    """`pattern` is matched against code and status, as in `550 5.1.1`, or `550 ` without a status."""

    stages: frozenset[Stage]
    pattern: str
    verdict: Verdict


def judge(stage: Stage, reply: Reply) -> Verdict:
    """The meaning of `reply` at `stage`. For unknown codes the first digit decides."""
    if 200 <= reply.code < 300 and _ONLY.get(stage, reply.code) == reply.code:
        return _ACCEPTED
    about_us = _about_us(stage, reply)
    if about_us:
        return about_us
    is_of_recipient = stage in _MAIL and reply.code >= 500 and reply.code not in _CLEAR_CODES
    address = _address_verdict(reply) if is_of_recipient else None
    if address:
        return address
    codes = f"{reply.code} {reply.status}"
    for rule in _RULES:
        if stage in rule.stages and re.fullmatch(rule.pattern, codes):
            return rule.verdict
    raise AssertionError(f"no rule for {codes!r} at {stage}")  # the last rule of each stage matches all


def _about_us(stage: Stage, reply: Reply) -> Verdict | None:
    """The verdict if the words are about this machine's name, or about how much we may send."""
    if reply.code < 400 or stage is Stage.TLS:
        return None
    subject = subject_of(reply.text)
    is_greeting = stage is Stage.HELLO and reply.code in {501, 504}
    if stage is not Stage.LOGIN and (
        subject is ReplySubject.HELLO or is_greeting or _is_bare_504(stage, reply)
    ):
        return _HELLO
    if subject is ReplySubject.QUOTA or (reply.status == "5.4.5" and not subject.is_other):
        return replace(_QUOTA, wait=quota_wait(reply.text))
    return None


def _is_bare_504(stage: Stage, reply: Reply) -> bool:
    """Postfix gives this reply to every recipient of a client whose EHLO had a short name."""
    return reply.code == 504 and stage in {Stage.SENDER, Stage.RECIPIENT}


def _address_verdict(reply: Reply) -> Verdict | None:
    """What a permanent refusal says about the address, or about another subject; `None` if the codes decide.

    An address is dead only if the reply is about that mailbox: a status of RFC 3463, section 3.2, that has
    no other meaning, or words that name the mailbox, whatever the code. Words about another subject outweigh
    the status.
    """
    origin = reply.origin
    if 400 <= origin.code < 500:
        return _verdict(ReplyClass.POLICY, *_REFUSED)
    subjects = {subject_of(reply.text), subject_of(origin.text)}
    for subject in subjects:
        if subject.is_other:
            return _OTHERS.get(subject)
    statuses = {reply.status, origin.status} - {""}
    if any(re.fullmatch(_NOT_THE_MAILBOX, status) for status in statuses):
        return None
    return _of_address(origin.status or reply.status, subjects, origin.text.lower())


def _of_address(status: str, subjects: set[ReplySubject], words: str) -> Verdict | None:
    """The verdict if all words are about the address."""
    if ReplySubject.DOMAIN in subjects and status != "5.1.10":
        return _DOUBTFUL
    is_gone = ReplySubject.MAILBOX_GONE in subjects or status in _DEAD_STATUSES
    is_off = status == "5.2.1" and re.search(r"\b(?:disabled|inactive|deactivated)\b", words)
    # Exchange Online says this if the tenant has no such recipient.
    is_blocked_at_the_edge = status == "5.4.1" and "recipient address rejected: access denied" in words
    if is_gone or is_off or is_blocked_at_the_edge:
        return _DEAD
    if ReplySubject.MAILBOX_CLOSED in subjects:
        return _DOUBTFUL if status.startswith("5.7.") else _DEAD
    is_vague = status in {"", "5.2.1"} or status.endswith(".0") or status.startswith("5.0.")
    is_doubted = is_vague and ReplySubject.MAILBOX_DOUBTFUL in subjects
    return _DOUBTFUL if is_doubted or status in _DOUBTFUL_STATUSES else None


_CLEAR_CODES = frozenset({530, 534, 535, 538, 552})
_DEAD_STATUSES = frozenset({"5.1.1", "5.1.3", "5.1.6", "5.1.10"})
_DOUBTFUL_STATUSES = frozenset({"5.1.2", "5.4.4", "5.4.310"})
_NOT_THE_MAILBOX = r"5\.1\.(?:[789]|90)|5\.2\.[234]|5\.3\.[45]|5\.4\.[56]|5\.6\.\d+|5\.7\.(?!1$)\d+"

_ONLY = {Stage.GREETING: 220, Stage.HELLO: 250, Stage.TLS: 220, Stage.LOGIN: 235}
"""The codes for success, at stages with only one."""

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


def _verdict(reply_class: ReplyClass, cause: str, remedy: str) -> Verdict:
    return Verdict(reply_class=reply_class, cause=cause, remedy=remedy)


_HELLO = _verdict(
    ReplyClass.SERVER,
    "the server does not accept the name that this machine uses in its greeting",
    'set smtp.helo to the full name of this machine, for example "mail.lab.example"',
)
_QUOTA = _verdict(
    ReplyClass.SERVER,
    "the provider's limit of mails is reached",
    "digest continues by itself; to stay below it, set smtp.messages_per_day or smtp.messages_per_minute",
)
_DEAD = _verdict(
    ReplyClass.DEAD_ADDRESS,
    "the mailbox does not exist",
    "correct the address with digest rename, or remove it with: digest unsubscribe",
)
_DOUBTFUL = _verdict(
    ReplyClass.DOUBTFUL_ADDRESS,
    "the address may no longer exist",
    "check the address; digest tries again, and suppresses it if the server repeats this for days",
)
_REFUSED = (
    "the server refuses mail for this recipient",
    "if the reply is about relaying, set smtp.username and its password; if not, check the address",
)
_LOGIN_WANTED = "set smtp.username and its password: the server forwards mail only after a login"
_OTHERS = {
    ReplySubject.SENDER: _verdict(
        ReplyClass.POLICY,
        "the server does not accept mail from this sender",
        "set smtp.sender to an address that this account may send from",
    ),
    ReplySubject.RELAY: _verdict(
        ReplyClass.POLICY, "the server does not forward our mail to this recipient", _LOGIN_WANTED
    ),
    ReplySubject.AUTHENTICATION: _verdict(
        ReplyClass.POLICY,
        "the server refuses this mail without a login or a signature",
        _LOGIN_WANTED,
    ),
    ReplySubject.REPUTATION: _verdict(
        ReplyClass.POLICY,
        "the rules of the server refuse this sender, server or address",
        "check SPF, DKIM, DMARC and PTR (digest docs mail-servers), and whether the server is on a block"
        " list",
    ),
    ReplySubject.MAILBOX_FULL: _verdict(
        ReplyClass.SIZE, "the subscriber's mailbox is full", "the subscriber must free some space"
    ),
    ReplySubject.MAILBOX_BUSY: _verdict(
        ReplyClass.POLICY, "the subscriber's mailbox gets too many mails", "digest tries again later"
    ),
    ReplySubject.RATE: _verdict(
        ReplyClass.POLICY,
        "the server accepts no more of our mails for now",
        "digest tries again later; if this continues, set smtp.messages_per_minute",
    ),
    ReplySubject.SYSTEM: _verdict(
        ReplyClass.POLICY, "the server has an internal error", "digest tries again later"
    ),
    ReplySubject.SIZE: _verdict(
        ReplyClass.SIZE,
        "the mail is too large for the server or the mailbox",
        "fewer or narrower keywords make smaller digests",
    ),
}

# The first rule that matches decides.
_RULES = (
    _rule(
        _ANY,
        r"421 .*",
        ReplyClass.SERVER,
        "the server accepts no mail for now",
        "digest tries again later; if this continues, lower smtp.connections",
    ),
    _rule(
        _ANY,
        r"-1 .*",
        ReplyClass.SERVER,
        "the server does not speak SMTP",
        "check smtp.host and smtp.port",
    ),
    _rule(
        _OPENING | _LOGIN,
        r"2.*",
        ReplyClass.SERVER,
        "the server sent an unexpected reply",
        "check smtp.host and smtp.port; if they are right, the server has an error",
    ),
    _rule(
        _LOGIN,
        r"\d+ 5\.7\.(?:30|139)",  # only Microsoft; its words say which of many reasons
        ReplyClass.SERVER,
        "login refused, perhaps because the account may not log in with a password",
        "let the administrator turn on SMTP AUTH for this mailbox, then check name and password",
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
        "the server accepts a login only on an encrypted connection",
        'set smtp.security to "starttls", or to "tls" for port 465',
    ),
    _rule(
        _LOGIN,
        r"4.*",
        ReplyClass.SERVER,
        "the server cannot check logins for now",
        "digest tries again later; if this continues, the provider may have blocked the account for a while",
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
        "the server offers encryption but does not start it",
        'digest tries again later; if this continues, try port 465 with smtp.security = "tls"',
    ),
    _rule(
        _OPENING,
        r"4.*",
        ReplyClass.SERVER,
        "the server accepts no mail for now",
        "digest tries again later",
    ),
    _rule(
        _OPENING,
        r".*",
        ReplyClass.SERVER,
        "the server accepts no mail from this machine",
        "check smtp.host; use your provider's server for outgoing mail, with a login",
    ),
    _rule(
        _ENVELOPE,
        r"530 .*",
        ReplyClass.SERVER,
        "the server requires a login or encryption first",
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
        "the subscriber's mailbox is full",
        "the subscriber must free some space",
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
        "the server accepts no mail for now",
        "digest tries again later; if this continues, the provider's limit of mails may be reached",
    ),
    _rule(
        _SENDER,
        r".*",
        ReplyClass.SERVER,
        "the server does not accept mail from this sender",
        "set smtp.sender to an address that this account may send from",
    ),
    _rule(
        _MAIL,
        r"5\d\d 5\.7\.60",  # only Microsoft
        ReplyClass.POLICY,
        "the account may not send as this sender",
        "set smtp.sender to the account's own address, or let the administrator allow the other one",
    ),
    _rule(
        _MAIL,
        r"4.*",
        ReplyClass.TRANSIENT,
        "not accepted for now",
        "digest tries again later",
    ),
    _rule(
        frozenset({Stage.RECIPIENT}),
        r"5.*",
        ReplyClass.POLICY,
        *_REFUSED,
    ),
    _rule(
        _MAIL,
        r".*",
        ReplyClass.POLICY,
        "the rules of the server refuse this mail",
        "check that smtp.sender belongs to the account, and that its domain has SPF and DKIM records",
    ),
)

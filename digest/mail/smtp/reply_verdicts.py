"""The table of verdicts: what a reply means, with the cause and the remedy that the operator reads.

Reply codes follow RFC 5321, section 4.2, and RFC 4954; enhanced status codes (`5.7.1`) follow RFC 3463.
"""

from dataclasses import dataclass

from digest.mail.smtp.reply import ReplyClass, Stage, Verdict
from digest.mail.smtp.reply_text import ReplySubject


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` is matched against code and status, as in `550 5.1.1`, or `550 ` without a status."""

    stages: frozenset[Stage]
    pattern: str
    verdict: Verdict


ACCEPTED = Verdict(reply_class=ReplyClass.ACCEPTED)

_OPENING = frozenset({Stage.GREETING, Stage.HELLO})
_LOGIN = frozenset({Stage.LOGIN})
_TLS = frozenset({Stage.TLS})
_SENDER = frozenset({Stage.SENDER})
MAIL = frozenset({Stage.RECIPIENT, Stage.CONTENT})
_ENVELOPE = _SENDER | MAIL
_ANY = frozenset(Stage)


def _rule(stages: frozenset[Stage], pattern: str, reply_class: ReplyClass, cause: str, remedy: str) -> Rule:
    return Rule(stages, pattern, _verdict(reply_class, cause, remedy))


def _verdict(reply_class: ReplyClass, cause: str, remedy: str) -> Verdict:
    return Verdict(reply_class=reply_class, cause=cause, remedy=remedy)


HELLO = _verdict(
    ReplyClass.SERVER,
    "the server does not accept the name that this machine uses in its greeting",
    'set smtp.helo to the full name of this machine, for example "mail.lab.example"',
)
QUOTA = _verdict(
    ReplyClass.SERVER,
    "the provider's limit of mails is reached",
    "digest continues by itself; to stay below it, set smtp.messages_per_day or smtp.messages_per_minute",
)
DEAD = _verdict(
    ReplyClass.DEAD_ADDRESS,
    "the mailbox does not exist",
    "correct the address with digest rename, or remove it with: digest unsubscribe",
)
DOUBTFUL = _verdict(
    ReplyClass.DOUBTFUL_ADDRESS,
    "the address may no longer exist",
    "check the address; digest tries again, and suppresses it if the server repeats this for days",
)
REFUSED = _verdict(
    ReplyClass.POLICY,
    "the server refuses mail for this recipient",
    "if the reply is about relaying, set smtp.username and its password; if not, check the address",
)
_MAILBOX_FULL = _verdict(
    ReplyClass.SIZE, "the subscriber's mailbox is full", "the subscriber must free some space"
)
_MAILBOX_BUSY = _verdict(
    ReplyClass.POLICY, "the subscriber's mailbox gets too many mails", "digest tries again later"
)
_TOO_LARGE = _verdict(
    ReplyClass.SIZE,
    "the mail is too large for the server or the mailbox",
    "fewer or narrower keywords make smaller digests",
)
_LOGIN_WANTED = "set smtp.username and its password: the server forwards mail only after a login"
OTHERS = {
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
    ReplySubject.MAILBOX_FULL: _MAILBOX_FULL,
    ReplySubject.MAILBOX_BUSY: _MAILBOX_BUSY,
    ReplySubject.QUOTA: _MAILBOX_BUSY,
    ReplySubject.RATE: _verdict(
        ReplyClass.POLICY,
        "the server accepts no more of our mails for now",
        "digest tries again later; if this continues, set smtp.messages_per_minute",
    ),
    ReplySubject.SYSTEM: _verdict(
        ReplyClass.POLICY, "the server has an internal error", "digest tries again later"
    ),
    ReplySubject.SIZE: _TOO_LARGE,
}

# The first rule that matches decides.
RULES = (
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
    Rule(_ENVELOPE, r"5\d\d 5\.2\.2", _MAILBOX_FULL),
    Rule(_ENVELOPE, r"552 .*|\d+ 5\.(?:3\.4|2\.3)", _TOO_LARGE),
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
        MAIL,
        r"5\d\d 5\.7\.60",  # only Microsoft
        ReplyClass.POLICY,
        "the account may not send as this sender",
        "set smtp.sender to the account's own address, or let the administrator allow the other one",
    ),
    _rule(
        MAIL,
        r"4.*",
        ReplyClass.TRANSIENT,
        "not accepted for now",
        "digest tries again later",
    ),
    Rule(frozenset({Stage.RECIPIENT}), r"5.*", REFUSED),
    _rule(
        MAIL,
        r".*",
        ReplyClass.POLICY,
        "the rules of the server refuse this mail",
        "check that smtp.sender belongs to the account, and that its domain has SPF and DKIM records",
    ),
)

"""Decides what a server's reply means at each stage: which mail or address it is about, and why."""

import re
from dataclasses import replace
from datetime import timedelta

from digest.mail.smtp.reply import Reply, Stage, Verdict
from digest.mail.smtp.reply_text import ReplySubject, plain_words, subject_of
from digest.mail.smtp.reply_verdicts import (
    ACCEPTED,
    DEAD,
    DOUBTFUL,
    HELLO,
    MAIL,
    OTHERS,
    QUOTA,
    REFUSED,
    RULES,
)


def judge(stage: Stage, reply: Reply) -> Verdict:
    """The meaning of `reply` at `stage`. For unknown codes the first digit decides."""
    if 200 <= reply.code < 300 and _ONLY.get(stage, reply.code) == reply.code:
        return ACCEPTED
    about_us = _about_us(stage, reply)
    if about_us:
        return about_us
    is_of_recipient = stage in MAIL and reply.code >= 500 and reply.code not in _CLEAR_CODES
    address = _address_verdict(reply) if is_of_recipient else None
    if address:
        return address
    codes = f"{reply.code} {reply.status}"
    for rule in RULES:
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
        return HELLO
    if subject is ReplySubject.QUOTA and _is_of_mailbox(reply):
        return None
    if subject is ReplySubject.QUOTA or (reply.status == "5.4.5" and not subject.is_other):
        return replace(QUOTA, wait=_quota_wait(reply.text))
    return None


def _is_of_mailbox(reply: Reply) -> bool:
    """Whether a limit is that of the recipient's mailbox (RFC 3463, section 3.3), not of what we send."""
    is_of_us = re.search(
        r"\byou\b|\byour\b|sen[dt]|submission|outgoing|outbound|relay", plain_words(reply.text)
    )
    return re.fullmatch(r"[45]\.2\.\d+", reply.status) is not None and is_of_us is None


def _quota_wait(text: str) -> timedelta:
    """How long to wait if `subject_of` is `QUOTA`: hours for a daily limit, else an hour or minutes.

    Servers do not say when a quota is free again; one mail after this time is the test.
    """
    plain = plain_words(text)
    if re.search(r"\bda(?:y|ily)\b|24 ?h|per day|submissionquota|5\.4\.5", plain):
        return _DAILY
    if re.search(r"minute|second|rate|throttl", plain) and not re.search(r"hour", plain):
        return _BY_THE_MINUTE
    return _HOURLY


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
        return REFUSED
    subjects = {subject_of(reply.text), subject_of(origin.text)}
    for subject in subjects:
        if subject.is_other:
            return OTHERS.get(subject)
    statuses = {reply.status, origin.status} - {""}
    if any(re.fullmatch(_NOT_THE_MAILBOX, status) for status in statuses):
        return None
    if reply.is_relayed:
        return _of_address(origin.status, {subject_of(origin.text)}, origin.text)
    return _of_address(origin.status or reply.status, subjects, origin.text)


def _of_address(status: str, subjects: set[ReplySubject], text: str) -> Verdict | None:
    """The verdict if all words are about the address."""
    words = plain_words(text)
    if ReplySubject.DOMAIN in subjects and status != "5.1.10":
        return DOUBTFUL
    is_gone = ReplySubject.MAILBOX_GONE in subjects or status in _DEAD_STATUSES
    is_off = status == "5.2.1" and re.search(r"\b(?:disabled|inactive|deactivated)\b", words)
    # Exchange Online says this if the tenant has no such recipient.
    is_blocked_at_the_edge = status == "5.4.1" and "recipient address rejected: access denied" in words
    if is_gone or is_off or is_blocked_at_the_edge:
        return DEAD
    if ReplySubject.MAILBOX_CLOSED in subjects:
        return DOUBTFUL if status.startswith("5.7.") else DEAD
    is_vague = status in {"", "5.2.1"} or status.endswith(".0") or status.startswith("5.0.")
    is_doubted = is_vague and ReplySubject.MAILBOX_DOUBTFUL in subjects
    return DOUBTFUL if is_doubted or status in _DOUBTFUL_STATUSES else None


_DAILY = timedelta(hours=3)
_HOURLY = timedelta(hours=1)
_BY_THE_MINUTE = timedelta(minutes=5)

_ONLY = {Stage.GREETING: 220, Stage.HELLO: 250, Stage.TLS: 220, Stage.LOGIN: 235}
"""The codes for success, at stages with only one."""

_CLEAR_CODES = frozenset({530, 534, 535, 538, 552})
_DEAD_STATUSES = frozenset({"5.1.1", "5.1.3", "5.1.6", "5.1.10"})
_DOUBTFUL_STATUSES = frozenset({"5.1.2", "5.4.4", "5.4.310"})
_NOT_THE_MAILBOX = r"5\.1\.(?:[789]|90)|5\.2\.[234]|5\.3\.[45]|5\.4\.[56]|5\.6\.\d+|5\.7\.(?!1$)\d+"

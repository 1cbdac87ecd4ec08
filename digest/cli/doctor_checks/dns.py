"""The sender's domain, as others see it in DNS."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver

from digest.cli.doctor_checks.email_authentication import (
    USUAL_SELECTORS,
    include_of,
    is_dmarc,
    judge_dkim,
    judge_dmarc,
    judge_spf,
)
from digest.config.parsing import is_loopback, is_private_domain
from digest.config.smtp_settings import Smtp
from digest.mail.message import wire_address
from digest.service.finding import Finding, warning

_SECONDS = 5.0
_AT_ONCE = 5
_RESERVED = (".invalid", ".test")
"""For tests (RFC 2606)."""


class Missing(Enum):
    """Why there are no records: DNS knows no such name, or no name server answered."""

    NAME = "DNS has no name"
    ANSWER = "not checked: no name server answered for"


class Resolver(Protocol):
    """The part of DNS that the checks need."""

    async def texts(self, name: str) -> tuple[str, ...] | Missing:
        """All TXT records of `name`; empty if it has only other records."""
        ...


class DnsResolver:
    """DNS with the settings of this machine."""

    async def texts(self, name: str) -> tuple[str, ...] | Missing:
        try:
            answer = await dns.asyncresolver.resolve(name, "TXT", lifetime=_SECONDS, search=False)
        except dns.resolver.NoAnswer:
            return ()
        except dns.resolver.NXDOMAIN:
            return Missing.NAME
        except (dns.exception.DNSException, OSError):
            return Missing.ANSWER
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer)


async def check_domain(smtp: Smtp, resolver: Resolver) -> AsyncIterator[Finding]:
    """SPF of the envelope sender's domain, DKIM and DMARC of that in From."""
    host = smtp.host or ""
    domain = _domain(smtp.sender)
    if is_private_domain(domain) or domain.endswith(_RESERVED):
        said = f"{domain} is not a public name; many servers refuse its mails"
        remedy = "set smtp.sender to an address of a public domain"
        if not is_loopback(host):
            yield warning("sender's domain", said, remedy)
        return
    envelope = _domain(smtp.bounce_address or smtp.sender)
    spf = await resolver.texts(envelope)
    if isinstance(spf, Missing):
        yield warning("SPF, DKIM, DMARC", f"{spf.value} {envelope}", _REMEDIES[spf])
        return
    yield judge_spf(envelope, spf, include_of(host))
    yield await _dkim(domain, resolver)
    yield await _dmarc(domain, resolver)


_REMEDIES = {
    Missing.NAME: "check smtp.sender and the name service of this machine",
    Missing.ANSWER: "check the name service of this machine, or query the records elsewhere",
}


def _domain(address: str) -> str:
    return wire_address(address).rpartition("@")[2].lower()


async def _dkim(domain: str, resolver: Resolver) -> Finding:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(selector: str) -> tuple[str, ...] | Missing:
        async with turns:
            return await resolver.texts(f"{selector}._domainkey.{domain}")

    answers = await asyncio.gather(*map(ask, USUAL_SELECTORS))
    if all(answer is Missing.ANSWER for answer in answers):
        return _unanswered("DKIM", domain)
    found = zip(USUAL_SELECTORS, answers, strict=True)
    return judge_dkim(domain, {name: texts for name, texts in found if not isinstance(texts, Missing)})


async def _dmarc(domain: str, resolver: Resolver) -> Finding:
    """The record of the domain or of one above it: a policy also applies to the names below it."""
    labels = domain.split(".")
    for first in range(len(labels) - 1):
        name = f"_dmarc.{'.'.join(labels[first:])}"
        texts = await resolver.texts(name)
        if texts is Missing.ANSWER:
            return _unanswered("DMARC", name)
        if not isinstance(texts, Missing) and any(map(is_dmarc, texts)):
            return judge_dmarc(domain, name, texts)
    return judge_dmarc(domain, "", ())


def _unanswered(what: str, name: str) -> Finding:
    return warning(what, f"{Missing.ANSWER.value} {name}", _REMEDIES[Missing.ANSWER])

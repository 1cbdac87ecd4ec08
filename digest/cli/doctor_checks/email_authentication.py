"""Judges the DNS records of a sender's domain: SPF, DKIM and DMARC.

See RFC 7208, RFC 6376 and RFC 7489. `digest.cli.doctor_checks.dns` queries them.
"""

import re
from collections.abc import Mapping, Sequence

from digest.service.finding import Finding, failed, ok, warning

USUAL_SELECTORS = (
    *("default", "dkim", "mail", "smtp", "google", "selector1", "selector2", "s1", "s2", "k1", "k2", "k3"),
    *("fm1", "fm2", "fm3", "sig1", "pm", "mx", "key1", "email"),
)
"""DKIM selectors that mail servers and providers use. DNS cannot list those of a domain."""

_MOST_LOOKUPS = 10  # RFC 7208, section 4.6.4
_LOOKUP = re.compile(r"[+?~-]?(?:include:|a(?:[:/]|$)|mx(?:[:/]|$)|ptr(?::|$)|exists:)|redirect=", re.I)
_INCLUDES = {
    "gmail.com": "_spf.google.com",
    "office365.com": "spf.protection.outlook.com",
    "fastmail.com": "spf.messagingengine.com",
    "mail.me.com": "icloud.com",
    "mailgun.org": "mailgun.org",
    "sendgrid.net": "sendgrid.net",
}
"""What a domain's SPF record must include for a provider's servers, by the end of the server's name."""


def include_of(host: str) -> str | None:
    """The include that allows the mail server `host` to send."""
    return next((name for end, name in _INCLUDES.items() if host.lower().endswith(end)), None)


def judge_spf(domain: str, texts: Sequence[str], include: str | None) -> Finding:
    """`texts` are all TXT records of `domain`; `include` is what the mail server's provider needs there."""
    records = [text for text in texts if re.match(r"v=spf1(?: |$)", text, re.I)]
    if not records:
        example = f'"v=spf1 {f"include:{include}" if include else "mx"} ~all"'
        remedy = f"add a TXT record at {domain} that names your mail server, such as {example}"
        return warning("SPF", f"{domain} has no SPF record", remedy)
    if len(records) > 1:
        said = f"{domain} has {len(records)} SPF records; with more than one, receivers ignore all"
        return failed("SPF", said, "merge them into one TXT record")
    (record,) = records
    problem = _spf_problem(record, include)
    if problem:
        return warning("SPF", f'{domain}: "{_cut(record)}": {problem[0]}', problem[1])
    return ok("SPF", f'{domain}: "{_cut(record)}"')


def _spf_problem(record: str, include: str | None) -> tuple[str, str] | None:
    terms = record.split()[1:]
    lower = [term.lower() for term in terms]
    if "+all" in lower or "all" in lower:
        return "it allows every server to send", 'end it with "~all" or "-all"'
    lookups = sum(bool(_LOOKUP.match(term)) for term in terms)
    if lookups > _MOST_LOOKUPS:
        return f"{lookups} look-ups; at most {_MOST_LOOKUPS} are allowed", "remove what does not send mail"
    is_elsewhere = any(term.startswith("redirect=") for term in lower)
    if include and not is_elsewhere and not any(term.endswith(f"include:{include}") for term in lower):
        return (
            f"it does not include {include} directly",
            f"add include:{include}, unless another include contains it",
        )
    if not is_elsewhere and not any(re.fullmatch(r"[~?-]all", term) for term in lower):
        return "it has no rule for other servers", 'end it with "~all"'
    return None


def judge_dmarc(domain: str, found_at: str, texts: Sequence[str]) -> Finding:
    """`texts` are the TXT records of `found_at`, the nearest name to `domain` that has a policy, if any."""
    records = [text for text in texts if is_dmarc(text)]
    if not records:
        remedy = f'add a TXT record at _dmarc.{domain}: "v=DMARC1; p=none"'
        return warning("DMARC", f"{domain} has no DMARC record; Gmail and Yahoo ask for one", remedy)
    if len(records) > 1:
        return failed(
            "DMARC",
            f"{found_at} has {len(records)} records; with more than one, receivers ignore all",
            "keep one",
        )
    pairs = (part.partition("=") for part in records[0].split(";"))
    tags = {name.strip().lower(): value.strip().lower() for name, _, value in pairs}
    if tags.get("p") not in {"none", "quarantine", "reject"}:
        said = f'{found_at}: "{_cut(records[0])}" has no valid policy'
        return failed("DMARC", said, "set p=none, p=quarantine or p=reject in it")
    return ok("DMARC", f"{found_at}: p={tags['p']}")


def is_dmarc(text: str) -> bool:
    return re.match(r"v\s*=\s*DMARC1\s*(?:;|$)", text) is not None


def judge_dkim(domain: str, records: Mapping[str, Sequence[str]]) -> Finding:
    """`records` are the TXT records by selector, of those that were tried."""
    keys = {selector: [tags for text in texts if (tags := _key(text))] for selector, texts in records.items()}
    found = [selector for selector, given in keys.items() if any(one.get("p") for one in given)]
    if found:
        return ok("DKIM", f"{domain} has keys for {', '.join(found)}")
    return warning(
        "DKIM",
        f"{domain} has no key under the usual selectors; it may have one under another selector",
        "`digest doctor --send EMAIL`, then look for dkim=pass in the Authentication-Results of that mail",
    )


def _key(text: str) -> dict[str, str] | None:
    """The tags of a DKIM key record; an empty `p` is a key that was revoked (RFC 6376, section 3.6.1)."""
    pairs = (part.partition("=") for part in text.split(";"))
    tags = {name.strip(): "".join(value.split()) for name, _, value in pairs}
    return tags if "p" in tags and tags.get("v", "DKIM1") == "DKIM1" else None


def _cut(record: str) -> str:
    return record if len(record) <= 120 else f"{record[:117]}…"

"""The form with which people sign up: from the submitted fields to an entry, and what is wrong in place."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

from digest.config.parsing import WEEKDAYS, address_key, is_private_domain, parse_address
from digest.config.web_settings import Web
from digest.subscribers.entries import written
from digest.subscribers.preferences import NEVER, Preferences, adapted
from digest.subscribers.subscriber import SendSchedule, Subscriber
from digest.web.keyword_rows import KeywordRow, Sent, unchecked_rows, with_empty_rows
from digest.web.own_forms import FormSigner
from digest.web.preferences_form import Form, build_form, parse_form

if TYPE_CHECKING:
    from digest.config.settings import Defaults

MOST_KEYWORDS = 20
LONGEST_KEYWORD = 300
"""Of a stranger: each paper is compared with each keyword, for as long as they are subscribed."""

_MOST_SHOWN = 100
"""Rows; nobody fills so many in a form that offers a few more each time."""

QUICKEST = timedelta(seconds=3)
"""Nobody fills the form in less time."""

LATEST = timedelta(days=1)

TRAP = "website"
"""A field that people do not see: only machines fill it."""

_WHOLE = ("email", "stamp", TRAP, "at", "timezone", "weekly", "length")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupForm:
    """The fields as shown: the address, and the others as on the preferences page."""

    email: str
    stamp: str
    fields: Form
    email_error: str = ""

    @property
    def has_errors(self) -> bool:
        return bool(self.email_error) or self.fields.has_errors

    @property
    def texts(self) -> tuple[str, ...]:
        """The keywords within the limits, as they were written."""
        rows = [row for row in self.fields.keywords if row.text and not _is_too_long(row)]
        return tuple(row.text for row in rows[:MOST_KEYWORDS])


def blank_subscriber(defaults: "Defaults") -> Subscriber:
    """Somebody without address and keywords, with the times of the operator's `[defaults]`."""
    schedule = SendSchedule(send_at=defaults.at, timezone=defaults.timezone, weekly=defaults.weekly)
    return Subscriber(
        email="",
        name=None,
        keywords=(),
        send_schedule=schedule,
        length=defaults.length,
        discover=defaults.discover,
    )


def empty_form(blank: Subscriber, stamp: str, now: datetime) -> SignupForm:
    return SignupForm(email="", stamp=stamp, fields=build_form(blank, Preferences(), now))


def is_whole(sent: Sent) -> bool:
    """Whether the form is complete: each field that a browser always sends is there once."""
    return all(len(sent.get(name, ())) == 1 for name in _WHOLE)


def is_by_machine(sent: Sent, age: timedelta | None) -> bool:
    """Whether a program filled the form: so fast, or with a field that people do not see."""
    return bool(sent[TRAP][0]) or age is None or age < QUICKEST


def parse_signup(
    sent: Sent, blank: Subscriber, signer: FormSigner, settings: Web, now: datetime
) -> tuple[SignupForm, Subscriber]:
    """The form as it was sent, with its errors, and the subscriber that it describes, if it has none.

    An old stamp is replaced by a new one. Keywords beyond the limits of strangers are not parsed.
    """
    email = sent["email"][0].strip()
    rows = [row for row in unchecked_rows(sent) if row.text]
    if len(rows) > MOST_KEYWORDS or any(map(_is_too_long, rows)):
        others = {name: texts for name, texts in sent.items() if not name.startswith("k-")}
        chosen, fields = parse_form(others, blank, Preferences(), now)
        fields = replace(fields, keywords=with_empty_rows(rows[:_MOST_SHOWN]))
    else:
        chosen, fields = parse_form(sent, blank, Preferences(), now)
    fields = _bounded(fields)
    age = signer.age(sent["stamp"][0], now)
    form = SignupForm(
        email=email,
        stamp=sent["stamp"][0] if age is not None and age < LATEST else signer.stamp(now),
        fields=fields,
        email_error=_wrong_in(email, settings),
    )
    return form, replace(adapted(blank, chosen) or blank, email=email)


def entry_of(subscriber: Subscriber) -> str:
    """The entry in the database, with all keys of the form: other defaults do not change it."""
    schedule = subscriber.send_schedule
    entry = {
        "email": subscriber.email,
        "keywords": [written(keyword) for keyword in subscriber.keywords],
        "at": f"{schedule.send_at:%H:%M}",
        "timezone": schedule.timezone.key,
        "weekly": NEVER if schedule.weekly is None else WEEKDAYS[schedule.weekly],
        "length": subscriber.length,
    }
    return as_content(entry)


def as_content(entry: Mapping[str, object]) -> str:
    """An entry as the database has it."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def mark_of(content: str) -> str:
    """A hash of an entry. It identifies the sign-up that a button confirms."""
    return blake2b(content.encode(errors="replace"), digest_size=8).hexdigest()


def with_keyword_error(form: SignupForm, problem: str) -> SignupForm:
    errors = {**form.fields.errors, "keywords": problem}
    return replace(form, fields=replace(form.fields, errors=errors))


def _bounded(fields: Form) -> Form:
    """With the errors that strangers get."""
    rows = tuple(map(_bounded_row, fields.keywords))
    filled = sum(bool(row.text) for row in rows)
    errors = {name: error for name, error in fields.errors.items() if name != "keywords"}
    if not filled:
        errors["keywords"] = "Write at least one keyword."
    elif filled > MOST_KEYWORDS:
        errors["keywords"] = f"At most {MOST_KEYWORDS} keywords: take {filled - MOST_KEYWORDS} away."
    return replace(fields, keywords=rows, errors=errors)


def _is_too_long(row: KeywordRow) -> bool:
    return len(row.text) > LONGEST_KEYWORD


def _bounded_row(row: KeywordRow) -> KeywordRow:
    if not _is_too_long(row):
        return row
    return replace(row, error=f"A keyword may have at most {LONGEST_KEYWORD} characters.")


def _wrong_in(email: str, settings: Web) -> str:
    """What is wrong with an address; empty if nothing is."""
    if not email:
        return "Write your mail address."
    try:
        domain = address_key(parse_address(email)).rpartition("@")[2]
    except ValueError as error:
        return f"This {error}"
    # Mail servers may read `ada%other.example@uni.example` as ada@other.example; Postfix does by default.
    if settings.domains and (domain not in settings.domains or "%" in email or "!" in email):
        return f"Only addresses of {_alternatives(settings.domains)} can sign up here."
    if settings.signup == "open" and is_private_domain(domain):
        return "Write an address that gets mail from everywhere: the part after the @ has no meaning outside."
    return ""


def _alternatives(domains: Sequence[str]) -> str:
    *others, last = domains
    return f"{', '.join(others)} or {last}" if others else last

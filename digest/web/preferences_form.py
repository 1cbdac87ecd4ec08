"""The form on the preferences page: from choices to fields, and from the submitted form to choices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypedDict, TypeVar
from zoneinfo import ZoneInfo

from digest.config.parsing import WEEKDAYS, parse_length, parse_time, parse_weekday, parse_zone
from digest.model.digest import Length
from digest.subscribers.preferences import NEVER, OwnKeyword, Preferences, adapted, followed_keywords
from digest.subscribers.subscriber import Keyword, Subscriber
from digest.web.keyword_rows import (
    MOST_KEYWORDS,
    KeywordRow,
    Sent,
    checked_rows,
    first_text,
    muted_among,
    rows_for,
    sent_rows,
    with_empty_rows,
)
from digest.web.zones import named_zone, suggested_zones

LONGEST_PAUSE = timedelta(days=366)

DAYS = {
    NEVER: "Every day",
    "mon": "Mondays",
    "tue": "Tuesdays",
    "wed": "Wednesdays",
    "thu": "Thursdays",
    "fri": "Fridays",
    "sat": "Saturdays",
    "sun": "Sundays",
}

LENGTHS: Mapping[Length, str] = {
    "short": "Short (about 600 words)",
    "normal": "Normal (about 1,500 words)",
    "full": "Full (everything that fits)",
}


_WHOLE = ("at", "timezone", "weekly", "length", "paused_until")

_ERRORS = {
    "at": "Choose a time from 00:00 to 23:59.",
    "timezone": "Choose a time zone of the list, for example Europe/Berlin.",
    "weekly": "Choose one of the days.",
    "length": "Choose one of the lengths.",
}

_T = TypeVar("_T")


class _KeywordChoices(TypedDict):
    added: tuple[OwnKeyword, ...]
    removed: tuple[str, ...]
    muted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields as shown; `errors` are by field name.

    `may_edit`: keywords can be changed, else only muted. `zones` are suggestions for the time zone. `saved`
    has the fields in force, also if they were sent otherwise.
    """

    keywords: tuple[KeywordRow, ...]
    may_edit: bool
    at: str
    timezone: str
    zones: tuple[str, ...] = ()
    weekly: str
    length: str
    paused_until: str
    first_day: str
    last_day: str
    errors: Mapping[str, str]
    saved: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        return bool(self.errors or any(row.error or row.name_error for row in self.keywords))


def build_form(subscriber: Subscriber, preferences: Preferences, now: datetime) -> Form:
    """`subscriber` is as in the entry."""
    chosen = adapted(subscriber, replace(preferences, left_at=None)) or subscriber
    today = now.astimezone(chosen.send_schedule.timezone).date()
    until = preferences.paused_until
    rows = rows_for(chosen.keywords, preferences.muted)
    form = Form(
        keywords=with_empty_rows(rows),
        may_edit=len(rows) <= MOST_KEYWORDS,
        at=f"{chosen.send_schedule.send_at:%H:%M}",
        timezone=chosen.send_schedule.timezone.key,
        weekly=_word(chosen.send_schedule.weekly),
        length=chosen.length,
        paused_until=until.isoformat() if until and until > today else "",
        first_day=(today + timedelta(days=1)).isoformat(),
        last_day=(today + LONGEST_PAUSE).isoformat(),
        errors={},
    )
    return replace(form, saved={name: getattr(form, name) for name in _WHOLE})


def is_whole(sent: Sent) -> bool:
    """Whether the form is complete: each field that a browser always sends is there once."""
    return all(len(sent.get(name, ())) == 1 for name in _WHOLE)


def is_renewal(sent: Sent) -> bool:
    """Whether the button "Make new links" was pressed."""
    return list(sent.get("links", ())) == ["new"]


def is_return(sent: Sent) -> bool:
    """Whether the button "Subscribe again" was pressed."""
    return list(sent.get("return", ())) == ["yes"]


def parse_form(
    sent: Sent, subscriber: Subscriber, preferences: Preferences, now: datetime
) -> tuple[Preferences, Form]:
    """The choices that differ from the entry, and the form as it was sent, with its errors.

    `subscriber` is as in the entry, and `preferences` are those in force.
    """
    errors: dict[str, str] = {}
    written = subscriber.send_schedule
    saved = build_form(subscriber, preferences, now).saved
    at, zone, weekly, long, until = (_sent_or_saved(sent, name, saved) for name in _WHOLE)
    if first_text(sent, "unknown_zone") == zone:  # not written anew since zones were suggested
        zone = first_text(sent, "zone") or zone
    send_at = _parsed("at", at, parse_time, written.send_at, errors)
    timezone = _parsed("timezone", zone, _parse_zone, written.timezone, errors)
    day = _parsed("weekly", weekly, parse_weekday, written.weekly, errors)
    length = _parsed("length", long, parse_length, subscriber.length, errors)
    today = now.astimezone(timezone).date()
    paused_until = _day(until)
    if until and (paused_until is None or not today < paused_until <= today + LONGEST_PAUSE):
        errors["paused_until"], paused_until = "Choose a day after today, within a year.", None
    keywords, rows = _keywords(sent, subscriber, preferences, errors)
    chosen = Preferences(
        **_keyword_choices(subscriber, keywords, rows),
        send_at=None if send_at == written.send_at else send_at,
        timezone=None if timezone == written.timezone else timezone.key,
        weekly=None if day == written.weekly else _word(day),
        length=None if length == subscriber.length else length,
        paused_until=paused_until,
    )
    form = build_form(subscriber, chosen, now)
    kept = replace(form, keywords=with_empty_rows(rows), errors=errors, saved=saved)
    if "timezone" in errors:
        kept = replace(kept, timezone=zone, zones=suggested_zones(zone))
    return chosen, kept


def _sent_or_saved(sent: Sent, name: str, saved: Mapping[str, str]) -> str:
    """A field that was sent as it was shown is as it is in force: it may have changed meanwhile."""
    text, shown = first_text(sent, name), f"was-{name}"
    return saved[name] if shown in sent and text == first_text(sent, shown) else text


def _keywords(
    sent: Sent, subscriber: Subscriber, preferences: Preferences, errors: dict[str, str]
) -> tuple[tuple[Keyword, ...], tuple[KeywordRow, ...]]:
    """The keywords of the form, and its rows with their errors."""
    followed = followed_keywords(subscriber.keywords, preferences)
    known = rows_for(followed, preferences.muted)
    excluded = {one.query.key for one in subscriber.filters.exclude}
    most = max(MOST_KEYWORDS, len(known))
    keywords, rows, problem = checked_rows(sent_rows(sent, known), excluded, most=most)
    if problem:
        errors["keywords"] = problem
    return keywords, rows


def _keyword_choices(
    subscriber: Subscriber, keywords: Sequence[Keyword], rows: Sequence[KeywordRow]
) -> _KeywordChoices:
    """What differs from the entry."""
    written, followed = set(subscriber.keywords), {one.query.key for one in keywords}
    return {
        "added": tuple(OwnKeyword(one.text, one.name) for one in keywords if one not in written),
        "removed": tuple(one.query.key for one in subscriber.keywords if one.query.key not in followed),
        "muted": muted_among(rows, followed),
    }


def _parsed(name: str, text: str, parse: Callable[[object], _T], otherwise: _T, errors: dict[str, str]) -> _T:
    """`otherwise` if the field is empty, or if it has an error, which is noted."""
    try:
        return parse(text) if text else otherwise
    except ValueError:
        errors[name] = _ERRORS[name]
        return otherwise


def _parse_zone(text: object) -> ZoneInfo:
    return parse_zone(named_zone(str(text)) or text)


def _word(weekly: int | None) -> str:
    return NEVER if weekly is None else WEEKDAYS[weekly]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

"""All that is stored about a person as one JSON file (docs/web.md)."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from digest.storage.choices import choices_from_list
from digest.storage.personal_data import PersonalData, StoredMailing
from digest.subscribers.interest.judgements import Judgement
from digest.subscribers.preferences import Preferences

VERSION = 1
"""Changes when a field is renamed, removed or gets another meaning; new fields do not change it."""


def personal_file(
    email: str,
    entry: Mapping[str, Any] | None,
    preferences: Preferences,
    judgements: Sequence[Judgement],
    data: PersonalData,
    *,
    is_in_file: bool,
    now: datetime,
) -> bytes:
    """The file. `entry` is as it is written, in a file of the operator if `is_in_file`."""
    content = {
        "version": VERSION,
        "made_at": now,
        "email": email,
        "entry": entry,
        "entry_is_in": None if entry is None else "file" if is_in_file else "state",
        "preferences": _preferences(preferences),
        "judgements": [_judgement(one) for one in judgements],
        "digests": [_digest(one) for one in data.mailings],
        **data.sections,
        "notices": [_notice(one) for one in data.sections["notices"]],
    }
    return json.dumps(content, ensure_ascii=False, indent=2, default=_plain).encode()


def _preferences(chosen: Preferences) -> dict[str, object]:
    return {
        "added": [{"query": one.text, "name": one.name} for one in chosen.added],
        "removed": chosen.removed,
        "muted": chosen.muted,
        "at": chosen.send_at,
        "timezone": chosen.timezone,
        "weekly": chosen.weekly,
        "length": chosen.length,
        "paused_until": chosen.paused_until,
        "left_at": chosen.left_at,
    }


def _notice(row: Mapping[str, Any]) -> dict[str, object]:
    """`former` are the preferences before the change, if the mail is about one."""
    former = row["former"]
    return {**row, "former": former and _preferences(choices_from_list(former))}


def _judgement(one: Judgement) -> dict[str, object]:
    return {
        "paper": one.example.name,
        "title": one.example.title,
        "abstract": one.example.abstract,
        "is_liked": one.is_liked,
        "judged_at": one.judged_at,
        "origin": one.origin.value,
    }


def _digest(one: StoredMailing) -> dict[str, object]:
    digest = one.digest
    return {
        "date": digest.dated_on,
        "planned_at": digest.planned_at,
        "email": digest.email,
        "name": digest.name,
        "state": one.state,
        "concluded_at": one.concluded_at,
        "reply": one.reply,
        "papers": [
            {"id": entry.paper.id, "version": entry.paper.version, "keywords": entry.keywords}
            for entry in digest.entries
        ],
        "new_versions": [
            {"id": one.paper.id, "version": one.paper.version, "from_version": one.from_version}
            for one in digest.revisions
        ],
        "also_near": [paper.id for paper in digest.near],
    }


def _plain(value: object) -> object:
    match value:
        case datetime() | date():
            return value.isoformat()
        case time():
            return f"{value:%H:%M}"
        case bytes():
            return b64encode(value).decode()
    raise TypeError(type(value))

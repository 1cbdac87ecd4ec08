"""The keywords in a form: a row for each, the rows that were submitted, and what is wrong with them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import count

from digest.config.parsing import shown
from digest.errors import QueryError
from digest.keywords.display_names import keyword_names
from digest.subscribers.entry_parser import ambiguous_names, parse_keyword, parse_keyword_name
from digest.subscribers.spreadsheet import fits_csv
from digest.subscribers.subscriber import Keyword

MOST_KEYWORDS = 100
"""Subscribers add keywords up to this number. With more, they can change none on a page."""

EMPTY_ROWS = 3

Sent = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordRow:
    """The fields of one keyword. `row_id` does not depend on its place; `label` names the keyword.

    `was_muted` is as saved when the form is shown, also if the box says otherwise.
    `error` is about the text and `name_error` about the name: what commands say.
    """

    row_id: str
    text: str = ""
    name: str = ""
    label: str = ""
    is_muted: bool = False
    was_muted: bool = False
    error: str = ""
    name_error: str = ""


def rows_for(keywords: Sequence[Keyword], muted: Collection[str]) -> tuple[KeywordRow, ...]:
    """A row for each keyword."""
    own = {one.text: one.name for one in keywords if one.name}
    labels = keyword_names([one.text for one in keywords], own)
    return tuple(
        KeywordRow(
            row_id=_id(one.query.key),
            text=one.text,
            name=one.name or "",
            label=labels[one.text],
            is_muted=one.query.key in muted,
            was_muted=one.query.key in muted,
        )
        for one in keywords
    )


def with_empty_rows(rows: Sequence[KeywordRow]) -> tuple[KeywordRow, ...]:
    """Some more to add keywords, within the limit."""
    used = {row.row_id for row in rows}
    free = (f"new-{number}" for number in count(1) if f"new-{number}" not in used)
    filled = sum(bool(row.text) for row in rows)
    wanted = max(0, min(EMPTY_ROWS, MOST_KEYWORDS - filled) - (len(rows) - filled))
    return (*rows, *(KeywordRow(row_id=next(free)) for _ in range(wanted)))


def first_text(sent: Sent, name: str) -> str:
    """The first text of a field; empty if it was not sent."""
    return (sent.get(name) or [""])[0].strip()


def unchecked_rows(sent: Sent) -> tuple[KeywordRow, ...]:
    """The rows as they were submitted, also if there are too many to be checked."""
    names = (name.removeprefix("k-") for name in sent if name.startswith("k-"))
    return tuple(_filled(KeywordRow(row_id=row_id), sent) for row_id in names)


def sent_rows(sent: Sent, known: Sequence[KeywordRow]) -> tuple[KeywordRow, ...]:
    """The `known` rows as they were submitted, and new ones. A row whose text the form did not have stays.

    A row of a keyword that somebody else removed meanwhile is new if it was changed, else it is gone. A new
    row of a keyword that is followed since the form was shown is that one: the form may be sent twice.
    A box that is as it was shown changes nothing: the keyword may be muted or unmuted since then.
    """
    muted = _muted(sent, known)
    listed = {row.row_id for row in known}
    filled = (row for row in unchecked_rows(sent) if row.text and row.row_id not in listed)
    new = [replace(one, is_muted=one.row_id in muted) for one in filled if not _is_as_before(one)]
    since = {_id(_key(one.text)): one for one in reversed(new)}
    rows = []
    for row in known:
        if f"k-{row.row_id}" in sent:
            rows.append(replace(_filled(row, sent), is_muted=row.row_id in muted))
        elif same := since.get(row.row_id):
            rows.append(replace(row, text=same.text, name=same.name, is_muted=same.is_muted))
            new.remove(same)
        else:
            rows.append(replace(row, is_muted=row.row_id in muted))
    return (*rows, *new)


def checked_rows(
    rows: Sequence[KeywordRow], excluded: Collection[str], *, most: int = MOST_KEYWORDS
) -> tuple[tuple[Keyword, ...], tuple[KeywordRow, ...], str]:
    """The keywords of the rows, the rows with their errors, and an error about all of them.

    An empty row removes its keyword. `excluded` are the queries that the subscriber's filters refuse.
    """
    keywords: dict[str, Keyword] = {}
    checked: list[KeywordRow] = []
    for row in rows:
        keyword, row = _checked(row, keywords, excluded)
        checked.append(row)
        if keyword:
            keywords[keyword.query.key] = keyword
    filled = [row for row in checked if row.text]
    problem = ""
    if not filled:
        problem = "Keep at least one keyword. To get no more mail, unsubscribe instead."
    elif len(filled) > most:
        problem = f"At most {most} keywords: take {len(filled) - most} away."
    return tuple(keywords.values()), tuple(checked), problem


def muted_among(rows: Sequence[KeywordRow], followed: Collection[str]) -> tuple[str, ...]:
    """The query keys of the muted rows, of those that are `followed`."""
    keys = (_key(row.text) for row in rows if row.is_muted)
    return tuple(key for key in keys if key in followed)


def _id(key: str) -> str:
    return blake2b(key.encode(), digest_size=6).hexdigest()


def _filled(row: KeywordRow, sent: Sent) -> KeywordRow:
    text, name = ((sent.get(f"{key}-{row.row_id}") or [""])[-1] for key in ("k", "n"))
    return replace(row, text=text.strip(), name=name.strip())


def _muted(sent: Sent, known: Sequence[KeywordRow]) -> set[str]:
    """The ids of the rows that are to be muted. Without the field `muted`, all boxes count as they are."""
    muted = set(sent.get("mute[]") or ())
    if "muted" in sent:
        shown = set(first_text(sent, "muted").split())
        now = {row.row_id for row in known if row.is_muted}
        return (now - (shown - muted)) | (muted - shown)
    return muted


def _is_as_before(row: KeywordRow) -> bool:
    """Whether the row still has the keyword that its id was made from."""
    return _id(_key(row.text)) == row.row_id


def _key(text: str) -> str:
    """The query key of a keyword; empty if it is not valid."""
    keyword = _read(text)
    return "" if isinstance(keyword, Exception) else keyword.query.key


@lru_cache(maxsize=500)
def _read(text: str) -> Keyword | Exception:
    """The keyword, or what is wrong with it: each is asked for several times."""
    try:
        return parse_keyword(text)
    except (QueryError, ValueError) as error:
        return error.with_traceback(None)


def _checked(
    row: KeywordRow, others: Mapping[str, Keyword], excluded: Collection[str]
) -> tuple[Keyword | None, KeywordRow]:
    if not row.text:
        return None, row
    keyword = _read(row.text)
    if isinstance(keyword, Exception):
        return None, replace(row, error=str(keyword))
    if same := others.get(keyword.query.key):
        problem = f"{shown(keyword.text)} is the same as {shown(same.text)}; list each only once"
        return None, replace(row, error=problem)
    if keyword.query.key in excluded:
        return None, replace(row, error=f"{shown(keyword.text)} is also excluded, so it would find nothing")
    if not fits_csv(row.text) and not _is_as_before(row):  # it would stop the operator's export
        return None, replace(row, error="Write each keyword into its own field, without ; and =.")
    if row.name:
        try:
            keyword = replace(keyword, name=parse_keyword_name(row.name))
        except ValueError as error:
            return keyword, replace(row, name_error=str(error))
        if problem := next(ambiguous_names([*others.values(), keyword]), ""):
            return keyword, replace(row, name_error=problem.removeprefix("keywords: "))
    return keyword, row

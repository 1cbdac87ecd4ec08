"""What a mail says of a whole digest: its subject, its inbox line, its heading, and what is to come."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from digest.mail.rendering.claims import excerpt
from digest.mail.rendering.paper_view import shortened, shown_abstract, title_for
from digest.mail.rendering.richtext import converted
from digest.mail.rendering.templates import short_date
from digest.mail.rendering.tex.spans import as_text
from digest.model.digest import Digest, Outlook
from digest.model.paper import Paper, one_line

NAME_LENGTH = 80
"""The most characters of a keyword's name."""

_SUBJECT_LENGTH = 120
_TITLES_IN_SUBJECT = 3
_INBOX_LENGTH = 120
_TITLES_KEPT = 2_000


class KeywordCount(NamedTuple):
    """How many papers of this digest stand under one keyword; `url` leads to them.

    Where all papers stand under one keyword, `url` is the page of the keyword, if it has one.
    """

    name: str
    papers: int
    url: str | None = None


def inbox_line(papers: Sequence[Paper]) -> str:
    """What mail programs show beside the subject: the first titles, or what the first paper says."""
    if not papers:
        return ""
    if len(papers) <= _TITLES_IN_SUBJECT:
        return _claim(papers[0]) or _title(papers[0])
    return shortened("; ".join(map(_title, papers[:3])), _INBOX_LENGTH)


@lru_cache(maxsize=_TITLES_KEPT)
def _title(paper: Paper) -> str:
    return one_line(str(title_for(paper)))


@lru_cache(maxsize=_TITLES_KEPT)
def _claim(paper: Paper) -> str:
    return shortened(as_text(excerpt(converted(shown_abstract(paper)))), _INBOX_LENGTH)


def expected(outlook: Outlook, names: Mapping[str, str]) -> str:
    """What a first digest says about the next ones."""
    brings = f"Your keywords bring {_a_day(outlook.papers_a_day)}"
    if outlook.busiest:
        brings += f", {names.get(outlook.busiest, outlook.busiest)} alone {_rate(outlook.busiest_a_day)}"
    narrower = [
        f"{shortened(keyword, NAME_LENGTH)} ({_rate(rate)} a day)" for keyword, rate in outlook.narrower
    ]
    return f"{brings}." + (f" Narrower keywords are: {'; '.join(narrower)}." if narrower else "")


def _a_day(rate: int) -> str:
    if rate == 0:
        return "less than one paper in two days"
    return "about 1 paper a day" if rate == 1 else f"about {rate} papers a day"


def _rate(rate: int) -> str:
    return str(rate) if rate else "less than 1"


def headline(papers: int, revisions: int) -> str:
    """For example `7 new papers`, or without new papers `2 new versions of papers you had`."""
    if revisions and not papers:
        return (
            "1 new version of a paper you had"
            if revisions == 1
            else f"{revisions} new versions of papers you had"
        )
    return f"{papers} new paper{'' if papers == 1 else 's'}"


def subject_line(digest: Digest, counts: Sequence[KeywordCount], papers: Sequence[Paper]) -> str:
    """Up to three papers by their titles, more by date and counts; at most 120 characters.

    `papers` are those of the digest as the mail orders them, or if it has none, its new versions.
    For example `1 July: 61 papers: graph neural network 3, compiler 11, reinforcement learning 47`.
    """
    if papers and len(papers) <= _TITLES_IN_SUBJECT:
        start = "" if digest.entries else "New version: " if len(papers) == 1 else "New versions: "
        share = (_SUBJECT_LENGTH - len(start) - len(" · ") * (len(papers) - 1)) // len(papers)
        return start + " · ".join(shortened(_title(paper), share) for paper in papers)
    start = f"{short_date(digest.dated_on)}: "
    if not digest.entries:
        return start + headline(0, len(papers))
    start += f"{len(papers)} papers"
    return start + _counted(counts, _SUBJECT_LENGTH - len(start))


def _counted(counts: Sequence[KeywordCount], room: int) -> str:
    """`: one 3, two 47 and 4 more`, as many as have room."""
    names = [f"{count.name} {count.papers}" for count in counts]
    if not names:
        return ""
    line = f": {names[0]}"
    for place, name in enumerate(names[1:], start=1):
        if len(line) + len(name) + len(", and 999 more") > room:
            return shortened(line, room - len(" and 999 more")) + f" and {len(names) - place} more"
        line += f", {name}"
    return shortened(line, room)

"""What keywords bring, as a page shows it: what each finds, mistakes in place, and all of them together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import urlencode

from digest.config.parsing import counted
from digest.errors import QueryError
from digest.keywords.broad_terms import cautions, is_vague
from digest.keywords.query import Query, parse
from digest.keywords.spelling import OtherSpelling
from digest.pipeline.keyword_report import BROAD
from digest.web.charts import Chart, Series, bar_chart
from digest.web.preview_findings import Findings

MOST_KEYWORDS = 20
"""The most keywords of one preview; the others are left out."""

_ANNOUNCEMENTS_A_WEEK = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A keyword that cannot be used: its text `before` the mistake, the `marked` part, and the rest."""

    before: str
    marked: str
    after: str
    expected: str
    hint: str | None
    remedies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """arXiv must be asked first: in about so many `minutes`; `None`: too many others wait.

    `is_failing`: arXiv did not answer the last time.
    """

    minutes: int | None
    is_failing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """One keyword as it was written, with exactly one of `mistake`, `waiting` and `findings`.

    `is_vague`: it may find any number of papers. `notes` say what else to know of it.
    `chart` draws its papers a day.
    """

    text: str
    mistake: Mistake | None = None
    waiting: Waiting | None = None
    is_vague: bool = False
    findings: Findings | None = None
    is_broad: bool = False
    notes: tuple[str, ...] = ()

    def chart(self, key: str) -> Chart | None:
        return _chart(key, self.findings.days, self.findings.by_day) if self.findings else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """All keywords of a form. `a_day`: papers a day of those whose findings are known, together.

    `most` is the number of papers a day that the operator allows. `left_out` keywords are not looked at.
    """

    keywords: tuple[Previewed, ...]
    days: tuple[date, ...]
    by_day: tuple[int, ...]
    a_day: float
    most: int
    left_out: int = 0

    @property
    def is_over(self) -> bool:
        return self.a_day > self.most

    @property
    def minutes_to_wait(self) -> int:
        """How long until arXiv has answered for each vague keyword; 0 if it has, or if this is not known."""
        waits = (one.waiting for one in self.keywords if one.is_vague and one.waiting)
        return max((one.minutes or 0 for one in waits if not one.is_failing), default=0)

    @property
    def excess(self) -> str:
        """What to say where `is_over` forbids to go on."""
        return f"Together they find more than {self.most} papers a day. Make them narrower."

    @property
    def known(self) -> int:
        return sum(1 for one in self.keywords if one.findings)

    @property
    def chart(self) -> Chart | None:
        return _chart("together", self.days, self.by_day)

    @property
    def said(self) -> str:
        """All in one sentence, for screen readers."""
        parts = [f"{rate(self.a_day)} together"] if self.known else []
        counts = {
            "with a mistake": sum(1 for one in self.keywords if one.mistake),
            "too broad": sum(1 for one in self.keywords if one.is_broad),
            "not known yet": sum(1 for one in self.keywords if one.waiting),
        }
        parts += [f"{counted(count, 'keyword')} {what}" for what, count in counts.items() if count]
        return f"Preview: {', '.join(parts) or 'no keywords'}."

    @property
    def is_waiting(self) -> bool:
        return any(one.waiting for one in self.keywords)


@dataclass(slots=True, kw_only=True)
class Parsed:
    """The keywords of a form, each once: a query or a mistake for each text."""

    queries: dict[str, Query] = field(default_factory=dict)
    mistakes: dict[str, Mistake] = field(default_factory=dict)
    left_out: int = 0


def parsed(texts: Sequence[str]) -> Parsed:
    """Keywords with the same meaning count as one: the first stands for all."""
    found, keys = Parsed(), set[str]()
    for text in texts:
        if len(found.queries) + len(found.mistakes) >= MOST_KEYWORDS:
            found.left_out += 1
            continue
        try:
            query = parse(text)
        except QueryError as error:
            found.mistakes[text] = mistake_of(error)
        else:
            if query.key not in keys:
                found.queries[text] = query
                keys.add(query.key)
    return found


def mistake_of(error: QueryError) -> Mistake:
    """The mistake with the word at its place; at the end of the text, with the word before it."""
    start = error.position
    if not error.text[start:].strip():
        start = error.text.rstrip().rfind(" ") + 1
    end = start + len(error.text[start:].partition(" ")[0])
    return Mistake(
        before=error.text[:start],
        marked=error.text[start:end],
        after=error.text[end:],
        expected=error.expected,
        hint=error.hint,
        remedies=error.remedies,
    )


def preview_of(
    keywords: Parsed,
    findings: Mapping[str, Findings],
    waiting: Mapping[str, Waiting],
    *,
    texts: Sequence[str],
    most: int,
) -> Preview:
    """The preview of `texts`; findings and waits are by query key."""
    shown = [
        _previewed(text, keywords, findings, waiting, most=most)
        for text in dict.fromkeys(texts)
        if text in keywords.queries or text in keywords.mistakes
    ]
    known = [one.findings for one in shown if one.findings]
    days = _common_days(known)
    by_day = _by_day(known, days)
    estimated = sum(one.a_day for one in known if one.is_estimate)
    a_day = (sum(by_day) / len(days) if days else 0.0) + estimated
    return Preview(
        keywords=tuple(shown), days=days, by_day=by_day, a_day=a_day, most=most, left_out=keywords.left_out
    )


def _common_days(known: Sequence[Findings]) -> tuple[date, ...]:
    exact = [one for one in known if not one.is_estimate]
    if not exact:
        return ()
    common = set(exact[0].days).intersection(*(one.days for one in exact))
    return tuple(sorted(common))


def _by_day(known: Sequence[Findings], days: Sequence[date]) -> tuple[int, ...]:
    """Each paper once, whichever keywords find it."""
    papers: dict[date, set[str]] = defaultdict(set)
    for one in known:
        if not one.is_estimate:
            for paper_id, day in one.announced.items():
                papers[day].add(paper_id)
    return tuple(len(papers[day]) for day in days)


def _previewed(
    text: str,
    keywords: Parsed,
    findings: Mapping[str, Findings],
    waiting: Mapping[str, Waiting],
    *,
    most: int,
) -> Previewed:
    if text in keywords.mistakes:
        return Previewed(text=text, mistake=keywords.mistakes[text])
    query = keywords.queries[text]
    found = findings.get(query.key)
    return Previewed(
        text=text,
        waiting=None if found else waiting[query.key],
        is_vague=is_vague(query),
        findings=found,
        is_broad=found is not None and found.a_day > min(BROAD, most),
        notes=(*cautions(query), *(_spelt(one) for one in (found.spellings if found else ()))),
    )


def _spelt(one: OtherSpelling) -> str:
    verb = "paper writes" if one.papers == 1 else "papers write"
    return f'{one.papers} {verb} "{one.written}", which this keyword does not find; use {one.keyword}'


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewBox:
    """The part of a form that shows a preview, if there is one yet; the script renews it from `url`.

    `again` is the address of this preview by itself. The form is sent to `action` when a suggestion is taken;
    it is empty if there is no form.
    """

    url: str
    script: str
    again: str
    action: str
    preview: Preview | None


def preview_box(
    base_url: str,
    path: str,
    texts: Sequence[str] = (),
    preview: Preview | None = None,
    *,
    action: str | None = None,
) -> PreviewBox:
    """The box of a form whose previews are at `path`."""
    url = f"{base_url}{path}"
    return PreviewBox(
        url=url,
        script=f"{base_url}/preview.js",
        again=preview_url(url, texts),
        action=url if action is None else action,
        preview=preview,
    )


def preview_url(address: str, texts: Sequence[str]) -> str:
    """Where the preview of these keywords is by itself."""
    return f"{address}?{urlencode([('k', text) for text in texts])}"


def rate(a_day: float) -> str:
    """How many papers a day, or for few of them a week, rounded as far as it says something."""
    if not a_day:
        return "no papers"
    if a_day >= 10:
        return f"{a_day:,.0f} papers a day"
    if a_day >= 1:
        return f"{a_day:.1f} papers a day"
    a_week = round(a_day * _ANNOUNCEMENTS_A_WEEK)
    return f"{counted(a_week, 'paper')} a week" if a_week else "less than 1 paper a week"


def _chart(key: str, days: Sequence[date], by_day: Sequence[int]) -> Chart | None:
    if not days:
        return None
    return bar_chart(key, "Papers a day", days, [Series(name="Papers", numbers=tuple(by_day))])

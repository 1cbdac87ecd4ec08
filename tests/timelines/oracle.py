"""Who was to get what, by what arXiv announced and what subscribers followed, not by what the product
decided.
"""

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from digest.subscribers.subscriber import Subscriber
from tests.timelines.arxiv import DAY, SHOWN_WITHIN, UNWANTED, Edition, Item
from tests.timelines.life import Posted, Record

_WELCOME_PAPERS = 10
"""So many papers of the time before a keyword was followed its first digest brings, as the README says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A keyword that a subscriber followed from `since` until `until`, as enrolments took note of it.

    `is_certain`: no older state that was put back has another memory of it.
    """

    keyword: str
    since: datetime
    until: datetime
    is_certain: bool = True

    def finds(self, edition: Edition) -> bool:
        """What the keyword means: operators are few and there is no bracket."""
        parts = self.keyword.split()
        found = parts[0] in edition.words
        for operator, word in zip(parts[1::2], parts[2::2], strict=True):
            found = (found and word in edition.words) if operator == "AND" else found or word in edition.words
        return found


Reports = list[tuple[datetime, Subscriber | None]]


class Judge:
    """Holds a record against its timeline."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.world = record.timeline.world()
        self.ended_at = record.timeline.ended_at
        self.followed = {email: self._followed(history) for email, history in record.subscribers.items()}
        self.posted: defaultdict[str, list[Posted]] = defaultdict(list)
        for mail in record.posted:
            self.posted[mail.email].append(mail)

    def _followed(self, history: Reports) -> list[Followed]:
        far = self.ended_at + 1_000 * DAY
        found: list[Followed] = []
        since: dict[str, datetime] = {}
        for at, one in [*history, (far, None)]:
            keywords = {keyword.text for keyword in one.keywords} if one else set()
            ended = since.keys() - keywords
            found += [Followed(keyword=text, since=since.pop(text), until=at) for text in ended]
            for text in keywords - since.keys():
                since[text] = at
        for copied_at, restored_at in self.record.restored:
            found = [one for some in found for one in _forgotten(some, copied_at, restored_at)]
        return found

    # Twice.

    def twice(self) -> list[str]:
        """Papers that came again, unless an older state had been put back since they came."""
        wrong: list[str] = []
        for email, mails in self.posted.items():
            came: dict[str, datetime] = {}
            for mail in mails:
                if len(mail.papers) != len(set(mail.papers)):
                    wrong.append(f"{email}: one mail has a paper twice: {mail.papers}")
                for paper in mail.papers:
                    before = came.get(paper)
                    if before is not None and not self._is_forgotten(before, mail.at):
                        wrong.append(f"{email}: {paper} came at {before:%F %R} and {mail.at:%F %R}")
                    came[paper] = mail.at
        return wrong

    def _is_forgotten(self, before: datetime, after: datetime) -> bool:
        return any(copied <= before <= restored <= after for copied, restored in self.record.restored)

    def _is_from_the_start(self, at: datetime) -> bool:
        """Whether a copy from before the first fetch was put back: it cannot tell what came since then."""
        first = min(self.record.good, default=at)
        return any(copied <= first and restored <= at for copied, restored in self.record.restored)

    # Too much.

    def unasked(self) -> list[str]:
        """Papers that nobody asked for, or that were old when they did, beyond the first digest's newest."""
        wrong: list[str] = []
        for email, mails in self.posted.items():
            for mail in mails:
                welcomed: dict[Followed, set[str]] = defaultdict(set)
                for paper in mail.papers:
                    item = self.world.by_id[paper]
                    asking = [one for one in self.followed[email] if self._may_find(one, item, mail.at)]
                    if any(self._is_news(email, one, item, mail.at) for one in asking):
                        continue
                    fresh = [one for one in asking if self._is_welcome(one, item, mail, mails)]
                    if not fresh:
                        wrong.append(f"{email}: {paper} of {item.announced_at:%F %R} at {mail.at:%F %R}")
                    if len(fresh) == 1:
                        welcomed[fresh[0]].add(paper)
                for one, papers in welcomed.items():
                    is_many = len(papers) > _WELCOME_PAPERS and not self._began_in_doubt(one)
                    if is_many and not self._is_from_the_start(mail.at):
                        wrong.append(f"{email}: {len(papers)} old papers of {one.keyword} at {mail.at:%F}")
        return wrong

    def _began_in_doubt(self, one: Followed) -> bool:
        """Where arXiv had nothing at first, what it has then is news."""
        good = next((moment for moment in self.record.good if moment >= one.since), self.ended_at)
        return any(one.since <= moment < good for moment in self.record.doubtful)

    @staticmethod
    def _may_find(one: Followed, item: Item, at: datetime) -> bool:
        return one.since <= at and any(one.finds(edition) and edition.at <= at for edition in item.editions)

    def _let_through_at(self, email: str, editions: list[Edition], at: datetime) -> datetime | None:
        """When a text came that a filter of the subscriber let through which had refused the one before."""
        ways = [way for _, way in self.record.subscribers[email] if way is not None]
        turns = [
            after.at
            for before, after in pairwise(editions)
            if after.at <= at
            and any(not _lets_through(way, before) and _lets_through(way, after) for way in ways)
        ]
        return max(turns, default=None)

    def _is_news(self, email: str, one: Followed, item: Item, at: datetime) -> bool:
        """Announced, found or let through first when the subscriber followed it: since arXiv was last
        seen.
        """
        seen = max((good for good in self.record.good if good < one.since), default=None)
        finding = [edition for edition in item.editions if one.finds(edition)]
        first = self._let_through_at(email, finding, at) or finding[0].at
        # What a first fetch soon after an announcement did not show yet is news to the next one.
        seen = seen or next((good for good in self.record.good if good >= one.since), self.ended_at)
        horizon = min(one.since, seen - SHOWN_WITHIN)
        # A state that was put back does not know whether the keyword was followed since it was copied.
        horizon = min(
            [horizon, *(self._seen_in_copy(copied) for copied, back in self.record.restored if back <= at)]
        )
        # The search for a new keyword does not reach back to papers that were held back for longer.
        lookback = min(self.record.lookbacks)
        if item.submitted_at < one.since - lookback < item.announced_at:
            horizon = one.since - lookback
        return first <= at and first >= horizon and item.submitted_at > one.since - 80 * DAY

    def _seen_in_copy(self, copied_at: datetime) -> datetime:
        return max((good for good in self.record.good if good < copied_at), default=copied_at) - SHOWN_WITHIN

    def _is_welcome(self, one: Followed, item: Item, mail: Posted, mails: list[Posted]) -> bool:
        """In the first digest since the keyword was fetched, and of the look-back."""
        if self._began_in_doubt(one):
            return True
        fetched = next((good for good in self.record.good if good >= one.since), None)
        is_first = fetched is None or not any(
            fetched < other.composed_at < mail.composed_at and not self._is_forgotten(other.at, mail.at)
            for other in mails
        )
        # As the clock reckons it, which may be wrong.
        slack = 400 * DAY if self.record.shifted else timedelta(0)
        return is_first and item.submitted_at >= one.since - max(self.record.lookbacks) - slack

    # Too little.

    def due(self, email: str) -> Set[str]:
        """What the subscriber must have got by the end."""
        return {item.id for item in self.world.items if self._is_due(email, item)}

    def lost(self) -> list[str]:
        came = {
            email: {paper for mail in mails for paper in mail.papers} for email, mails in self.posted.items()
        }
        return [
            f"{email}: {paper} of {self.world.by_id[paper].announced_at:%a %F %R}"
            for email in self.record.subscribers
            for paper in sorted(self.due(email) - came.get(email, set()))
        ]

    def _is_due(self, email: str, item: Item) -> bool:
        at, history = item.announced_at, self.record.subscribers[email]
        if at + SHOWN_WITHIN > self.ended_at or item.submitted_at < at - 75 * DAY or history[-1][1] is None:
            return False
        # As the subscriber was from then on, and as they were then.
        before = [one for moment, one in history if moment <= at][-1:]
        ways = [*before, *(one for moment, one in history if moment > at)]
        for copied_at, restored_at in self.record.restored:
            if restored_at > at:
                ways += [one for moment, one in history if moment <= copied_at][-1:]
        there = [one for one in ways if one is not None]
        finding = [one for one in self.followed[email] if self._finds_in_time(one, item)]
        finding = [one for one in finding if not any(_is_muted(one.keyword, way) for way in there)]
        if not finding:
            return False
        if all(_lets_through(way, edition) for way in there for edition in item.editions):
            first = item.editions[0]
            others = [one for one in self.followed[email] if one not in finding]
            return any(one.finds(first) for one in finding) or not any(
                one.finds(edition) for one in others for edition in item.editions
            )
        return self._is_let_through_late(there, finding, item)

    def _finds_in_time(self, one: Followed, item: Item) -> bool:
        """Whether it was followed and fetched before, and fetched again with a text that it finds."""
        at, good = item.announced_at, self.record.good
        if not one.is_certain or not any(one.since <= moment < at for moment in good):
            return False
        ends = [*(edition.at for edition in item.editions[1:]), one.until]
        return any(
            one.finds(edition)
            and edition.at + SHOWN_WITHIN <= self.ended_at
            and any(edition.at + SHOWN_WITHIN <= moment < min(one.until, end) for moment in good)
            for edition, end in zip(item.editions, ends, strict=True)
        )

    def _is_let_through_late(self, there: list[Subscriber], finding: list[Followed], item: Item) -> bool:
        """Refused at first by filters that did not change, and not any more by the end."""
        if len({way.filters for way in there}) > 1 or self.record.shifted or self.record.restored:
            return False
        passes = [_lets_through(there[0], edition) for edition in item.editions]
        turn = passes.index(True) if True in passes else len(passes)
        if passes != [False] * turn + [True] * (len(passes) - turn) or turn in {0, len(passes)}:
            return False
        late = item.editions[turn]
        is_seen = any(item.announced_at + SHOWN_WITHIN <= good < late.at for good in self.record.good)
        return (
            is_seen
            and late.at + SHOWN_WITHIN <= self.ended_at
            and any(one.until > self.ended_at + 100 * DAY and one.finds(item.editions[0]) for one in finding)
        )


def _forgotten(one: Followed, copied_at: datetime, restored_at: datetime) -> list[Followed]:
    """What becomes of it where a state of `copied_at` is put back at `restored_at`."""
    if one.since > restored_at or one.until <= copied_at:
        return [one]
    if one.since <= copied_at and one.until > restored_at:
        return [one]
    parts = [replace(one, until=min(one.until, restored_at), is_certain=False)]
    if one.until > restored_at:
        parts.append(replace(one, since=restored_at))
    return parts


def _is_muted(keyword: str, way: Subscriber) -> bool:
    return any(one.text == keyword and one.query.key in way.muted for one in way.keywords)


def _lets_through(way: Subscriber, edition: Edition) -> bool:
    wanted = way.filters.categories
    is_inside = not wanted or any(code in wanted for code in edition.categories)
    return is_inside and not (way.filters.exclude and UNWANTED in edition.words)

"""The digests that were written down, and what became of them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from secrets import token_hex
from typing import Any

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.model.digest import Digest, Entry, Revision
from digest.storage.sqlite.codec import moment_of, text_of
from digest.storage.sqlite.renaming import Renaming
from digest.storage.tokens import Kind, seal, subscriber_links
from digest.storage.values import DeliveryResult, Mailing, MailingState, News, Pages, Served

MAILING_COLUMNS = (
    "number, subscriber, token, attempts, email, name, planned_at, dated_on, is_first, keywords, entries,"
    " revisions, (SELECT links FROM subscriber WHERE subscriber.number = mailing.subscriber)"
)

_TOKEN_BYTES = 12
"""A token names the mailing to the world: at random, so that no two mailings ever have the same one.

Its number is no name: a state that was restored gives the numbers of lost mailings to new ones
(docs/decisions/restored-state.md).
"""

_KEPT = timedelta(days=90)
_PRUNED_AT_ONCE = 10_000
"""Several days of most installations, and half a second of writing."""


class Outbox(Renaming):
    """The part of the store from the moment a digest is written down.

    A mailing's `due_at` is when it is to be tried, and while it is claimed the end of the lease; it is NULL
    when the mailing has come to its end. One that `may_have_arrived` is never merged into another.
    """

    def news(self, email: str, *, backlog_since: datetime) -> News:
        with self._snapshot():
            news = super().news(email, backlog_since=backlog_since)
            rows = self._rows(
                f"""
                SELECT {MAILING_COLUMNS}
                FROM mailing
                WHERE subscriber = (SELECT number FROM subscriber WHERE address = ?)
                    AND due_at IS NOT NULL AND state IN ('pending', 'deferred') AND NOT may_have_arrived
                ORDER BY number
                """,  # noqa: S608 (written here)
                [address_key(email)],
            )
            return replace(news, undelivered=tuple(map(self._mailing, rows)))

    def enqueue(self, served: Sequence[Served]) -> int:
        with self._transaction() as db:
            written = 0
            for one in served:
                if self._merge(db, one.merges):
                    if one.digest is not None:
                        self._write_down(db, one.digest, one)
                        written += 1
                    self._close_slot(db, one)
            return written

    @staticmethod
    def _merge(db: Database, numbers: Sequence[int]) -> bool:
        """Ends these mailings, unless one of them is on its way by now."""
        if not numbers:
            return True
        chosen = json.dumps(numbers)
        (free,) = db.execute(
            """
            SELECT count(*) FROM mailing
            WHERE number IN (SELECT value FROM json_each(?))
                AND state IN ('pending', 'deferred') AND NOT may_have_arrived
            """,
            [chosen],
        ).fetchone()
        if free == len(numbers):
            db.execute(
                "UPDATE mailing SET state = 'merged', due_at = NULL"
                " WHERE number IN (SELECT value FROM json_each(?))",
                [chosen],
            )
        return bool(free == len(numbers))

    def _write_down(self, db: Database, digest: Digest, served: Served) -> None:
        """What stood in the way of those that it merges stands in its way."""
        place = {text: place for place, text in enumerate(digest.keywords)}
        entries = [
            [self._edition_number(entry.paper), [place[text] for text in entry.keywords]]
            for entry in digest.entries
        ]
        revisions = [
            [self._edition_number(revision.paper), revision.from_version] for revision in digest.revisions
        ]
        number, cursor = db.execute(
            "SELECT number, cursor FROM subscriber WHERE address = ?", [address_key(digest.email)]
        ).fetchone()
        mailing = self._one("SELECT coalesce(max(number), 0) + 1 FROM mailing")
        db.execute(
            """
            INSERT INTO mailing (number, subscriber, token, email, name, planned_at, dated_on, is_first,
                keywords, entries, revisions, first_hit, last_hit, state, due_at, reply, is_blocked)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?,
                (SELECT reply FROM mailing WHERE number = ?),
                coalesce((SELECT is_blocked FROM mailing WHERE number = ?), 0))
            """,
            [
                mailing,
                number,
                token_hex(_TOKEN_BYTES),
                digest.email,
                digest.name,
                text_of(digest.planned_at),
                digest.dated_on.isoformat(),
                digest.is_first,
                json.dumps(digest.keywords, ensure_ascii=False),
                json.dumps(entries),
                json.dumps(revisions),
                cursor + 1,
                served.frontier.hit if served.frontier else cursor,
                text_of(digest.planned_at),
                *[served.merges[-1] if served.merges else None] * 2,
            ],
        )
        db.execute(
            "UPDATE subscriber SET last_digest_at = ? WHERE number = ?", [text_of(digest.planned_at), number]
        )

    def reclaim(self, *, now: datetime, latest: datetime) -> int:
        with self._transaction() as db:
            taken = db.execute(
                "UPDATE mailing SET state = 'unknown', may_have_arrived = 1, due_at = ?"
                " WHERE state = 'sending' AND due_at IS NOT NULL",  # so the index of what is open is used
                [text_of(now)],
            ).rowcount
            db.execute("UPDATE mailing SET due_at = ? WHERE due_at > ?", [text_of(now), text_of(latest)])
            return int(taken)

    def retry_now(self, *, now: datetime) -> None:
        with self._transaction() as db:
            db.execute(
                "UPDATE mailing SET due_at = ?1 WHERE due_at > ?1 AND state IN ('unknown', 'deferred')",
                [text_of(now)],
            )

    def claim(self, *, now: datetime, until: datetime, limit: int) -> tuple[Mailing, ...]:
        with self._transaction() as db:
            while self._withhold(db, now, limit) or self._put_off(db, now, limit):
                pass
            rows = db.execute(
                f"""
                SELECT {MAILING_COLUMNS}
                FROM mailing WHERE due_at <= ? ORDER BY due_at, number LIMIT ?
                """,  # noqa: S608 (written here)
                [text_of(now), limit],
            ).fetchall()
            # Whoever let a lease run out may have sent the mail.
            db.conn.executemany(
                """
                UPDATE mailing
                SET may_have_arrived = max(may_have_arrived, state = 'sending'), state = 'sending', due_at = ?
                WHERE number = ?
                """,
                ((text_of(until), row[0]) for row in rows),
            )
            return tuple(map(self._mailing, rows))

    @staticmethod
    def _withhold(db: Database, now: datetime, limit: int) -> bool:
        """Ends those of the next mailings whose subscriber was suppressed, or left, while they were sent."""
        withheld = db.execute(
            """
            UPDATE mailing
            SET may_have_arrived = max(may_have_arrived, state = 'sending'), due_at = NULL,
                state = CASE WHEN is_enrolled THEN 'suppressed' ELSE 'failed' END
            FROM subscriber
            WHERE mailing.number IN (
                    SELECT number FROM mailing WHERE due_at <= ? ORDER BY due_at, number LIMIT ?
                )
                AND subscriber.number = mailing.subscriber
                AND (NOT is_enrolled OR address IN (SELECT address FROM suppression))
            """,
            [text_of(now), limit],
        )
        return withheld.rowcount > 0

    def renew(self, numbers: Sequence[int], *, until: datetime) -> None:
        with self._transaction() as db:
            db.conn.executemany(
                "UPDATE mailing SET due_at = ? WHERE number = ? AND state = 'sending'",
                ((text_of(until), number) for number in numbers),
            )

    def _mailing(self, row: Sequence[Any]) -> Mailing:
        number, subscriber, token, attempts, email, name, planned_at, dated_on, is_first, *lists, links = row
        texts, placed, revised = map(json.loads, lists)
        papers = self._papers({edition for edition, _ in (*placed, *revised)})
        digest = Digest(
            email=email,
            name=name,
            planned_at=moment_of(planned_at),
            dated_on=date.fromisoformat(dated_on),
            keywords=tuple(texts),
            entries=tuple(
                [
                    Entry(papers[edition], tuple([texts[place] for place in places]))
                    for edition, places in placed
                ]
            ),
            is_first=bool(is_first),
            revisions=tuple(
                Revision(paper=papers[edition], from_version=version) for edition, version in revised
            ),
        )
        secret, about = self._secret, subscriber_links(address_key(email), links)
        pages = Pages(
            leave=seal(secret, Kind.LEAVING, subscriber, about),
            subscriber=seal(secret, Kind.SUBSCRIBER, subscriber, about),
            digest=seal(secret, Kind.DIGEST, number, token),
        )
        return Mailing(number=number, token=token, attempts=attempts, digest=digest, pages=pages)

    def record_results(self, conclusions: Sequence[DeliveryResult], *, now: datetime) -> None:
        with self._transaction() as db:
            db.conn.executemany(
                """
                UPDATE mailing
                SET state = ?1, reply = ?2, is_blocked = 0, concluded_at = ?3, attempts = attempts + 1,
                    due_at = ?4,
                    may_have_arrived = max(may_have_arrived, ?1 = 'unknown')
                WHERE number = ?5 AND (state = 'sending' OR ?1 = 'sent')
                """,
                (
                    (one.state.value, one.reply, text_of(now), one.due_at and text_of(one.due_at), one.number)
                    for one in conclusions
                ),
            )
            self._keep_doubts(db, conclusions, now)
            for one in conclusions:
                if one.state is MailingState.SUPPRESSED:
                    email = self._one("SELECT email FROM mailing WHERE number = ?", [one.number])
                    self._suppress(db, email, one.reply, now)

    def _keep_doubts(self, db: Database, conclusions: Sequence[DeliveryResult], now: datetime) -> None:
        """Of an address that a server takes mail for there is no doubt any more, nor of a suppressed one."""
        doubted = [one.number for one in conclusions if one.is_doubted]
        settled = {MailingState.SENT, MailingState.SUPPRESSED}
        others = [one.number for one in conclusions if one.state in settled]
        if others and self._one("SELECT count(*) FROM doubt"):
            db.conn.executemany("DELETE FROM doubt WHERE address = ?", self._addresses(db, others))
        if doubted:
            self._note_doubts(db, [address for (address,) in self._addresses(db, doubted)], now)

    @staticmethod
    def _addresses(db: Database, numbers: Sequence[int]) -> list[tuple[str]]:
        rows = db.execute(
            "SELECT address FROM subscriber JOIN mailing ON mailing.subscriber = subscriber.number"
            " WHERE mailing.number IN (SELECT value FROM json_each(?))",
            [json.dumps(numbers)],
        )
        return list(rows.fetchall())

    def accepted_since(self, moment: datetime) -> int:
        return int(
            self._one(
                "SELECT count(*) FROM mailing WHERE concluded_at >= ? AND state = 'sent'", [text_of(moment)]
            )
        )

    def record_of(self, domain: str, *, since: datetime) -> tuple[int, int]:
        tail = f"@{domain}"
        accepted, last_at = self._rows(
            """
            SELECT count(*) FILTER (WHERE concluded_at >= ?1), max(concluded_at)
            FROM mailing JOIN subscriber ON subscriber.number = mailing.subscriber
            WHERE state = 'sent' AND substr(address, -length(?2)) = ?2
            """,
            [text_of(since), tail],
        )[0]
        dead = self._one(
            "SELECT count(*) FROM suppression WHERE substr(address, -length(?1)) = ?1 AND since_at >= ?2",
            [tail, min(last_at or "", text_of(since))],
        )
        return int(accepted), int(dead)

    def release(self, numbers: Sequence[int], *, now: datetime, reply: str | None = None) -> None:
        with self._transaction() as db:
            db.conn.executemany(
                """
                UPDATE mailing
                SET due_at = ?1, reply = coalesce(?2, reply), is_blocked = iif(?2 IS NULL, is_blocked, 1),
                    state = CASE
                        WHEN may_have_arrived THEN 'unknown' WHEN attempts THEN 'deferred' ELSE 'pending' END
                WHERE number = ?3 AND state = 'sending'
                """,
                ((text_of(now), reply, number) for number in numbers),
            )

    def prune(self, *, now: datetime) -> int:
        # The last one stays whatever it is: mailings are numbered from it, and named by their numbers.
        with self._transaction() as db:
            # By the newest paper, even if the clock is far ahead of arXiv's: they tell what a subscriber had.
            newest = self._one("SELECT max(submitted_at) FROM edition")
            now = min(now, moment_of(newest)) if newest else now
            pruned = db.execute(
                """
                DELETE FROM mailing WHERE number IN (
                    SELECT mailing.number
                    FROM mailing JOIN subscriber ON subscriber.number = mailing.subscriber
                    WHERE planned_at < ? AND state IN ('sent', 'merged', 'failed') AND revision_cursor IS NULL
                        AND mailing.number < (SELECT max(number) FROM mailing)
                    LIMIT ?
                )
                """,
                [text_of(now - _KEPT), _PRUNED_AT_ONCE],
            )
            return int(pruned.rowcount)

    def waiting(self) -> int:
        return int(
            self._one(
                """
                SELECT count(*) FROM mailing LEFT JOIN preference USING (subscriber)
                WHERE due_at IS NOT NULL
                    AND (paused_until IS NULL OR due_at <> paused_until || 'T12:00:00+00:00')
                """
            )
        )

    def next_due_at(self) -> datetime | None:
        due_at = self._one("SELECT min(due_at) FROM mailing WHERE due_at IS NOT NULL")
        return due_at and moment_of(due_at)

    def sent_since(self, moment: datetime) -> int:
        return int(
            self._one(
                "SELECT count(*) FROM mailing WHERE concluded_at >= ? AND attempts > 0", [text_of(moment)]
            )
        )

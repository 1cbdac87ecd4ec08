"""The content of the web pages. Each page is identified by a token."""

from collections.abc import Iterable, Mapping
from hmac import compare_digest

from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.storage.limits import DIGESTS_LISTED, PAPERS_SHOWN
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Editions, Part
from digest.storage.sqlite.mailings import MAILING_COLUMNS, read_mailing, read_mailings
from digest.storage.sqlite.preferences import row_named_by, subscriber_of
from digest.storage.sqlite.row_mapping import moment_of
from digest.storage.tokens import Kind, is_seal, number_in, seal
from digest.storage.values import KeywordPage, Mailing

_PAST_KEPT = 1_000


class WebPages(Part):
    """The part of the store for web pages."""

    def __init__(self, connection: Connection, editions: Editions) -> None:
        self._past: dict[int, tuple[int, list[tuple[int, int]]]] = {}
        super().__init__(connection, editions)

    def keyword_tokens(self, keys: Mapping[str, str], *, make: bool = True) -> Mapping[str, str]:
        numbers = self._wordings(keys)
        if make and (missing := {text: key for text, key in keys.items() if text not in numbers}):
            with self._connection.transaction() as db:
                db.conn.executemany(
                    "INSERT OR IGNORE INTO wording (text, query) SELECT ?, number FROM query WHERE key = ?",
                    missing.items(),
                )
            numbers = {**numbers, **self._wordings(missing)}
        return {
            text: seal(self._connection.secret, Kind.KEYWORD, number, text)
            for text, number in numbers.items()
        }

    def _wordings(self, texts: Iterable[str]) -> Mapping[str, int]:
        found = {
            text: self._connection.rows("SELECT number FROM wording WHERE text = ?", [text]) for text in texts
        }
        return {text: rows[0][0] for text, rows in found.items() if rows}

    def keyword_page(self, token: str) -> KeywordPage | None:
        found = row_named_by(self._connection, token, Kind.KEYWORD, "SELECT text, query FROM wording")
        if found is None:
            return None
        text, query = found
        ((covered_at, newest_past_hit),) = self._connection.rows(
            "SELECT covered_at, newest_past_hit FROM query WHERE number = ?", [query]
        )
        editions = self._newest_editions(query, newest_past_hit)
        papers = self._editions.read(editions)
        return KeywordPage(
            keyword=text,
            papers=tuple(papers[edition] for edition in editions),
            covered_at=covered_at and moment_of(covered_at),
        )

    def _newest_editions(self, query: int, newest_past_hit: int | None) -> list[int]:
        """Returns the editions seen last. `newest_papers` is slower: it reads all of a query."""
        hits = self._connection.rows(
            "SELECT number, edition FROM hit WHERE query = ? ORDER BY number DESC LIMIT ?",
            [query, PAPERS_SHOWN],
        )
        if newest_past_hit is not None and len(hits) < PAPERS_SHOWN:
            hits = sorted([*hits, *self._past_hits_of(query, newest_past_hit)], reverse=True)
        return [edition for _, edition in hits[:PAPERS_SHOWN]]

    def _past_hits_of(self, query: int, newest: int) -> list[tuple[int, int]]:
        """Returns the newest past hits of a query. Cached, since SQLite must read all past hits."""
        mark, found = self._past.get(query, (0, []))
        if mark != newest:
            found = self._connection.rows(
                "SELECT number, edition FROM past_hit WHERE query = ? ORDER BY number DESC LIMIT ?",
                [query, PAPERS_SHOWN],
            )
            if len(self._past) >= _PAST_KEPT:
                self._past.clear()
            self._past[query] = (newest, found)
        return found

    def digest_page(self, token: str) -> Digest | None:
        number = number_in(self._connection.secret, Kind.DIGEST, token)
        rows = self._connection.rows(f"SELECT {MAILING_COLUMNS} FROM mailing WHERE number = ?", [number])  # noqa: S608
        name = rows[0][2] if rows else ""
        if number is None or not is_seal(token, self._connection.secret, Kind.DIGEST, number, name):
            return None
        return read_mailing(rows[0], self._editions, self._connection.secret).digest

    def digest_to_judge(self, token: str) -> Digest | None:
        number = number_in(self._connection.secret, Kind.INTEREST, token)
        rows = self._connection.rows(
            f"SELECT {MAILING_COLUMNS},"  # noqa: S608 (written here)
            " (SELECT address FROM subscriber WHERE subscriber.number = mailing.subscriber)"
            " FROM mailing WHERE number = ?",
            [number],
        )
        for *row, address in rows:
            mailing = read_mailing(row, self._editions, self._connection.secret)
            is_theirs = address_key(mailing.digest.email) == address
            if mailing.pages and compare_digest(mailing.pages.interest, token) and is_theirs:
                return mailing.digest
        return None

    def digests_of(self, feed: str) -> tuple[Mailing, ...] | None:
        found = subscriber_of(self._connection, Kind.SUBSCRIBER_FEED, feed)
        if found is None:
            return None
        _, number, _ = found
        rows = self._connection.rows(
            f"SELECT {MAILING_COLUMNS} FROM mailing WHERE subscriber = ? AND state <> 'merged'"  # noqa: S608
            " ORDER BY number DESC LIMIT ?",
            [number, DIGESTS_LISTED],
        )
        return read_mailings(rows, self._editions, self._connection.secret)

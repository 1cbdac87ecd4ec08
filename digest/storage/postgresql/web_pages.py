"""The content of the web pages. Each page is identified by a token."""

from collections.abc import Iterable, Mapping
from hmac import compare_digest

from digest.config.parsing import address_key
from digest.model.digest import Digest
from digest.storage.limits import DIGESTS_LISTED, PAPERS_SHOWN
from digest.storage.postgresql.editions import Part
from digest.storage.postgresql.mailings import MAILING_COLUMNS, read_mailings
from digest.storage.postgresql.preferences import row_named_by, subscriber_of
from digest.storage.tokens import Kind, is_seal, number_in, seal
from digest.storage.values import KeywordPage, Mailing


class WebPages(Part):
    """The part of the store for web pages."""

    def keyword_tokens(self, keys: Mapping[str, str], *, make: bool = True) -> Mapping[str, str]:
        numbers = self._wordings(keys)
        if make and (missing := {text: key for text, key in keys.items() if text not in numbers}):
            with self._connection.transaction() as db:
                db.execute(
                    """
                    INSERT INTO wording (text, query)
                    SELECT given.text, query.number
                    FROM unnest(%s::text[], %s::text[]) AS given (text, key)
                    JOIN query ON query.key = given.key
                    ORDER BY given.text
                    ON CONFLICT DO NOTHING
                    """,
                    [list(missing), list(missing.values())],
                )
            numbers = {**numbers, **self._wordings(missing)}
        return {
            text: seal(self._connection.secret, Kind.KEYWORD, number, text)
            for text, number in numbers.items()
        }

    def _wordings(self, texts: Iterable[str]) -> Mapping[str, int]:
        wanted = list(texts)
        found = dict(self._connection.rows("SELECT text, number FROM wording WHERE text = ANY(%s)", [wanted]))
        return {text: found[text] for text in wanted if text in found}

    def keyword_page(self, token: str) -> KeywordPage | None:
        found = row_named_by(self._connection, token, Kind.KEYWORD, "SELECT text, query FROM wording")
        if found is None:
            return None
        text, query = found
        covered_at = self._connection.one("SELECT covered_at FROM query WHERE number = %s", [query])
        hits = self._connection.rows(
            "SELECT edition FROM hit WHERE query = %s ORDER BY number DESC LIMIT %s", [query, PAPERS_SHOWN]
        )
        papers = self._editions.read(edition for (edition,) in hits)
        return KeywordPage(
            keyword=text, papers=tuple(papers[edition] for (edition,) in hits), covered_at=covered_at
        )

    def digest_page(self, token: str) -> Digest | None:
        number = number_in(self._connection.secret, Kind.DIGEST, token)
        rows = self._connection.rows(f"SELECT {MAILING_COLUMNS} FROM mailing WHERE number = %s", [number])  # noqa: S608
        name = rows[0][2] if rows else ""
        if number is None or not is_seal(token, self._connection.secret, Kind.DIGEST, number, name):
            return None
        return read_mailings(rows, self._editions, self._connection.secret)[0].digest

    def digest_to_judge(self, token: str) -> Digest | None:
        number = number_in(self._connection.secret, Kind.INTEREST, token)
        rows = self._connection.rows(
            f"SELECT {MAILING_COLUMNS},"  # noqa: S608 (written here)
            " (SELECT address FROM subscriber WHERE subscriber.number = mailing.subscriber)"
            " FROM mailing WHERE number = %s",
            [number],
        )
        for *row, address in rows:
            (mailing,) = read_mailings([row], self._editions, self._connection.secret)
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
            f"SELECT {MAILING_COLUMNS} FROM mailing WHERE subscriber = %s AND state <> 'merged'"  # noqa: S608
            " ORDER BY number DESC LIMIT %s",
            [number, DIGESTS_LISTED],
        )
        return read_mailings(rows, self._editions, self._connection.secret)

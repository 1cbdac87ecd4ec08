"""The papers that the last fetch handled completely, so that the next one can skip them."""

from collections.abc import Iterable, Mapping

from digest.storage.fingerprints import hash_of_queries
from digest.storage.postgresql.editions import Part

_SIZE = 16


class FetchCache(Part):
    """The part of the store that lets a fetch skip papers of the last one, on any host."""

    def examined(self, query_keys: Iterable[str]) -> Mapping[bytes, bool]:
        rows = self._connection.rows(
            "SELECT matching, others FROM examined WHERE queries = %s", [hash_of_queries(query_keys)]
        )
        return {
            joined[at : at + _SIZE]: joined is matching
            for matching, others in rows
            for joined in (matching, others)
            for at in range(0, len(joined), _SIZE)
        }

    def note_examined(self, query_keys: Iterable[str], papers: Mapping[bytes, bool]) -> None:
        matching, others = (
            b"".join(paper for paper, is_match in papers.items() if is_match is wanted)
            for wanted in (True, False)
        )
        with self._connection.transaction() as db:
            db.execute("DELETE FROM examined")
            db.execute(
                "INSERT INTO examined VALUES (%s, %s, %s)", [hash_of_queries(query_keys), matching, others]
            )

"""Hashes by which a store knows that it has the same queries or subscribers before it as the last time."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from digest.config.parsing import address_key
from digest.subscribers.subscriber import Subscriber


def hash_of_queries(query_keys: Iterable[str]) -> bytes:
    """Returns a hash of the keys of queries, in any order."""
    return blake2b("\n".join(sorted(query_keys)).encode()).digest()


def hash_of_enrolment(subscribers: Sequence[Subscriber]) -> bytes:
    """Returns a hash of all data that an enrolment uses."""
    found = blake2b()
    for one in subscribers:
        keys = (keyword.query.key for keyword in one.keywords)
        filters = f"{one.filters.replacements} {one.filters.refuse_papers}"
        found.update("\n".join((address_key(one.email), one.email, filters, *keys, "\n")).encode())
    return found.digest()

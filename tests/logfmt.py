"""Reads logfmt back, by the rules of its usual parsers: a word, or a string in quotes as in JSON."""

import json
import re
from collections.abc import Iterator

_PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s="\\]*)(?: |$)')


def parse_logfmt(line: str) -> Iterator[tuple[str, str]]:
    """Yields keys and values. Raises `ValueError` if the line is anything else."""
    at = 0
    while at < len(line):
        found = _PAIR.match(line, at)
        if found is None:
            raise ValueError(line[at:])
        key, value = found.groups()
        yield key, json.loads(value) if value.startswith('"') else value
        at = found.end()

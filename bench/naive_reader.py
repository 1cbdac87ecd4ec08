"""A naive tracker: everything of the look-back, read with feedparser into one list of dicts.

`python -m bench.naive_reader API_URL FROM TO` prints how many papers it holds and its peak memory in bytes.
"""

import json
import sys
from urllib.parse import urlencode
from urllib.request import urlopen

import feedparser

from bench.peak import peak_bytes

_PAGE = 2_000


def main() -> None:
    _, url, first, last = sys.argv
    papers: list[dict[str, object]] = []
    while True:
        fields = {
            "search_query": f"submittedDate:[{first} TO {last}]",
            "sortBy": "submittedDate",
            "start": len(papers),
            "max_results": _PAGE,
        }
        with urlopen(f"{url}?{urlencode(fields)}") as answer:  # noqa: S310 (the simulator's http address)
            page = feedparser.parse(answer.read())
        papers += (dict(entry) for entry in page.entries)
        if len(page.entries) < _PAGE:
            break
    sys.stdout.write(json.dumps({"papers": len(papers), "peak": peak_bytes()}))


if __name__ == "__main__":
    main()

"""Damaged and harmful documents give an answer or an error of ours, soon and in little memory."""

import asyncio
import gc
import random
import re
import signal
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest
from aiohttp import web

from digest.errors import BadDocument, SourceError
from digest.sources.arxiv.daily_feed_parser import parse_feed_page
from digest.sources.arxiv.oai_pmh_parser import parse_record_page
from digest.sources.arxiv.search_api_parser import error_reason, parse_search_answer
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from tests.integration.arxiv_harvest_server import (
    daily_feed,
    deleted_record,
    feed_entry,
    oai_error,
    raw_record,
    record_page,
    versions_of,
)
from tests.integration.arxiv_server import arxiv_server, entry, error_entry, feed

pytestmark = pytest.mark.long

MIB = 1024 * 1024
TEX = r"J. Mu\~noz (1), \L{}o\'s {\"O}zg\"ur, Jr., The {Gnomes}: A. Bee and C. D. ((1) Univ. (North), $x<y$)"
TWO_VERSIONS = versions_of("Mon, 01 Jun 2026 12:00:00 GMT", "Tue, 9 Jun 2026 02:03:04 -0400")
EXTRA = "<comments>12 pages</comments><journal-ref>J. G. 1</journal-ref><doi>10.1000/1</doi>"

Parser = Callable[[bytes], object]

PARSERS: dict[str, tuple[Parser, tuple[str, ...]]] = {
    "search answer": (
        parse_search_answer,
        (
            feed(entry(), entry("math.GT/0309136v2", authors=("Ada Example",) * 3), total=2),
            error_entry("start must be an integer"),
        ),
    ),
    "record page": (
        parse_record_page,
        (
            record_page(
                raw_record(authors=TEX, versions=TWO_VERSIONS, extra=EXTRA),
                raw_record("math/0309136"),
                deleted_record(),
                token="verb%3DListRecords%26skip%3D3",
                size=9,
            ),
            oai_error("noRecordsMatch"),
            oai_error("badResumptionToken"),
        ),
    ),
    "feed page": (
        parse_feed_page,
        (
            daily_feed(feed_entry(authors=TEX), feed_entry("math/0309136v2", kind="replace-cross")),
            daily_feed(title="Feed error for query: x", subtitle="Bad archive 'x'."),
        ),
    ),
    "refusal": (
        error_reason,
        (error_entry("start must be an integer"), daily_feed(subtitle="Bad archive 'x'."), feed(entry())),
    ),
}
DOCUMENTS, SHARDS = 20_000, 4
# Reasons of refusals are read with feedparser, at ten milliseconds each.
FEWER = {"refusal": 4_000}

EXTREMES = [
    b"", b" ", b"-1", b"0", b"9" * 5000, b"NaN", b"1e999", "١٢".encode(), b"0001-01-01T00:00:00+14:00",
    b"9999-12-31T23:59:59-14:00", b"0001-01-01T00:00:00Z", b"Fri, 31 Dec 9999 23:59:59 -2300", b"0000-00-00",
    b"Mon, 01 Jan 1 00:00:00 +99999999999999", b"Mon, 01 Jun 2026 12:00:00 -0000",
    b"(", b"1 Jan 2026 ((",
    b"2606.00001v99999", b"v0", b"v1", b"new", b"&#0;", b"&#xFFFF;", b"&#x41;" * 100, b"&nbsp;", b"&g9;",
    b"]]>", b"<![CDATA[<b>]]>", b"<!-- -- -->", b"<?xml version='1.0'?>",
    b"\\" * 3000, b"{" * 3000, b"(" * 3000,
    b"\\'{\\'{" * 1000, b" and" * 2000, b", Jr." * 1000, b"\xff\xfe", b"\xed\xa0\x80", b"\x00",
    "\u202e".encode(),
]  # fmt: skip
ENCODINGS = [
    b"utf-16", b"utf-32", b"utf-7", b"cp037", b"latin-1", b"shift_jis", b"hex", b"rot13", b"idna",
    b"punycode", b"undefined", b"zlib", b"gnomish", b"raw_unicode_escape", b"mbcs", b"",
]  # fmt: skip
BOMB = b"".join(b'<!ENTITY g%d "%s">' % (n, b"&g%d;" % (n - 1) * 10) for n in range(1, 10))
DOCTYPES = [
    b'<!DOCTYPE x [<!ENTITY g0 "gnome">' + BOMB + b"]>",
    b'<!DOCTYPE x [<!ENTITY g9 SYSTEM "file:///etc/hostname">]>',
    b'<!DOCTYPE x [<!ENTITY g9 "' + b"g" * 100_000 + b'">]>',
    b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>',
    b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    b"<!DOCTYPE x [",
]
TAG = re.compile(rb"<[^<>]*>")
TEXT = re.compile(rb">[^<>]+<")
VALUE = re.compile(rb"\"[^\"<>]*\"|'[^'<>]*'")


def cut(chance: random.Random, document: bytes) -> bytes:
    return document[: chance.randrange(len(document) + 1)]


def flip(chance: random.Random, document: bytes) -> bytes:
    changed = bytearray(document)
    for _ in range(chance.randint(1, 8)):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def swap_tags(chance: random.Random, document: bytes) -> bytes:
    tags = list(TAG.finditer(document))
    if len(tags) < 2:
        return document
    a, b = sorted(chance.sample(tags, 2), key=lambda found: found.start())
    between = document[a.end() : b.start()]
    return document[: a.start()] + b[0] + between + a[0] + document[b.end() :]


def duplicate(chance: random.Random, document: bytes) -> bytes:
    start, end, at = sorted(chance.randrange(len(document) + 1) for _ in range(3))
    return document[:at] + document[start:end] * chance.choice((1, 1, 2, 50)) + document[at:]


def duplicate_element(chance: random.Random, document: bytes) -> bytes:
    tags = list(TAG.finditer(document))
    if not tags:
        return document
    first = chance.choice(tags)
    name = re.escape(first[0].strip(b"</>").split()[0] if first[0].strip(b"</> ") else b"x")
    found = re.compile(rb"<%s[\s>].*?</%s>" % (name, name), re.DOTALL).search(document, first.start())
    if found is None:
        return document
    return document[: found.start()] + found[0] * chance.choice((0, 2, 3, 100)) + document[found.end() :]


def drop(chance: random.Random, document: bytes) -> bytes:
    start, end = sorted(chance.randrange(len(document) + 1) for _ in range(2))
    return document[:start] + document[end:]


def extreme_text(chance: random.Random, document: bytes) -> bytes:
    return _instead(chance, document, TEXT, b">%s<" % chance.choice(EXTREMES))


def extreme_value(chance: random.Random, document: bytes) -> bytes:
    return _instead(chance, document, VALUE, b'"%s"' % chance.choice(EXTREMES))


def entities(chance: random.Random, document: bytes) -> bytes:
    head, mark, rest = document.partition(b"?>")
    return _instead(chance, head + mark + chance.choice(DOCTYPES) + rest, TEXT, b">&g9;<")


def encoded(chance: random.Random, document: bytes) -> bytes:
    if chance.random() < 0.3:
        return document.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-32", "utf-16-le")))
    return document.replace(b"UTF-8", chance.choice(ENCODINGS), 1)


def huge(chance: random.Random, document: bytes) -> bytes:
    """A few hundred kilobytes in one place: text, tags, attributes, depth, a namespace for each tag."""
    filler = chance.choice(
        (
            b"gnome " * 50_000,
            b"<b/>" * 50_000,
            b"<b>" * 50_000 + b"</b>" * 50_000,
            b"<b " + b" ".join(b'a%d="x"' % number for number in range(20_000)) + b"/>",
            b"".join(b'<n%d:b xmlns:n%d="u:%d"/>' % (number, number, number) for number in range(5_000)),
            b"&#x41;" * 50_000,
            b"(" * 150_000 + b")" * 150_000,
            b"\\'{e} and " * 30_000,
        )
    )
    return _instead(chance, document, TEXT, b">" + filler + b"<")


def _instead(chance: random.Random, document: bytes, place: re.Pattern[bytes], text: bytes) -> bytes:
    places = list(place.finditer(document))
    if not places:
        return document + text
    found = chance.choice(places)
    return document[: found.start()] + text + document[found.end() :]


MUTATIONS = (
    cut, flip, flip, swap_tags, swap_tags, duplicate, duplicate_element, duplicate_element, drop,
    extreme_text, extreme_text, extreme_text, extreme_value, entities, encoded,
)  # fmt: skip


def mutated(chance: random.Random, document: bytes) -> bytes:
    if chance.random() < 0.01:
        return huge(chance, document)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        document = chance.choice(MUTATIONS)(chance, document)
    return document


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Ends what hangs."""

    def give_up(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("name", PARSERS)
def test_a_mutated_document_gives_an_answer_or_an_error_of_ours(name: str, shard: int) -> None:
    parse, seeds = PARSERS[name]
    chance = random.Random(f"{name} {shard}")
    read = refused = 0
    for number in range(FEWER.get(name, DOCUMENTS) // SHARDS):
        document = mutated(chance, chance.choice(seeds).encode())
        try:
            with within(10):
                parse(document)
            read += 1
        except SourceError:
            refused += 1
        except BaseException as error:
            error.add_note(f"{name}, shard {shard}, document {number}: {document[:2000]!r}")
            raise
    # Both happen often, or the mutations would show little.
    assert read > 100
    assert refused > 100 or name == "refusal"


PLACES: dict[str, tuple[Parser, str]] = {
    "search answer": (parse_search_answer, feed(entry())),
    "record page": (parse_record_page, record_page(raw_record())),
    "feed page": (parse_feed_page, daily_feed(feed_entry())),
}
FILLERS = {
    "tags": b"<b/>",
    "pairs": b"<b></b>",
    "attributes": b'<b a="" c=""/>',
    "declarations": b'<b xmlns:a="u"/>',
    "depth": b"<b>",
    "comments": b"<!---->",
    "instructions": b"<?b?>",
    "sections": b"<![CDATA[]]>",
    "references": b"&#65;",
    "lines": b"\n",
}


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("name", PLACES)
def test_a_document_of_the_largest_size_does_not_grow_in_memory(name: str, filler: str) -> None:
    parse, seed = PLACES[name]
    head, mark, rest = seed.encode().partition(b"<title>")
    size = ClientSettings(contact=None, version="1", retry_pause=timedelta(0)).max_bytes
    document = head + mark + FILLERS[filler] * (size // len(FILLERS[filler])) + rest
    with within(30), growth_below(size), pytest.raises(BadDocument):
        parse(document)


@pytest.mark.parametrize("filler", ["gnome ", "(", "\\v e and ", "a,"])
def test_an_entry_with_a_text_as_long_as_the_document_is_left_out(filler: str) -> None:
    size = 64 * MIB
    document = record_page(raw_record(authors=filler * (size // len(filler)))).encode()
    with within(30), growth_below(4 * size):
        page = parse_record_page(document)
    assert (page.records, page.unreadable) == ((), 1)


@pytest.mark.parametrize("filler", ["gnome ", "(", "\\v e and ", "a,"])
def test_many_long_texts_take_a_few_times_their_size(filler: str) -> None:
    authors = filler * (999_990 // len(filler))
    document = record_page(
        *(raw_record(f"2606.{number:05}", authors=authors) for number in range(8))
    ).encode()
    with within(60):
        assert len(parse_record_page(document).records) == 8


@contextmanager
def growth_below(size: int) -> Iterator[None]:
    """Fails when the block takes `size` more bytes of memory at any moment."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size, f"{peak / MIB:.0f} MiB more"


async def endless(request: web.Request) -> web.StreamResponse:
    """200 MB of a document that goes on and on."""
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        await response.write(feed().encode())
        for _ in range(200 * MIB // 65_536):
            await response.write(b" " * 65_536)
    except ConnectionError:
        pass
    return response


async def compressed(request: web.Request) -> web.StreamResponse:
    """200 MB that are 200 kB on their way."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(packer.compress(b" " * MIB) for _ in range(200)) + packer.flush()
    return web.Response(body=body, headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize("reply", [endless, compressed])
async def test_an_answer_of_200_mb_is_given_up_at_the_limit(
    tmp_path: Path, reply: Callable[[web.Request], object]
) -> None:
    settings = ClientSettings(contact=None, version="1", retry_pause=timedelta(0), tries=1)
    async with (
        arxiv_server(reply) as server,  # type: ignore[arg-type]
        PoliteClient(settings, RateLimiter(tmp_path / "requests", timedelta(0))) as client,
        asyncio.timeout(60),
    ):
        limit = settings.max_bytes * 5 // 4 + 16 * MIB
        with growth_below(limit), pytest.raises(BadDocument, match="larger than 65536 KiB"):
            await client.ask(server.url, {"search_query": "x"}, parse_search_answer)

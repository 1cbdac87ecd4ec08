"""What feeds, queries, requests and configurations of other programs become as keywords."""

import pytest

from digest.cli.moving.addresses import is_of_arxiv, keywords_of_address
from digest.cli.moving.arxiv_query import keyword_of_query
from digest.cli.moving.feeds import feeds_of_lines, feeds_of_opml, subscriptions_of_feeds
from digest.cli.moving.found import NotAKeyword, Subscriptions
from digest.cli.moving.mailing_lists import is_request, subscriptions_of_request
from digest.cli.moving.zotero_daily import is_configuration, subscriptions_of_configuration
from digest.errors import ConfigurationError
from digest.keywords.query import parse


def keywords(found: Subscriptions) -> list[str]:
    return [one.keyword for _, one in found.asked]


def problems(found: Subscriptions) -> list[tuple[int, str]]:
    return [(one.place.line, one.reason) for one in found.problems]


# Addresses of arXiv.


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://rss.arxiv.org/rss/cs.LG", ["cat:cs.LG"]),
        ("https://rss.arxiv.org/atom/cs.AI+q-bio.NC", ["cat:cs.AI", "cat:q-bio.NC"]),
        ("https://rss.arxiv.org/rss/cs.AI%2Bq-bio.NC", ["cat:cs.AI", "cat:q-bio.NC"]),
        ("http://arxiv.org/rss/math", ["cat:math.*"]),
        ("http://export.arxiv.org/rss/quant-ph?version=2.0", ["cat:quant-ph"]),
        ("http://export.arxiv.org/rss/hep-th", ["cat:hep-th"]),
        ("https://export.arxiv.org/rss/CS.lg", ["cat:cs.LG"]),
        ("https://arxiv.org/list/stat.ML/recent", ["cat:stat.ML"]),
        ("http://arxiv.org/a/noether_e_1.atom2", ["au:noether_e"]),
        ("http://export.arxiv.org/api/query?search_query=cat:cs.LG&start=0&id_list=", ["cat:cs.LG"]),
        ("export.arxiv.org/api/query?search_query=x", None),
        ("https://rss.arxiv.org/rss/cs.TEA", None),
        ("https://rss.arxiv.org/rss/+", None),
        ("http://export.arxiv.org/api/query?id_list=2606.00001", None),
        ("https://arxiv.org/abs/2606.00001", None),
        ("https://blog.arxiv.org/feed/", None),
    ],
)
def test_a_feed_of_arxiv_is_one_keyword_for_each_category(address: str, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(NotAKeyword):
            keywords_of_address(address)
    else:
        assert [one.keyword for one in keywords_of_address(address)] == expected


@pytest.mark.parametrize(
    "address", ["https://notarxiv.org/rss/cs.LG", "https://arxiv.org.example.com/", "http://["]
)
def test_another_host_is_not_arxiv(address: str) -> None:
    assert not is_of_arxiv(address)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("all:tea", "all:tea"),
        ("tea", "all:tea"),
        ('ti:"green tea" OR abs:"green tea"', "green tea"),
        ('abs:"green tea" OR ti:"green tea"', "green tea"),
        ('co:"green tea" OR ti:"green tea"', 'co:"green tea" OR ti:"green tea"'),
        ("ti:green tea", 'ti:"green tea"'),
        ("au:del_maestro ANDNOT (ti:tea OR ti:milk)", "au:del_maestro ANDNOT (ti:tea OR ti:milk)"),
        ("ti:tea AND abs:milk OR abs:salt", "ti:tea AND (abs:milk OR abs:salt)"),
        ("ti:tea OR abs:milk OR abs:salt", "ti:tea OR abs:milk OR abs:salt"),
        ("(ti:tea AND abs:milk) OR abs:salt", "(ti:tea AND abs:milk) OR abs:salt"),
        ("ti:tea ANDNOT abs:milk ANDNOT abs:salt", "ti:tea ANDNOT (abs:milk ANDNOT abs:salt)"),
        ("cat:cs.LG AND submittedDate:[202601010000 TO 202612312359]", "cat:cs.LG"),
        ("submittedDate:[202601010000 TO 202612312359] AND cat:cs.LG", "cat:cs.LG"),
        ("ti:(tea OR milk)", "ti:tea OR ti:milk"),
        ('"green" "tea"', 'all:"green" OR all:"tea"'),
    ],
)
def test_a_search_means_what_it_means_to_arxiv(query: str, expected: str) -> None:
    found = keyword_of_query(query)
    assert found.keyword == expected
    parse(found.keyword)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ti:green tea", "arXiv reads ti:green tea as ti:green OR all:tea…; here it is a phrase"),
        ("ti:tea AND abs:milk OR abs:salt", "arXiv groups operators from the right; brackets keep that"),
        ("cat:cs.LG AND submittedDate:[1 TO 2]", "the range of days is left out: a digest has what is new"),
        ('"green" "tea"', "arXiv reads OR where there is no operator"),
    ],
)
def test_what_differs_from_arxiv_is_said(query: str, expected: str) -> None:
    assert keyword_of_query(query).notes == (expected,)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "AND",
        "tea AND",
        "(tea",
        "tea)",
        '"tea',
        "ti: tea",
        "rn:12",
        "cat:cs",
        "the",
        "submittedDate:[1 TO 2]",
        "(" * 200 + "tea" + ")" * 200,
        "tea OR " * 3_000 + "milk",
        "a:b:c:d",
    ],
)
def test_a_query_that_no_keyword_can_say_is_refused(query: str) -> None:
    with pytest.raises(NotAKeyword):
        keyword_of_query(query)


# Feed readers and rss2email.

OPML = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0"><head><title>Feeds</title></head>
<body>
<outline text="Papers">
  <outline type="rss" text="LG" xmlUrl="https://rss.arxiv.org/rss/cs.LG"/>
  <outline type="rss" text="Tea" XMLURL="http://export.arxiv.org/api/query?search_query=all:tea&amp;start=0"/>
</outline>
<outline type="rss" text="Blog" xmlUrl="https://blog.example.org/feed"/>
</body></opml>
"""


def test_of_a_mixed_opml_the_feeds_of_arxiv_are_taken() -> None:
    found = subscriptions_of_feeds("OPML", feeds_of_opml(OPML))
    assert keywords(found) == ["cat:cs.LG", "all:tea"]
    assert [(one.place.line, one.reason) for one in found.left_out] == [(8, "not from arXiv")]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (OPML[:-20], "line 8: not well-formed XML"),
        (b'<opml><body><outline xmlUrl="a&b"/></body></opml>', "line 1: not well-formed XML"),
        (b"<html></html>", "line 1: <html> instead of <opml>"),
        (b"<opml>" + b"<outline>" * 5_000, "nested too deeply"),
        (b'<!DOCTYPE opml [<!ENTITY a "tea">]><opml>&a;</opml>', "entities are declared"),
        (
            b'<!DOCTYPE opml [<!ENTITY a SYSTEM "file:///etc/passwd">]><opml>&a;</opml>',
            "entities are declared",
        ),
        (b"", "not well-formed XML"),
        (OPML.replace(b"UTF-8", b"UTF8-9"), "line 1: unknown encoding: UTF8-9"),
        (OPML.replace(b"UTF-8", b"big5"), "line 1: multi-byte encodings are not supported"),
    ],
)
def test_a_broken_or_hostile_opml_is_refused(document: bytes, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        feeds_of_opml(document)


def test_rss2email_lists_active_and_paused_feeds() -> None:
    text = (
        "0: [*] lg (http://rss.arxiv.org/rss/cs.LG -> you@example.org)\n"
        "1: [ ] cv (http://rss.arxiv.org/rss/cs.CV -> you@example.org)\n"
        "2: [*] blog (https://blog.example.org/ -> you@example.org)\n"
        "3: [*] tea (http://rss.arxiv.org/rss/cs.TEA -> )\n"
    )
    found = subscriptions_of_feeds("list", feeds_of_lines(text))
    assert keywords(found) == ["cat:cs.LG"]
    assert [one.reason for one in found.left_out] == ["paused", "not from arXiv"]
    ((line, reason),) = problems(found)
    assert (line, reason.partition(";")[0]) == (4, "cs.TEA is no category of arXiv")


def test_a_list_of_addresses_may_have_tags() -> None:
    found = subscriptions_of_feeds(
        "list", feeds_of_lines('https://rss.arxiv.org/rss/cs.LG papers "~LG"\n# no\n')
    )
    assert keywords(found) == ["cat:cs.LG"]


# arXiv's mailing lists.


def test_a_request_to_the_lists_adds_and_deletes_classes_by_code_or_name() -> None:
    text = (
        "To: cs@arxiv.org\nSubject: subscribe Jane Reader\n\n"
        "add LG\nadd Computation and Language\nadd AI\ndel AI\nadd cs.CV\n\n"
        "To: quant-ph@arxiv.org\nSubject: subscribe Jane Reader\n\n"
        "To: <physics@arxiv.org>\nadd Plasma Physics\n"
        "To: hep-th@arxiv.org\n"
    )
    assert is_request(text)
    found = subscriptions_of_request(text)
    expected = ["cat:cs.LG", "cat:cs.CL", "cat:cs.CV", "cat:quant-ph", "cat:physics.plasm-ph", "cat:hep-th"]
    assert keywords(found) == expected


def test_a_class_that_arxiv_does_not_have_is_a_problem() -> None:
    found = subscriptions_of_request("To: cs@arxiv.org\nadd TEA\nadd LG\n")
    assert [line for line, _ in problems(found)] == [2]
    assert keywords(found) == ["cat:cs.LG"]


def test_an_archive_with_classes_and_none_named_is_followed_as_a_whole() -> None:
    assert keywords(subscriptions_of_request("To: math@arxiv.org\nSubject: subscribe Jo\n")) == ["cat:math.*"]


# zotero-arxiv-daily.


@pytest.mark.parametrize(
    "written",
    [
        'category: ["cs.AI", "cs.LG"]  # mine',
        "category: [cs.AI,cs.LG]",
        "category:\n      - cs.AI\n      - 'cs.LG' # x",
    ],
)
def test_its_configuration_names_categories_in_each_form_of_yaml(written: str) -> None:
    text = (
        f"zotero:\n  user_id: 12345678\nsource:\n  arxiv:\n    {written}\n  biorxiv:\n    category: [cells]\n"
    )
    assert is_configuration(text)
    found = subscriptions_of_configuration(text)
    assert keywords(found) == ["cat:cs.AI", "cat:cs.LG"]
    assert [one.reason for one in found.left_out] == ["not from arXiv"]
    assert found.hints[-1].endswith("digest interests EMAIL --zotero 12345678 --key-file FILE")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ZOTERO_ID=12345678\nARXIV_QUERY=cs.AI+cs.LG\n", ["cat:cs.AI", "cat:cs.LG"]),
        ('export ARXIV_QUERY="cat:cs.AI OR cat:cs.LG"\n', ["cat:cs.AI OR cat:cs.LG"]),
        ("        env:\n          ARXIV_QUERY: cs.AI\n", ["cat:cs.AI"]),
    ],
)
def test_its_older_versions_have_a_variable(text: str, expected: list[str]) -> None:
    assert is_configuration(text)
    assert keywords(subscriptions_of_configuration(text)) == expected


def test_a_category_that_is_wrong_or_missing_is_a_problem() -> None:
    text = "source:\n  arxiv:\n    category: [cs.TEA, cs.LG]\n"
    assert [line for line, _ in problems(subscriptions_of_configuration(text))] == [3]
    empty = "source:\n  arxiv:\n    category: null\n"
    assert problems(subscriptions_of_configuration(empty)) == [(3, "it names no categories")]


def test_cross_lists_are_told_how_to_leave_out() -> None:
    text = "source:\n  arxiv:\n    category: [cs.LG]\n    include_cross_list: false\n"
    (hint,) = subscriptions_of_configuration(text).hints
    assert hint.endswith("digest subscribe EMAIL --category cs.LG --no-crosslists")
    assert not subscriptions_of_configuration(text.replace("false", "true")).hints

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.errors import QueryError
from digest.keywords.query import Query, any_of, is_asked_exactly, is_asked_whole, parse, to_arxiv
from digest.model.categories import NAMES, nearest_category

WORDS = st.sampled_from(["compiler", "Compiled", "graph", "neural", "état", "state-of-the-art", "theory"])
PHRASES = st.lists(
    WORDS | st.sampled_from(["C++", "or", "not", "-survey", "a | b", "'quoted'", "what?", "trees,"]),
    min_size=1,
    max_size=3,
).map(" ".join)
LEAVES = st.one_of(
    PHRASES.map('"{}"'.format),
    WORDS.map("ti:{}".format),
    PHRASES.map('abs:="{}"'.format),
    PHRASES.map('ti:"graph {}"'.format),
    WORDS.map("={}".format),
    st.sampled_from(
        ["neur*", "ti:graph comp*", 'all:"graph theory"', "all:cs.LG", 'co:"12 pages"', 'jr:"Phys. Lett."']
    ),
    st.sampled_from(
        ["cat:cs.LG", "cat:math.*", "id:2606.01234", 'au:"Yann LeCun"', "au:lecun_y", 'au:"Erdős, P."']
    ),
)
KEYWORDS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        "({} {} {})".format, inner, st.sampled_from(["AND", "OR", "ANDNOT", "AND NOT", "NOT"]), inner
    ),
    max_leaves=6,
)


def parsed(text: str) -> tuple[Query | None, QueryError | None]:
    try:
        return parse(text), None
    except QueryError as error:
        return None, error


@given(KEYWORDS)
@example("theory and practice")
@example("neural oper*")
@example('"C*-algebra"')
@example("std::vector")
@example("=state of the art")
def test_the_text_of_a_query_parses_to_the_query(keyword: str) -> None:
    query = parse(keyword)
    again = parse(query.text)
    assert (again, again.text, again.key, again.root) == (query, query.text, query.key, query.root)
    assert to_arxiv(again) == to_arxiv(query)


@given(
    st.text(alphabet=st.sampled_from('ab the:=*"()AND OROT.\\\u201c\x00é,_-'))
    | st.text(alphabet=st.sampled_from("ab or not&|+-!?~^2#=[]ti:,;'\"$\\{} "))
    | st.text(max_size=40)
)
@example("0 »")
@example("0 ¼*")
def test_any_text_is_a_query_or_a_query_error_within_it(text: str) -> None:
    query, error = parsed(text)
    if query:
        assert parse(query.text) == query
    else:
        assert error
        assert 0 <= error.position <= len(error.text)
        assert error.hint
        assert all(map(parse, error.remedies))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Reinforcement Learning", "reinforcement-learning"),
        ("compiler", '"compilers"'),
        ("the compiler", "compiler"),
        ("=compiler", "=Compilers"),
        ("=index", "=indices"),
        ("title:graph", "ti:Graphs"),
        ("graph AND cat:cs.LG", "cat:cs.lg AND (graph)"),
        ("graph OR (theory OR neural)", "neural OR theory OR graphs OR graph"),
        ("graph ANDNOT (theory OR neural)", "graph NOT neural AND NOT theory"),
        ("NOT theory AND graph", "graph ANDNOT theory"),
        ("ti:(graph OR theory)", "ti:graph OR ti:theory"),
        ('au:"Paul Erdős"', 'au:"Erdos, Paul"'),
        ("au:lecun_y", 'au:"LeCun, Y."'),
        ("id:math.GT/0309136", 'id:"https://arxiv.org/abs/math/0309136v2"'),
        ("“neural operator”", "neural operator"),
    ],
)
def test_equal_queries_written_differently_count_as_one(one: str, other: str) -> None:
    assert parse(one).key == parse(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("compiler", "=compiler"),
        ("state of the art", "state art"),
        ("graph neural", "neural graph"),
        ("neur*", '"neur*"'),
        ("ti:graph", "abs:graph"),
        ("graph AND theory OR neural", "graph AND (theory OR neural)"),
        ("au:Graph", "graph"),
    ],
)
def test_queries_that_ask_for_different_papers_differ(one: str, other: str) -> None:
    assert parse(one).key != parse(other).key


def test_and_binds_tighter_than_or() -> None:
    assert parse("graph OR neural AND theory").key == parse("graph OR (neural AND theory)").key


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("  neural   operator ", "neural operator"),
        ("ti:deep learning AND cat:CS.LG", 'ti:"deep learning" AND cat:cs.LG'),
        ("(graph OR theory) AND neural", "(graph OR theory) AND neural"),
        ("graph OR graph", "graph"),
        ("=neural operator", '="neural operator"'),
    ],
)
def test_the_canonical_text_is_readable(keyword: str, text: str) -> None:
    assert parse(keyword).text == text


@pytest.mark.parametrize(
    ("keyword", "position", "hint"),
    [
        ("", 0, "for example"),
        ("the of", 0, 'write "the of"'),
        ("the", 0, "add a more specific word"),
        ("co:of the", 3, "add a more specific word"),
        ("...", 0, "at least one letter"),
        ("ti:foo and abs:bar", 7, "write AND"),
        ('"graph" or "theory"', 8, "write OR"),
        ("ti:graph not theory", 9, "write NOT"),
        ('graph "theory', 6, "write graph theory"),
        ("graph AND (theory OR neural", 10, "add )"),
        ("graph)", 5, "remove it"),
        ("graph AND", 9, "write the missing part"),
        ("AND graph", 0, "quotes"),
        ('"graph" "theory"', 8, "AND or OR"),
        ("f(R) gravity", 1, "quotes"),
        ("cat:cs", 4, "cat:cs.*"),
        ("cat:astro-ph", 4, "cat:astro-ph.*"),
        ("cat:cs.LGG", 4, "cat:cs.LG"),
        ("cat:quantph", 4, "cat:quant-ph"),
        ("cat:robotics", 4, "cat:cs.RO"),
        ("cat:xyzzy", 4, "taxonomy"),
        ("abstrct:graph", 0, "abs:"),
        ("http://example.org", 0, "quotes"),
        ("NOT graph", 0, "begin with what you want"),
        ("graph OR NOT theory", 9, "begin with what you want"),
        ("*graph", 0, "neur*"),
        ("ti:gr*ph", 5, "neur*"),
        ("C* algebra", 1, '"C* algebra"'),
        ("=graph*", 6, "one of the two"),
        ("au:smi*", 6, "ti:, abs:"),
        ("au:=Smith", 4, "remove"),
        ("=ti:graph", 1, "ti:="),
        ("id:nothing", 3, "id:2606.01234"),
        ("ti:au:graph", 3, "one prefix"),
    ],
)
def test_a_mistake_has_its_place_and_a_hint(keyword: str, position: int, hint: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(keyword)
    assert caught.value.position == position
    assert hint in str(caught.value)
    assert str(caught.value).splitlines()[2] == f"  {' ' * position}^"


def test_a_keyword_has_limits() -> None:
    assert parse("x" * 500)
    with pytest.raises(QueryError, match="500 characters"):
        parse("x" * 501)
    fifty = " OR ".join(f"g{n}" for n in range(50))
    assert parse(fifty)
    with pytest.raises(QueryError, match="50 parts"):
        parse(f"{fifty} OR graph")
    assert parse("(" * 20 + "graph" + ")" * 20)
    with pytest.raises(QueryError, match="20 deep"):
        parse("(" * 21 + "graph" + ")" * 21)


@pytest.mark.parametrize(
    ("keyword", "asked"),
    [
        ("reinforcement learning", '(ti:"reinforcement learning" OR abs:"reinforcement learning")'),
        ("state-of-the-art", '(ti:"state of the art" OR abs:"state of the art")'),
        ('ti:"C++"', 'ti:"c"'),
        ("ti:=compilers", 'ti:"compilers"'),
        ("ti:=matrix", '(ti:"matrix" OR ti:"matrices")'),
        ("neur*", "(ti:neur* OR abs:neur*)"),
        ("ti:neural oper*", '(ti:"neural" AND ti:oper*)'),
        ("cat:CS.*", "cat:cs.*"),
        ('au:"Yann Cue"', '(au:"cue" OR au:"cü")'),
        ('au:"Ada Berger-Penn"', '(au:"berger-penn" OR au:"berger penn")'),
        ("Qwen2.5", '(ti:"qwen2.5" OR abs:"qwen2.5")'),
        ("ti:i.i.d.", 'ti:"i.i.d"'),
        ("ti:Gödel", '(ti:"gödel" OR ti:"godel")'),
        ("ti:optimiz*", "ti:optim*"),
        ('"to be"', '(ti:"to be" OR abs:"to be")'),
        ('au:"Søren Jørk"', '((au:"jork" OR au:"jørk") OR (au:"joerk" OR (au:"jøerk" OR au:"jörk")))'),
        ("id:2606.01234v2", "id:2606.01234"),
        ("id:math/0309136", "(id:math/0309136 OR id:0309136)"),
        ('co:"12 pages, 3 of 12 figures"', '((co:"12" AND co:"pages") AND (co:"3" AND co:"figures"))'),
        ('jr:"Phys. Lett."', '(jr:"phys" AND jr:"lett")'),
        ("all:cs.LG", '(all:"cs.LG" OR (all:"cs.lg" OR cat:cs.LG))'),
        ("all:deep tea", '(all:"deep tea" OR ((co:"deep" AND co:"tea") OR (jr:"deep" AND jr:"tea")))'),
        ("ti:graph AND cat:cs.LG AND cat:cs.AI", '(ti:"graph" AND (cat:cs.LG AND cat:cs.AI))'),
        ("ti:graph ANDNOT cat:cs.LG", '(ti:"graph" ANDNOT cat:cs.LG)'),
    ],
)
def test_what_is_sent_to_arxiv(keyword: str, asked: str) -> None:
    assert to_arxiv(parse(keyword)) == asked


@pytest.mark.parametrize(
    "refused",
    ["ti:=compiler", "ti:comp*", "(ti:theory AND ti:=compiler)", 'au:"J. Doe"', "all:graph", 'co:"in press"'],
)
def test_a_negation_that_arxiv_might_take_wider_is_decided_here(refused: str) -> None:
    assert to_arxiv(parse(f"ti:graph ANDNOT {refused}")) == 'ti:"graph"'


def test_what_a_refusal_spares_is_asked_for_in_full() -> None:
    asked = to_arxiv(parse("ti:graph ANDNOT (ti:theory ANDNOT ti:=compiler)"))
    assert asked == '(ti:"graph" ANDNOT (ti:"theory" ANDNOT ti:"compiler"))'


def test_the_documentation_says_what_arxiv_is_asked() -> None:
    section = (
        (Path(__file__).parents[2] / "docs" / "keywords.md").read_text("utf-8").partition("## What arXiv")[2]
    )
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)`", section, re.MULTILINE)
    assert len(rows) == 6
    assert [to_arxiv(parse(keyword)) for keyword, _ in rows] == [asked for _, asked in rows]


ARXIV_LEAF = re.compile(r'(?:ti|abs|au|cat|co|jr|id|all):(?:"[^"()*]*"|[\w.*/-]+)')


@given(KEYWORDS)
def test_every_operation_sent_to_arxiv_is_bracketed_and_every_leaf_prefixed(keyword: str) -> None:
    skeleton = ARXIV_LEAF.sub("x", to_arxiv(parse(keyword)))
    while skeleton != "x":
        shorter = re.sub(r"\(x (?:AND|OR|ANDNOT) x\)", "x", skeleton)
        assert shorter != skeleton, skeleton
        skeleton = shorter


@given(st.text(alphabet=st.characters(exclude_characters='"“”„‟«»〝〞＂'), max_size=30))
@example(") OR all:x OR (ti:x")
@example("\ufe35")
@example("x* AND cat:*")
@example("\\")
def test_nothing_in_a_phrase_escapes_from_its_quotes(text: str) -> None:
    query = parse(f'ti:"graph {text}" OR au:"graph {text}" OR co:"graph {text}" OR all:"graph {text}"')
    skeleton = re.sub(r'(?:ti|au|co|jr|all):"[^"()*\\]+"', "x", to_arxiv(query))
    assert re.fullmatch(r"(?:[x() ]|OR|AND)+", skeleton)


def test_many_queries_are_one_search_of_little_depth() -> None:
    asked = any_of([parse(f"ti:g{n}") for n in range(1000)])
    depth = deepest = 0
    for character in asked:
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    assert deepest == 10
    assert asked.count("ti:") == 1000


def test_equal_queries_are_asked_for_once() -> None:
    assert any_of([parse("ti:graphs"), parse("title:Graph")]).count("ti:") == 1


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ('"to be or not to be"', False),
        ("ti:=the", False),
        ('all:"to be"', False),
        ("graph AND ti:=the", False),
        ('abs:"to be or not to be"', True),
        ('"to be or not to compile"', True),
        ('="vitamin A"', True),
        ("the*", True),
        ("au:the", True),
    ],
)
def test_arxiv_finds_no_title_by_very_common_words_alone(keyword: str, expected: bool) -> None:
    assert is_asked_whole(parse(keyword)) is expected


@pytest.mark.parametrize("code", sorted(NAMES))
def test_every_category_is_known_in_any_case(code: str) -> None:
    assert parse(f"cat:{code.upper()}").text == f"cat:{code}"
    assert nearest_category(code) == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("graph neural network", True),
        ("ti:compiler OR cat:cs.PL", True),
        ("compiler ANDNOT python", True),
        ("=compiler", False),
        ('au:"Ada Lovelace"', False),
        ("compiler OR au:Lovelace", False),
        ("compil*", False),
        ("all:tea", False),
    ],
)
def test_it_is_known_which_queries_bring_more_than_they_match(text: str, expected: bool) -> None:
    assert is_asked_exactly(parse(text)) is expected

"""What people type and paste: made part of the language, or refused with what to write instead."""

import pytest

from digest.errors import QueryError
from digest.keywords.broad_terms import cautions
from digest.keywords.query import parse


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("graph | tree", "graph OR tree"),
        ("graph||tree", "graph OR tree"),
        ("graph && tree", "graph AND tree"),
        ("title: graph tree", 'ti:"graph tree"'),
        ('author:"Emmy Noether" AND Abstract:ring', 'au:"Emmy Noether" AND abs:ring'),
        ("category:cs.LG", "cat:cs.LG"),
        ("comments:draft OR journal:PRL", "co:draft OR jr:PRL"),
        ("arXiv:2606.01234", "id:2606.01234"),
        ("‘graph tree’", '"graph tree"'),
        ("'graph tree' AND ring", '"graph tree" AND ring'),
        ("«graph tree»", '"graph tree"'),
        ("``graph tree''", '"graph tree"'),
        ("（graph ＯＲ tree） AND ti：ring", "(graph OR tree) AND ti:ring"),
        ("graph\u00a0tree\tring", "graph tree ring"),
        ("graph\u200btree", "graph tree"),
        ("net\u00adwork", "network"),
        ("au:Berger\u2011Wolf", "au:Berger-Wolf"),
        ("\ufb01nite", "finite"),
        ("Schro\u0308dinger", "Schrödinger"),
        (r"Schr\"odinger equation", "Schrödinger equation"),
        (r"Schr\"{o}dinger", "Schrödinger"),
        (r"au:Erd\H{o}s", "au:Erdős"),
        (r"\'{\i}ndice {\O}rsted \v{C}ech", "índice Ørsted Čech"),
        (r"$\rho$ meson", "ρ meson"),
        (r"\Lambda CDM", "ΛCDM"),
    ],
)
def test_what_can_mean_one_thing_only_is_taken_for_it(typed: str, meant: str) -> None:
    assert parse(typed).key == parse(meant).key


@pytest.mark.parametrize(
    "keyword",
    [
        "-omics",
        "theory and practice",
        "whether or not",
        "attention is not explanation",
        "state of the art",
        "NEAR Shoemaker",
        "R&D",
        "X-ray – optical",
        "what is attention?",
        "Noether's theorem",
        "5' UTR",
        "CP^3 model",
        "spin -1",
        "1,000 genomes",
        "C++ compiler",
        r"$\mathcal{N}=4$ Yang-Mills",
        "std::vector",
    ],
)
def test_what_is_a_phrase_stays_one(keyword: str) -> None:
    query = parse(keyword)
    assert query.key == parse(f'"{keyword}"').key
    assert parse(query.text) == query


@pytest.mark.parametrize(
    ("keyword", "remedies"),
    [
        ("C++", ("C AND (code OR library OR software)", '"C++"')),
        ("ti:C#", ("ti:C AND (code OR library OR software)", 'ti:"C#"')),
        (".NET", ("net AND (cat:cs.PL OR cat:cs.SE)", '".NET"')),
        ("=OWL++", ('="OWL++"',)),
        ("graph -survey", ("graph ANDNOT survey", '"graph -survey"')),
        ("graph -survey -review", ("graph ANDNOT survey ANDNOT review", '"graph -survey -review"')),
        ("tree AND graph !survey", ("tree AND graph ANDNOT survey", 'tree AND "graph !survey"')),
        ("+graph +tree", ("graph AND tree", '"+graph +tree"')),
        ("graph & tree", ("graph AND tree", '"graph & tree"')),
        ("graph NEAR/3 tree", ("graph AND tree", '"graph NEAR/3 tree"')),
        ("graph NEAR tree", ("graph AND tree", '"graph NEAR tree"')),
        ("graph or tree", ("graph OR tree", '"graph or tree"')),
        ("graph or tree or ring", ("graph OR tree OR ring", '"graph or tree or ring"')),
        ("graph not tree", ("graph ANDNOT tree", '"graph not tree"')),
        ("graph andnot tree", ("graph ANDNOT tree", '"graph andnot tree"')),
        ("ti:graph and abs:tree", ("ti:graph AND abs:tree",)),
        ("to be or not to be", ('"to be or not to be"',)),
        ("wom?n", ("wom*", '"wom?n"')),
        ("graph? tree", ("graph* tree", '"graph? tree"')),
        ("~graph", ("graph", '"~graph"')),
        ("graph~2 tree", ("graph tree", '"graph~2 tree"')),
        ("graph^3", ("graph", '"graph^3"')),
        ('"graph tree"~3', ('"graph tree"',)),
        ("ti=graph", ("ti:graph", '"ti=graph"')),
        ('title="graph tree"', ('ti:"graph tree"',)),
        ("author :noether", ("au:noether", '"author :noether"')),
        ("graph[Title]", ("ti:graph", '"graph[Title]"')),
        ("TITLE(graph)", ("ti:(graph)", '"TITLE(graph)"')),
        ("graph, tree", ("graph OR tree", '"graph, tree"')),
        ("ring AND graph; tree", ("ring AND (graph OR tree)", 'ring AND "graph; tree"')),
        ("cs.LG", ("cat:cs.LG", '"cs.LG"')),
        ("graph AND Quant-Ph", ("graph AND cat:quant-ph", 'graph AND "Quant-Ph"')),
        ("cs.*", ("cat:cs.*", '"cs.*"')),
        ("cat:cs", ("cat:cs.*",)),
        ("2606.01234v2", ("id:2606.01234", '"2606.01234v2"')),
        ("https://arxiv.org/abs/2606.01234", ("id:2606.01234", '"https://arxiv.org/abs/2606.01234"')),
        ("A* search", ('"A* search"',)),
        ("A*", ()),
        ("the", ()),
        ("f(R) gravity", ('"f(R) gravity"',)),
        ("AND gate", ('"AND gate"',)),
        ('"graph" "tree"', ('"graph" AND "tree"', '"graph" OR "tree"')),
        ("abstrct:graph", ("abs:graph", '"abstrct:graph"')),
        ("(graph OR tree", ("(graph OR tree)",)),
        ('graph "tree', ("graph tree",)),
    ],
)
def test_what_is_of_another_language_is_refused_with_right_forms_that_parse(
    keyword: str, remedies: tuple[str, ...]
) -> None:
    with pytest.raises(QueryError) as caught:
        parse(keyword)
    assert caught.value.remedies == remedies
    assert all(map(parse, remedies))
    assert all(remedy in str(caught.value).splitlines()[-1 - at] for at, remedy in enumerate(remedies[::-1]))


@pytest.mark.parametrize(
    ("keyword", "told"),
    [
        ("R", '"r": single letters are in 10 to 60 papers a day; narrower is R package OR R software'),
        ('"C++"', 'the word "c"'),
        ('".NET"', 'the word "net"'),
        ("7", "single digits"),
        ("graph OR K", 'the word "k"'),
        ("K ANDNOT graph", 'the word "k"'),
        ('"the"', "nearly every paper"),
    ],
)
def test_a_keyword_that_finds_far_more_than_it_seems_to_is_told_so(keyword: str, told: str) -> None:
    (line,) = cautions(parse(keyword))
    assert told in line


@pytest.mark.parametrize("keyword", ["graph", "C++ compiler", "R AND cat:stat.CO", "λ", "au:X", "cat:cs.LG"])
def test_most_keywords_need_no_caution(keyword: str) -> None:
    assert cautions(parse(keyword)) == ()


def test_what_a_caution_proposes_parses() -> None:
    (line,) = cautions(parse("C"))
    assert parse(line.partition("narrower is ")[2])

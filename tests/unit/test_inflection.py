"""Singular and plural are forms of one another, and of no other word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.papers import papers
from digest.keywords.analysis import words
from digest.keywords.inflection import number_forms

PAIRS = """
    algebra algebras, alumnus alumni, analyse analyses, analysis analyses, antenna antennae, antenna
    antennas, api apis, atlas atlases, automaton automata, axis axes, bacterium bacteria, base bases,
    basis bases, bias biases, bispectrum bispectra, box boxes, bus buses, cache caches, calculus calculi,
    child children, class classes, compiler compilers, continuum continua, corpus corpora, criterion
    criteria, curve curves, database databases, datum data, diagnosis diagnoses, die dice, equilibrium
    equilibria, erratum errata, extremum extrema, foot feet, focus foci, focus focuses, formula formulae,
    formula formulas, gas gases, genus genera, goose geese, gpu gpus, half halves, halo haloes, halo
    halos, harmonic harmonics, hypothesis hypotheses, index indexes, index indices, kernel kernels,
    kilonova kilonovae, knife knives, larva larvae, leaf leaves, lemma lemmas, lemma lemmata, lens lenses,
    life lives, llm llms, locus loci, man men, manifold manifolds, matrix matrices, maximum maxima, medium
    media, metalens metalenses, metric metrics, minimum minima, modulus moduli, momentum momenta, mouse
    mice, movie movies, nucleus nuclei, octahedron octahedra, operand operands, optimum optima, ox oxen,
    parallax parallaxes, person people, person persons, phase phases, phenomenon phenomena, polyhedron
    polyhedra, process processes, quantum quanta, quark quarks, quiz quizzes, radius radii, reanalysis
    reanalyses, schema schemas, schema schemata, sheaf sheaves, simplex simplices, spectrum spectra,
    status statuses, stimulus stimuli, stratum strata, submatrix submatrices, supernova supernovae,
    synthesis syntheses, tau taus, theory theories, thrust thrusts, tooth teeth, topic topics, torus tori,
    vertex vertices, virus viruses, wolf wolves, woman women
    """
ALONE = """
    always bayes burgers chaos cosmos dynamics eos gps has its linguistics mars mathematics mechanics news
    physics semantics series species stokes themselves towards was
    """
ENDINGS = "a ae ata ex f fe i ics ies is ix on os s ss sis tz u um us uses ves y z ches eau hedra lens"


@pytest.mark.parametrize("pair", PAIRS.split(","), ids=str.strip)
def test_singular_and_plural_are_forms_of_one_word(pair: str) -> None:
    singular, plural = pair.split()
    assert {singular, plural} <= set(number_forms(singular)) & set(number_forms(plural))


@pytest.mark.parametrize("word", ALONE.split())
def test_what_only_looks_like_a_plural_is_itself_alone(word: str) -> None:
    assert number_forms(word) == (word,)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("analysis", "analysi"),
        ("atlas", "atla"),
        ("bias", "bia"),
        ("bus", "bu"),
        ("causes", "caus"),
        ("codebases", "codebasis"),
        ("compiler", "compiled"),
        ("data", "dat"),
        ("dynamic", "dynamics"),
        ("famous", "famou"),
        ("gas", "ga"),
        ("gauss", "gaus"),
        ("hi", "his"),
        ("lens", "len"),
        ("less", "les"),
        ("menus", "menuses"),
        ("metric", "metrix"),
        ("process", "proces"),
        ("specimen", "speciman"),
        ("this", "thi"),
        ("thus", "thu"),
        ("us", "uses"),
    ],
)
def test_other_words_are_no_forms(word: str, other: str) -> None:
    assert other not in number_forms(word)
    assert word not in number_forms(other)


@pytest.mark.parametrize("word", ["", "x", "γ", "γ_p", "qwen2.5", "i.i.d", "3d", "schrödinger's", "x86"])
def test_letters_numbers_and_names_with_signs_have_no_plural(word: str) -> None:
    assert number_forms(word) == (word,)


def test_a_word_that_is_not_ascii_has_a_plural_in_s_at_most() -> None:
    assert number_forms("bézier") == number_forms("béziers") == ("bézier", "béziers")
    assert number_forms("théorie") == ("théorie", "théories")
    assert number_forms("größ") == ("größ", "größs")
    assert number_forms("élus") == ("élus",)


def assert_mutual(word: str) -> None:
    forms = number_forms(word)
    assert word in forms
    assert list(forms) == sorted(set(forms))
    assert all(word in number_forms(form) for form in forms)


@given(
    word=st.builds(
        "{}{}{}".format,
        st.text("abceghinrstuz", max_size=4),
        st.sampled_from(ENDINGS.split()),
        st.sampled_from(ENDINGS.split()),
    )
    | st.text(st.characters(categories=["Ll"]) | st.sampled_from("s._'1é"), max_size=8)
)
def test_being_a_form_of_one_another_is_mutual(word: str) -> None:
    assert_mutual(word)


def test_it_is_mutual_for_the_words_of_papers() -> None:
    told = {word for paper in papers(2000) for word in words(f"{paper.title} {paper.abstract}")}
    for word in told | set(PAIRS.replace(",", " ").split()):
        assert_mutual(word)

"""The forms of an English word that differ in number only: `compiler` and `compilers`, not `compiled`.

Exceptions from the usual endings are in tables. A plural counts only if the rules lead from it back to its
singular, so the relation between forms is symmetric.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

# They have only one number, but look like a plural: `burger` is not a form of Burgers. An abbreviation is
# here if papers seldom mean a plural by it: GPS, hardly ever "GPs".
_ALONE = frozenset(
    """
    adams aids always andrews aws bayes bcs benders besides burgers charles chaos cls cmos cms corps cosmos
    crps cummings dns does dos edwards eos ethos fps gnss goods gps has hastings headquarters hers hertz hls
    hopkins hughes ios irs its james jones kairos kramers kudos las los mars mas maths mcts mills
    moses nas news nls nowadays odds oss otimes ours ourselves pathos perhaps ramses rhodes rms roberts
    rogers ros sdss series simons sls sms sometimes sos species stokes summons tess texas theirs themselves
    thomas tls towards tts vegas wales was whereas williams yates yes yours yourselves
    """.split()  # noqa: SIM905
)

# The plural in -s, or in -es, of words for which the rules below do not find it.
_WITH_S = """
    ache api avalanche bci bureau cache calorie chi cliche cookie cpu czech emri emu epoch fmri genie gpu
    gru gui guru headache impasse imu iou kpi mach menu moustache movie mri mu newbie niche npu nu phi pi
    plateau poi prairie psi psyche qpu relu roi rookie selfie ski smoothie stomach tableau tau taxi tech toi
    tpu wsi xi zombie

    antibiotic basic caustic ceramic characteristic classic clinic comic conic critic cubic diacritic
    diagnostic epidemic extrinsic fabric geodesic harmonic heuristic intrinsic logic lyric medic metric mimic
    mnemonic mosaic pandemic plastic prosthetic quadratic quadric quartic quintic relic rubric schematic
    skeptic statistic subtopic superquadric tactic topic

    analyse base diagnose die dwarf ellipse person
    """
_WITH_ES = """
    abacus alias ansatz atlas bias bus campus canvas census circus consensus focus gas iris lens metropolis
    nucleus omnibus pancreas pelvis syllabus thermos trellis

    buffalo cargo domino echo embargo halo hero mango mosquito motto potato subhalo tomato tornado torpedo
    veto volcano zero
    """

# Singulars whose ending is replaced. Those with a "+" have the regular plural as well.
_OTHER_ENDINGS = {
    "+um -a": """
        addendum arboretum atrium auditorium aquarium bacterium cilium colloquium compendium consortium
        continuum corrigendum cranium curriculum datum desideratum dictum equilibrium erratum extremum
        flagellum fulcrum infimum maximum medium memorandum millennium minimum momentum moratorium optimum
        ovum phylum pendulum planetarium quantum referendum rostrum septum serum simulacrum spectrum stratum
        substratum supremum symposium vacuum
        """,
    "+on -a": "automaton criterion ganglion hedron mitochondrion phenomenon polyhedron taxon",
    "+us -i": """
        alumnus annulus bacillus bronchus cactus calculus campus cumulus embolus focus fundus fungus gyrus
        hippocampus homunculus locus meniscus modulus nautilus nucleus papyrus radius rhombus sarcophagus
        stimulus stylus sulcus syllabus terminus thalamus torus tumulus uterus villus
        """,
    "+us -era": "genus",
    "+us -ora": "corpus",
    "+a -ae": """
        alga amoeba alumna antenna aurora fistula formula fossa fovea hypha lacuna lamina larva macula
        nebula nova papilla persona penumbra pupa supernova tibia trachea umbra vertebra
        """,
    "+a -ata": "dogma lemma schema stigma stoma trauma",
    "+ex -ices": "apex codex cortex index simplex vertex vortex",
    "+ix -ices": "appendix cervix helix matrix radix separatrix",
    "is -es": """
        analysis antithesis apotheosis axis basis catharsis catalysis crisis diagnosis dialysis eigenbasis
        ellipsis emphasis exegesis fibrosis genesis hydrolysis hypnosis hypothesis hysteresis kinesis
        metamorphosis metastasis mimesis nemesis neurosis oasis orthosis osmosis paralysis parenthesis
        photosynthesis prognosis prosthesis psychosis sclerosis stasis stenosis symbiosis synopsis synthesis
        thesis thrombosis
        """,
    "f -ves": "calf dwarf elf half leaf loaf scarf self sheaf shelf thief wolf",
    "fe -ves": "knife life midwife wife",
    "oo -ee": "foot goose tooth",
    "an -en": "man woman",
    "ouse -ice": "louse mouse",
    "+eau -eaux": "bureau plateau tableau",
    "child -children": "child",
    "die -dice": "die",
    "ox -oxen": "ox",
    "person -people": "person",
    "quiz -quizzes": "quiz",
    "tz -tze": "ansatz",
    "satz -sätze": "ansatz",
}

# The last parts of compounds: `submatrix`, `octahedra`, `kilonovae`, `bispectrum`, `reanalyses`.
_TAILS = """
    alga analysis child continuum equilibrium formula hedron index lens matrix momentum nova nucleus radius
    sheaf simplex spectrum thesis vertex woman
    """.split()  # noqa: SIM905

# Plurals such as viruses and statuses, not causes and peruses.
_USES = re.compile(r".*(?:[tnlpgdx]|.[^e]r|i)uses")


@lru_cache(maxsize=4096)
def number_forms(word: str) -> tuple[str, ...]:
    """`word` with its singulars and plurals, sorted: `index`, `indexes`, `indices`.

    It may contain a form that nobody writes; unusual plurals may be missing.
    """
    if len(word) < 2 or not word.isalpha():
        return (word,)
    singulars = _singulars(word) or (word,)
    return tuple(sorted({word, *singulars}.union(*map(_plurals, singulars))))


def _singulars(word: str) -> tuple[str, ...]:
    if _is_listed(word):
        return _SINGULARS.get(word, ()) or _of_compound(word, _SINGULARS)
    singular = _without_ending(word)
    return () if _is_listed(singular) or _with_ending(singular) != word else (singular,)


def _plurals(singular: str) -> tuple[str, ...]:
    if _is_listed(singular):
        return _PLURALS.get(singular, ()) or _of_compound(singular, _PLURALS)
    plural = _with_ending(singular)
    return () if _is_listed(plural) or _without_ending(plural) != singular else (plural,)


def _of_compound(word: str, forms: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The forms of the last part of `word` in `forms`, each with the first part before it."""
    found = None if word in _PLURALS or word in _ALONE else _COMPOUND.fullmatch(word)
    return tuple(found[1] + form for form in forms.get(found[2], ()) if form in _LAST_PARTS) if found else ()


def _is_listed(word: str) -> bool:
    """Whether the tables, and not the rules, have the forms of `word`."""
    listed = word in _PLURALS or word in _SINGULARS or word in _ALONE
    return listed or _COMPOUND.fullmatch(word) is not None


def _without_ending(plural: str) -> str:
    """The singular by rule; empty if there is none."""
    if len(plural) < 3 or not plural.endswith("s") or plural.endswith(("ss", "us", "is")):
        return ""
    if not plural.isascii():
        return plural[:-1]
    if len(plural) > 4 and plural.endswith("ics"):
        return ""  # a field of study: dynamics is not the plural of dynamic
    if len(plural) > 4 and plural.endswith("ies"):
        return plural[:-3] + "y"
    if plural.endswith(("sses", "xes", "tzes", "shes", "ches")) or _USES.fullmatch(plural):
        return plural[:-2]
    return plural[:-1]


def _with_ending(singular: str) -> str:
    if singular.isascii():
        if singular.endswith("y") and singular[-2:-1] not in ("", *"aeiou"):
            return singular[:-1] + "ies"
        if singular.endswith(("s", "x", "z", "sh", "ch")):
            return singular + "es"
    return singular + "s"


def _tables() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """The plurals of each listed singular, and the reverse."""
    pairs = {(word, f"{word}s") for word in _WITH_S.split()}
    pairs |= {(word, plural) for word in _WITH_ES.split() for plural in (f"{word}es", _with_ending(word))}
    for endings, words in _OTHER_ENDINGS.items():
        ending, replacement = endings.split(" -")
        for word in words.split():
            pairs.add((word, _replaced(word, ending.removeprefix("+"), replacement)))
            if ending.startswith("+"):
                pairs.add((word, _with_ending(word)))
    plurals: dict[str, tuple[str, ...]] = {}
    singulars: dict[str, tuple[str, ...]] = {}
    for singular, plural in sorted(pairs):
        plurals[singular] = (*plurals.get(singular, ()), plural)
        singulars[plural] = (*singulars.get(plural, ()), singular)
    return plurals, singulars


def _replaced(word: str, ending: str, replacement: str) -> str:
    head, _, tail = word.rpartition(ending)
    return head + replacement + tail


_PLURALS, _SINGULARS = _tables()
_LAST_PARTS = frozenset(_TAILS).union(*(_PLURALS[tail] for tail in _TAILS))
_COMPOUND = re.compile(f"(.{{2,}}?)({'|'.join(sorted(_LAST_PARTS))})")

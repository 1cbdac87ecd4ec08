"""Which forms of an English word differ in number only: `compiler` and `compilers`, not `compiled`."""

from functools import lru_cache

_IRREGULAR = {
    "antenna": "antennae",
    "appendix": "appendices",
    "atlas": "atlases",
    "automaton": "automata",
    "axis": "axes",
    "bacterium": "bacteria",
    "basis": "bases",
    "bias": "biases",
    "bus": "buses",
    "cache": "caches",
    "campus": "campuses",
    "canvas": "canvases",
    "child": "children",
    "consensus": "consensuses",
    "corpus": "corpora",
    "cortex": "cortices",
    "criterion": "criteria",
    "datum": "data",
    "epoch": "epochs",
    "focus": "foci",
    "formula": "formulae",
    "gas": "gases",
    "genus": "genera",
    "half": "halves",
    "index": "indices",
    "leaf": "leaves",
    "lens": "lenses",
    "locus": "loci",
    "matrix": "matrices",
    "medium": "media",
    "mouse": "mice",
    "movie": "movies",
    "news": "news",
    "niche": "niches",
    "nova": "novae",
    "nucleus": "nuclei",
    "phenomenon": "phenomena",
    "radius": "radii",
    "self": "selves",
    "series": "series",
    "simplex": "simplices",
    "species": "species",
    "spectrum": "spectra",
    "status": "statuses",
    "stimulus": "stimuli",
    "stomach": "stomachs",
    "stratum": "strata",
    "supernova": "supernovae",
    "vertex": "vertices",
    "virus": "viruses",
    "vortex": "vortices",
    "woman": "women",
}
_SINGULARS = {plural: singular for singular, plural in _IRREGULAR.items()}


@lru_cache(maxsize=4096)
def number_forms(word: str) -> tuple[str, ...]:
    """`word` with its singular and plural forms, sorted: `index`, `indexes`, `indices`.

    A form that no one writes may be among them; a word that is missing here is an unusual plural.
    """
    singular = _singular(word)
    return tuple(sorted({word, singular, _plural(singular), _IRREGULAR.get(singular, word)}))


def _singular(word: str) -> str:
    if word in _SINGULARS:
        return _SINGULARS[word]
    if word in _IRREGULAR or len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("lyses", "theses", "crises", "gnoses")):
        return word[:-2] + "is"
    if word.endswith(("sses", "xes", "zzes", "shes", "ches")):
        return word[:-2]
    return word[:-1]


def _plural(word: str) -> str:
    if word.endswith("sis"):
        return word[:-2] + "es"
    if word.endswith("y") and word[-2:-1] not in ("", *"aeiou"):
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "sh", "ch")):
        return word + "es"
    return word + "s"

"""Splits an abstract into sentences, where a careful reader would (docs/decisions/sentences.md)."""

import re

_MARK = re.compile(r"(?P<mark>[.!?…]{1,4})(?P<closing>[)\]}”’\"']{0,4})(?=\s|[A-Z][a-z]*\b)")
_LAST_WORD = re.compile(r"[^\s(\[{“”\"‘’/–—-]*$")
_NEXT_WORD = re.compile(r"[\s(\[{“\"‘'•*]*([^\W\d_]+)")
_INITIALS = re.compile(r"(?:[A-Z]\.)*[A-Z]|[A-Z][a-z]?\.-?[A-Z]")
_LIST_MARK = re.compile(r"\W*(?:\d{1,2}|[ivx]{1,4}|[a-hA-H])")
_LOWER_START = re.compile(r"[a-z]+[A-Z0-9]|we\b")
_RUN_ON = re.compile(r"(?<=[a-z]{4})\.(?=[A-Z][a-z]+ )")
_NEVER_FIRST = frozenset(",;:)]}=<>≤≥≠≈±+-−×⊂⊆∈/^_&")
_LONGEST_BRACKET = 400
_LABEL_WORDS = 2

_NEVER_LAST_LINE = (
    "i.e e.g ie eg c.f cf viz vs resp approx fig figs eq eqs eqn eqns sect secs sects refs thm thms prop "
    "props lem ch chap vol vols nos prof mr mrs st phys rev lett math proc astron astrophys commun comm "
    "univ dept ed eds w.r.t wrt s.t incl excl geom anal acad symp conf intl amer bull appl nucl chem mech "
    "eng trans lond"
)
_NEVER_LAST = frozenset(_NEVER_LAST_LINE.split())
_SELDOM_LAST_LINE = (
    "al etc i.i.d inc ltd co corp jr sr u.s u.k u.n e.u u.s.a ph.d m.sc b.sc a.m p.m d.c no nat cor def "
    "alg int sec min max avg ms pp dr ca soc sci gen rel app ann tab ref ex dist"
)
_SELDOM_LAST = frozenset(_SELDOM_LAST_LINE.split())
"""A sentence ends here only if the next word often begins one."""

_BEFORE_NUMBER = frozenset(("c", "no", "nr", "n", "p", "v", "ver", "vers", "l", "art"))
_OPENERS_LINE = (
    "a an the this these those that such each every all both some many most several one two three other "
    "another any no its their our his her we i it they he she here there in on at by for from of to with "
    "within without under over between among across through during after before since until upon via as "
    "if when while where whereas otherwise whether although though because unless once given using based "
    "building motivated inspired unlike like despite beyond besides rather instead additionally also "
    "moreover furthermore however therefore thus hence then consequently accordingly specifically "
    "particularly notably importantly crucially finally lastly first firstly second secondly third "
    "thirdly next overall further conversely similarly likewise meanwhile nevertheless nonetheless "
    "recently currently traditionally typically generally often numerically theoretically empirically "
    "remarkably surprisingly interestingly what which who how why is are can does do let suppose assume "
    "consider note results experiments experimental extensive evaluations evaluation code numerical "
    "simulations comprehensive existing current recent previous prior more only even not yet but and or "
    "so"
)
_OPENERS = frozenset(_OPENERS_LINE.split())


def sentences(text: str) -> tuple[tuple[int, int], ...]:
    """The start and the end of each sentence of `text`; there are only blanks between them."""
    inside = _bracketed(text)
    found: list[tuple[int, int]] = []
    start = len(text) - len(text.lstrip())
    for mark in _MARK.finditer(text):
        end = mark.end()
        if any(first < mark.start() and end <= last for first, last in inside):
            continue
        if _is_end(text, start, mark) and not _is_label(text[start:end]):
            found.append((start, end))
            start = end + len(text[end:]) - len(text[end:].lstrip())
    return (*found, (start, len(text.rstrip()))) if text[start:].strip() else tuple(found)


def _is_label(sentence: str) -> bool:
    """Whether this is no sentence of its own, such as `Background.` or `Wow!`."""
    return sentence.count(" ") < _LABEL_WORDS


def _bracketed(text: str) -> list[tuple[int, int]]:
    """The outermost pairs of brackets, of any two shapes, as in `[0, 1)`."""
    opened: list[int] = []
    pairs: list[tuple[int, int]] = []
    for place, character in enumerate(text):
        if character in "([{":
            opened.append(place)
        elif character in ")]}" and opened:
            start = opened.pop()
            if place - start <= _LONGEST_BRACKET:
                while pairs and pairs[-1][0] > start:
                    pairs.pop()
                pairs.append((start, place))
    return pairs


def _is_end(text: str, start: int, found: re.Match[str]) -> bool:
    """Whether the sentence that begins at `start` ends with the mark that was found."""
    mark, end = found["mark"], found.end()
    following = text[end:].lstrip()[:1]
    if not following:
        return True
    if following in _NEVER_FIRST or (following.islower() and not _LOWER_START.match(text[end:].lstrip())):
        return False
    is_opened = _begins_with_opener(text, end)
    is_run_on = not text[end].isspace()
    if is_run_on or mark not in (".", "!", "?") or text[: found.start()][-1:].isspace():
        return is_opened or (is_run_on and _RUN_ON.match(text, found.start()) is not None)
    return (
        mark != "." or bool(found["closing"]) or _ends_word(text, start, found.start(), following, is_opened)
    )


def _ends_word(text: str, start: int, place: int, following: str, is_opened: bool) -> bool:
    """Whether a full stop at `place` does not only belong to the word before it."""
    found = _LAST_WORD.search(text, start, place)
    word = found[0] if found else ""
    folded = word if len(word) > 1 and word.isalpha() and word.isupper() else word.lower()
    if folded in _NEVER_LAST or (folded in _BEFORE_NUMBER and following.isdigit()):
        return False
    begins = max(start, *(text.rfind(sign, start, place) + 1 for sign in ("; ", ": ")))
    if _LIST_MARK.fullmatch(text, begins, place):
        return False
    return is_opened or not (folded in _SELDOM_LAST or _INITIALS.fullmatch(word))


def _begins_with_opener(text: str, end: int) -> bool:
    """Whether a word that often begins sentences follows; `A.` is an initial."""
    found = _NEXT_WORD.match(text, end)
    if not found or not found[1][0].isupper() or found[1].lower() not in _OPENERS:
        return False
    return not (len(found[1]) == 1 and text[found.end() : found.end() + 1] == ".")

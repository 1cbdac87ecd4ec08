"""Finds where a comment says that a paper was accepted: `Accepted at …`, `To appear in …`, `ICML 2026`."""

import re

_AT = r"(?:as|at|by|for|in|into|on|to|with|@)"
_LEAD = (
    r"(?i:(?:th(?:is|e)|our|it|an?)\b[^.;,()]{0,70}?\b(?:been|was|were|is|are|be|will|version|paper|article|manuscript)\s+"
    r"|(?:[a-z’']+\s+){0,6}(?:version|paper|manuscript|preprint|abstract|article|work)\s+"
    r"|(?:early|provisionally|conditionally|recently|originally|selected)\s+)?"
)
_DONE = (
    r"(?:[Aa]ccept(?:ed|ance)?|ACCEPTED|[Pp]ublished|[Pp]resented|[Aa]ppear(?:s|ed|ing)|[Ff]orthcoming)"
    r"(?:\s+(?:and\s+)?(?:presented|published|version|papers?|manuscript|poster|oral|for publication"
    rf"|to appear|to be published|to be presented))*\s+{_AT}\b"
    r"|(?:[Aa]ccepted|[Tt]o appear|[Ff]orthcoming)\s*[,:]?\s+\(?(?=[A-Z])"
    r"(?!Code|Project|Camera|Data|Supp|See|This|Minor)"
)
_COMING = (
    rf"(?:[Tt]o|[Ww]ill)\s+(?:appear|be\s+(?:published|presented|included))\s+{_AT}\b|[Ii]n\s+press\s+(?:in|at|with)\b"
    rf"|(?:[A-Za-z]+\s+)?[Cc]amera[- ][Rr]eady(?:\s+(?:version|copy|paper))?\s+(?:{_AT}|of)\b"
)
_ROLE = (
    r"(?:[A-Z][a-z]+\s+(?:[a-z]+\s+)?)?(?:[Oo]ral|[Ss]potlight|[Pp]oster|[Tt]alk|[Kk]eynote|[Pp]resentation|[Aa]ward"
    r"|[Pp]aper|[Hh]ighlight)s?(?:\s+(?:presentation|paper|talk|poster|session))?\s+(?:at|in|for|of|@)\b"
    r"|(?:[Ii]n:?\s+)?(?:the\s+)?(?:[Pp]roceedings|Proc\.|Findings)\s+of\b|[Ii]n:?\s+Proc\."
)
_STATUS = rf"(?:{_DONE}|{_COMING}|{_ROLE})"
_BODY = r"(?:IEEE|ACM|AAAI|USENIX|SIAM|IFAC|IFIP|INFORMS|ACL|SPIE|AIAA)"
_ACRONYM = r"(?:[A-Z]\d)?[A-Z]*[a-z]*[A-Z]{2,}[A-Za-z/+@-]*"
_ORDINAL = r"(?:20\d\d|\d+(?:st|nd|rd|th)|First|Second|Third|Fourth|Fifth)"
_MEETING = (
    r"(?:Conference|Symposium|[Ww]orkshop|Congress|Convention|Transactions|Journal|Letters|Proceedings"
    r"|Meeting)"
)
_NAME = (
    r"(?!(?:MSC|AMS|PACS|JEL|ACM [A-Z]\b|REVTeX|LaTeX|TeX|IEEEtran|PhD|MSci?|Submitted|Under|Code"
    r"|Copyright|Project|Data)\b)"
    rf"(?:(?:The\s+)?(?:{_ORDINAL}\s+)?(?:{_BODY}\S*\s+)*(?:{_ACRONYM}|Interspeech)"
    r"(?:\s?20\d\d|\s?[’'](?:20)?\d\d)\b(?![.-]?\d|\s+(?:[Ss]ubmi|[Uu]nder))"
    rf"|(?:The\s+)?(?:{_ORDINAL}\s+)?(?:{_BODY}|Annual|International|(?<=\d[a-z][a-z] ))\b"
    rf"[^.;,()]{{0,80}}?\b{_MEETING}\b"
    rf"|(?:The\s+)?{_ORDINAL}\s+(?:{_ACRONYM}\s+)?{_MEETING}\b"
    rf"|{_BODY}(?:\s+[A-Z]\S+){{1,4}}\s+(?:20\d\d|[’']\d\d)\b|(?:AAAI|IJCAI|ECAI|ICAPS)-\d\d\b"
    r"|(?!Revis|[^.;:()]*\b(?:not|Not|never|[Ii]f|be|until|yet)\b)"
    r"(?=[A-Z])(?:\b[A-Z][a-z]{0,7}\.(?=\s)|[^.;:()]){2,80}?"
    r",?\s\(?(?:in press|accepted|to appear)\)?(?=$|[;.,])"
    r"|[A-Z]{3,}\S*\s(?:[^\s.;,()]+\s){0,5}[Ww]orkshop\b"
    rf"|[A-Z][^.;:]{{0,100}}?\s(?:at|@)\s(?:the\s)?{_ACRONYM}\s\(?20\d\d\b\)?)"
)
_START = re.compile(
    rf"(?:^|(?<=[.;,:)|!?–—-] )|(?<=(?:pages|ables|gures) ))(?:{_LEAD}{_STATUS}|{_NAME})|(?<=\(){_STATUS}"
)
_COUNTED = (
    r"(?:about\s+)?\d+\s*[+-]?\s*(?:\d+\s+)?(?:[a-z]+\s+)?"
    r"(?:pages?|pp|p\.|figures?|figs?|tables?|slides|references|lines|words|minutes)"
)
_OTHER_LINE = (
    "codes?|project|data|datasets?|source|supplement\\w*|github|website|webpage|arxiv|minor|comments?|v\\d|version|"
    "final|extended|see|doi|openreview|paper id|submission|with \\d|including|this|we|our|all|please|cite|"
    "also|the (?:code|paper|final|first|source)|main (?:text|paper)|appendi\\w+|preprint|video|demo|typos|"
    "revised|updated?|added|equal|corresponding|keywords|msc|first (?:two )?authors?|joint|work|title|"
    "in addition|it|some|a (?:short|preliminary|version)|available|author|original|full|short|long|based|"
    "submitted|contains|includes|text"
)
_OTHER = re.compile(rf"(?:{_OTHER_LINE})\b", re.IGNORECASE)
_STOP = re.compile(
    rf"[()\[\]{{}}]|;|[,.]?\s+(?=\(?{_COUNTED}\b)"
    r"|:(?=https?:)|[.,:]?\s+(?=[(\[<]?(?:https?:|www\.|\\url|\\href))"
    rf"|(?:[.,]|\s[-–—|]+)\s+(?=(?:{_OTHER_LINE})\b)"
    r"|(?<=[\w)][\w)])\.\s+(?=[A-Z(\[])",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\(?(?:19|20)\d\d\)")
_LAST_ABBREVIATION = re.compile(r"\b[A-Z][a-z]{0,8}\. (?:[a-z]+ )?[A-Z][a-z]{0,8}$")
_ABBREVIATED = re.compile(r"\b(?:[A-Z][a-z]{0,7}|[A-Z])\.?$")
_LAST_PREPOSITION = re.compile(r"\s(?:at|in|on|see|via|from|with|and)$")
_PREPOSITIONS = (" at", " in", " by", " of", " to", " for", " on", " as", " @", " with", " into")
_AT_EDGE = " ,;:.(|–—-"


def split_venue(comment: str) -> tuple[str, str]:
    """The part of the comment about acceptance, if there is one, and the rest; brackets are kept in pairs."""
    found = _START.search(comment)
    if not found:
        return "", comment
    end = _end(comment, found.start(), found.end())
    if last := _LAST_PREPOSITION.search(comment, found.end(), end):
        end = last.start()
    if end == found.end() and comment[:end].endswith(_PREPOSITIONS):
        return "", comment
    before = comment[: found.start()].rstrip(" ,;:(|–—-")
    after = comment[end:].lstrip(" ,;:.)]|–—-")
    joint = " " if before.endswith(".") or not before or not after else "; "
    venue = comment[found.start() : end].rstrip(_AT_EDGE)
    if _LAST_ABBREVIATION.search(venue) and comment.startswith(".", found.start() + len(venue)):
        venue += "."
    return venue, f"{before}{joint}{after}".strip()


def _end(comment: str, start: int, at: int) -> int:
    """The end of the venue that starts at `start`: before something else is said, outside of brackets."""
    depth = 0
    for stop in _STOP.finditer(comment, start):
        if stop[0] in "([{":
            depth += 1
        elif stop[0] in ")]}":
            depth -= 1
        if depth < 0 or (stop.start() >= at and depth == 0 and _is_stop(comment, stop)):
            return stop.start()
    return len(comment)


def _is_stop(comment: str, stop: re.Match[str]) -> bool:
    if stop[0] in tuple("()[]{}"):
        return False
    following = comment[stop.end() : stop.end() + 1]
    if stop[0].startswith(".") and following == "(" and _YEAR.match(comment, stop.end()):
        return False
    is_full_stop = stop[0].startswith(".") and (following.isupper() or following == "(")
    if not is_full_stop or _OTHER.match(comment, stop.end()):
        return True
    return not _ABBREVIATED.search(comment, 0, stop.start())

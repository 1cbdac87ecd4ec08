"""Whether a sign in text is TeX or means itself. Each decision depends on the text around the sign."""

import re

from digest.mail.rendering.tex.letters import accented

_ACCENT = re.compile(
    r"""\\(?:(?P<sign>["'`^~=.])|(?P<word>[uvHcdbrk])(?![A-Za-z]))[ ]?"""
    r"(?:\{\}(?P<after>[^\W\d_])|\{\ ?(?P<braced>\\[ij](?![A-Za-z])|[^\W\d_])\ ?\}"
    r"|(?P<letter>\\[ij](?![A-Za-z])\ ?|[^\W\d_]))"
)
_BRACED_ACCENT = re.compile(
    r"""\{\\(?:(?P<sign>["'`^~=.])|(?P<word>[uvHcdbrk]))\s?(?:\{\})?\}(?P<letter>[^\W\d_])"""
)
_TEX = re.compile(r"\\[A-Za-z,;!{}|%]|[\^_=]|[A-Za-z]'")
_TWO_WORDS = re.compile(r"(?:^|\s)[A-Za-z]{2,},?\s[A-Za-z]{2,}")
_PRICE = re.compile(r"[\d.,]+(?:[kKMB]|\s?(?:[mb]illion|per|a|an|to|and|for)\b)?(?:[\s/,;)]|$)")
# What follows a dollar sign that opens `$\times$`, `$\%$` or `$\sim 5$`.
_OPENED = re.compile(r"\\(?:[A-Za-z]+|%)\s?[\d.,]*\$")
# One letter, a number, or several of them with operators: what authors set between blanks, as `$ G $`.
_FORMULA = re.compile(
    r"[-+−~<>≤≥|(]*(?:[^\W\d_]|\d(?:[\d.,]*\d)?)[)|]*"
    r"(?:\s?[-+−*/=<>≤≥×·,:;∈→|()\[\]]+\s?(?:[^\W\d_]|\d(?:[\d.,]*\d)?)[)|\]]*){0,8}%?"
)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_SINGLE_QUOTED = re.compile(r"`(?:[^`'\s]|'(?=\w)|\s(?=\S)){1,200}'(?!\w)")
_GROUP = re.compile(r"\s?[^\W\d_](?:[^\W_]|[ .'’-])*")
_ROMAN = re.compile(r"[ivx]+")
_LETTER_ALONE = re.compile(r"(?<![^\W_])[^\W\d_a]$")


def accent(source: str, start: int) -> tuple[str, int] | None:
    r"""The letter that the accent at `start` makes, and the end of the accent, if there is such a letter."""
    found = _ACCENT.match(source, start)
    if not found:
        return None
    letter = (found["after"] or found["braced"] or found["letter"]).strip()
    made = accented("ı" if letter.startswith("\\i") else letter.strip("\\"), found["sign"] or found["word"])
    return (made, found.end()) if made else None


def braced_accent(source: str, start: int) -> tuple[str, int] | None:
    r"""As `accent`, for an accent alone in braces before its letter: `T{\"}ulu`."""
    found = _BRACED_ACCENT.match(source, start)
    made = accented(found["letter"], found["sign"] or found["word"]) if found else None
    return (made, found.end()) if found and made else None


def is_maths(inner: str, after: str) -> bool:
    """Whether dollar signs around `inner` open and close maths, and are not prices."""
    if not inner.strip() or _BLANK_LINE.search(inner):
        return False
    if _is_price_before_maths(inner, after):
        return False
    has_tex = bool(_TEX.search(inner))
    if not has_tex and inner[0].isdigit() and inner.endswith("US"):
        return False
    is_number = inner[0].isdigit() and after[:1].isdigit()
    if not inner[0].isspace() and not inner[-1].isspace() and not is_number:
        return has_tex or not (_PRICE.match(inner) and _TWO_WORDS.search(inner))
    if is_number or _TWO_WORDS.search(inner):
        return False
    return has_tex or _FORMULA.fullmatch(inner.strip()) is not None


def _is_price_before_maths(inner: str, after: str) -> bool:
    """Whether the second dollar sign opens maths: `$1.20, or 10$\\times$ less`, `$5 ($n=3$)`."""
    price = _PRICE.match(inner)
    if not price or price.end() == len(inner):
        return False
    return bool(_OPENED.match(after)) or inner[-1] == "~" or inner.count("(") > inner.count(")")


def is_group(content: str, before: str, after: str) -> bool:
    """Whether braces around `content` are invisible TeX: `{B}lahut`, `{\\em so}`, but not `{0,1}`."""
    if "\\" in content or "$" in content:
        return content.startswith("\\") or "," not in content
    if content in (",", ".", "-", "--"):
        return before.isalnum() and after.isalnum()
    if not _GROUP.fullmatch(content) or before in ("/", "=", "?", "&", ".", "^", "_"):
        return False
    is_in_word = before.isalpha() or after.isalpha()
    return is_in_word or (len(content) > 1 and not _ROMAN.fullmatch(content))


def is_single_quoted(source: str, start: int) -> int | None:
    """The end of the quotation that a single backquote opens at `start`."""
    if start and source[start - 1].isalnum():
        return None
    found = _SINGLE_QUOTED.match(source, start)
    return found.end() - 1 if found else None


def double_quote(part: str, opened: str, before: str, after: str) -> tuple[str, str]:
    """The character for a quotation mark, and the mark that opened the quotation after it, or empty."""
    if opened and part != "``" and (part == "''" or not after.isalnum()):
        return "”", ""
    if part == '"' or not after or after.isspace() or after == "`":
        return part, opened
    if part == "``" or not before or before.isspace() or before in "([":
        return "“", part
    return part, opened


def shown_dashes(part: str, before: str, after: str) -> str:
    """A dash, unless the hyphens are an arrow, a rule, or the beginning of a command's option."""
    is_option = (not before or before.isspace() or before in "([{`'\"=/") and after.isalpha()
    is_arrow = after in (">", "|") or before in ("<", "!", "|")
    if len(part) > 3 or is_option or is_arrow or (after and after in ";.,"):
        return part
    return "–" if len(part) == 2 else "—"


def shown_tie(source: str, start: int) -> str:
    """A blank, unless the tilde means "about": `~42%`, `z~1`, `[Fe/H]~-2.3`."""
    before, after = source[max(0, start - 2) : start], source[start + 1 : start + 2]
    last = before[-1:]
    if not last or last.isspace() or not after or last in "(/=<>[~|+" or after in "/~":
        return "~"
    if after.isspace():
        return "" if last.isalnum() else "~"
    is_amount = after.isdigit() or after in "+-.−"
    if is_amount and (last.isdigit() or last in ")]%" or _LETTER_ALONE.search(before)):
        return "~"
    return " "

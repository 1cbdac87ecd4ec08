"""The parts of an author's name, which arXiv gives as one text: given name, particle, family name, suffix."""

import re
from dataclasses import dataclass

from digest.mail.rendering.tex.convert import plain
from digest.model.paper import one_line


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARTICLES = _words(
    "af al av bin bint binti d' da dal das de degli dei del della den der des di do dos du el het ibn la"
    " las le li lo los 's 't te ten ter v. van vanden vander vom von zu zum zur"
)
# With a capital, these begin a family name (`Di Lorenzo`, `El Harrak`); other particles are given names then.
_CAPITAL_PARTICLES = _words(
    "Al Da Dal Dalla De Degli Del Dela Della Den Der Des Di Do Dos Du El La Las Le Lo Los Mc St. Ten Ter"
    " Van Vander Vanden Von Zu Zur"
)
# In Vietnamese names, `Van` and `Le` are middle names.
_VIETNAMESE = _words(
    "An Anh Binh Bui Cao Chau Chien Chinh Cuong Dang Dat Dinh Do Doan Dong Duc Dung Duong Giang Ha Hai"
    " Hien Hieu Ho Hoa Hoang Hong Hung Huong Huy Huynh Khanh Khoa Kien Lam Le Linh Loc Loi Long Luong Luu"
    " Ly Mai Manh Minh Nam Nghia Ngo Nguyen Nhan Pham Phan Phong Phu Phuc Phuong Quan Quang Quoc Quy Quynh"
    " Son Ta Tam Tan Thai Thang Thanh Thao Thi Thien Thinh Tho Thu Thuy Tien Tin Toan Ton Tran Tri Trinh"
    " Trong Trung Truong Tu Tuan Tung Tuyen Van Viet Vinh Vo Vu Vuong Xuan Yen"
)
_PERHAPS_VIETNAMESE = frozenset(("Van", "Le", "Do"))
_JOINS = frozenset(("y", "e", "i"))
_SUFFIX = re.compile(r"(?:Jr|Sr|Jnr|Snr|II|III|IV)\.?", re.IGNORECASE)
# Portuguese words for `Jr.` are part of the family name.
_SECOND_SURNAME = frozenset(("Filho", "Júnior", "Junior", "Neto", "Netto", "Sobrinho"))
_INITIAL = re.compile(r"\w\.?(?:-?\w\.)*")
_GROUP = re.compile(
    r"\b(?i:collaborations?|collaborators|team|groups?|consorti(?:um|a)|projects?|network|initiative|committee"
    r"|community|foundation|institutes?|university|laborator(?:y|ies)|observatory|survey|alliance|association"
    r"|society|contributors|members|authors)\b"
    r"|\b[Tt]he |\b(?:and|by|for|of|with) "
)
_AND = re.compile(r"(?:and|with) (?=[^\Wa-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A person with at least a given and a family name; or, if only `family` is set, anything else.

    Such are collaborations, companies, and people with a single name. `particle` is `van der` or empty.
    """

    family: str
    given: str = ""
    particle: str = ""
    suffix: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it has no parts, as the name of a collaboration."""
        return not self.given

    @property
    def surname(self) -> str:
        """The family name with its particle."""
        return _attached(self.particle, self.family)

    @property
    def spoken(self) -> str:
        """`Bo Sample Jr.`"""
        return " ".join(filter(None, (self.given, self.surname, self.suffix)))

    @property
    def inverted(self) -> str:
        """`van der Berg, Jan` or `Sample, Bo, Jr.`; a name without parts as it is."""
        return ", ".join(filter(None, (self.surname, self.given, self.suffix)))


def parse_names(authors: tuple[str, ...]) -> tuple[Name, ...]:
    """The names that have a letter or a digit, without TeX."""
    texts = (one_line(plain(one_line(author)).replace(",", " ")) for author in authors)
    return tuple(parse_name(text) for text in texts if _has_letter(text))


def parse_name(text: str) -> Name:
    """The parts of `text`, a name in the order of speech: `Jan van der Berg`."""
    text = text[found.end() :] if (found := _AND.match(text)) else text
    words = text.split(" ")
    suffix = ""
    if len(words) > 2 and _SUFFIX.fullmatch(words[-1]):
        suffix = words.pop()
    if len(words) < 2 or _GROUP.search(text) or not all(map(_has_letter, (words[0], words[-1]))):
        return Name(family=text)
    start = _start_of_surname(words)
    after = start
    while after < len(words) - 1 and words[after] in _PARTICLES:
        after += 1
    return Name(
        given=" ".join(words[:start]),
        particle=" ".join(words[start:after]),
        family=" ".join(words[after:]),
        suffix=suffix,
    )


def _has_letter(text: str) -> bool:
    return any(map(str.isalnum, text))


def _start_of_surname(words: list[str]) -> int:
    """The place of the first particle; else of the surname that a join such as `y` follows; else the last."""
    for place in range(1, len(words) - 1):
        word = words[place]
        if word in _JOINS and place > 1:
            return place - 1
        if word not in _JOINS and (word in _PARTICLES or _begins_family(words, place)):
            return place
    if words[-1] in _SECOND_SURNAME and len(words) > 2 and not _INITIAL.fullmatch(words[-2]):
        return len(words) - 2
    return len(words) - 1


def _begins_family(words: list[str], place: int) -> bool:
    if words[place] not in _CAPITAL_PARTICLES:
        return False
    return words[place] not in _PERHAPS_VIETNAMESE or words[-1] not in _VIETNAMESE


def _attached(particle: str, family: str) -> str:
    if not particle:
        return family
    return f"{particle}{family}" if particle[-1] in "'’" else f"{particle} {family}"

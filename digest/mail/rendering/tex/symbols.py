"""The meaning of TeX's commands: one symbol, the name of a function, other TeX, or nothing visible.

The symbols come from pylatexenc, except where its table has none or a less readable one.
"""

from functools import cache
from typing import Any

from pylatexenc.latex2text import get_default_latex_context_db

from digest.mail.rendering.tex.letters import Alphabet
from digest.mail.rendering.tex.more_symbols import MORE
from digest.mail.rendering.tex.spans import Style

_LIBRARY: Any = get_default_latex_context_db()
_OURS = {
    "#": "#", "$": "$", "%": "%", "&": "&", "_": "_", "{": "{", "}": "}", "|": "‖", "Box": "□", "Im": "Im",
    "Re": "Re", "Vert": "‖", "arcmin": "′", "arcsec": "″", "ast": "∗", "backslash": "∖", "bigstar": "★",
    "blacksquare": "■", "checkmark": "✓", "circledR": "®", "coloneqq": "≔", "copyright": "©", "degree": "°",
    "dotsb": "…", "dotsc": "…", "dotsi": "…", "dotsm": "⋯", "dotso": "…", "eqqcolon": "≕", "farcm": "′.",
    "farcs": "″.", "gets": "←", "hookrightarrow": "↪", "iff": "⟺", "implies": "⟹", "impliedby": "⟸",
    "land": "∧", "lbrack": "[", "lnot": "¬", "lor": "∨", "lt": "<", "gt": ">", "mho": "℧", "mid": "|",
    "ne": "≠", "nsim": "≁", "nsubseteq": "⊈", "oiint": "∯", "owns": "∋", "phi": "φ", "epsilon": "ε",
    "prime": "′", "rbrack": "]", "restriction": "↾", "star": "⋆", "textbackslash": "\\", "textbar": "|",
    "textless": "<", "textgreater": ">", "textquoteright": "’", "textquoteleft": "‘",
    "textquotedblright": "”", "texttimes": "×", "textpm": "±", "textmu": "µ", "triangle": "△",
    "upharpoonright": "↾", "varprojlim": "lim", "varinjlim": "lim", "SS": "ẞ", "dag": "†", "ddag": "‡",
    "LaTeX": "LaTeX", "TeX": "TeX", "perp": "⊥", "bot": "⊥", "eth": "ð", "circlearrowleft": "↺",
    "circlearrowright": "↻", "nperp": "⊥̸", "imath": "ı", "jmath": "ȷ", "euro": "€",
    "S": "§", "Bbbk": "𝕜", "limsup": "lim sup", "liminf": "lim inf", "P": "¶",
    "bigoplus": "⨁", "bigotimes": "⨂", "colon": ":", "textdegree": "°", "micron": "µm",
    "idotsint": "∫⋯∫", "colonapprox": ":≈", "colonsim": ":∼", "varlimsup": "lim sup", "varliminf": "lim inf",
    "bigtriangleup": "△", "bigtriangledown": "▽", "qed": "∎", "hslash": "ℏ",
}  # fmt: skip

_FUNCTIONS_LINE = (
    "arccos arcsin arctan arg argmax argmin cos cosh cot coth csc deg det dim exp gcd hom inf ker lcm lg "
    "lim liminf limsup ln log max min mod Pr sec sin sinh sup tan tanh Re Im varprojlim varinjlim injlim "
    "projlim Alg Aut Coh Corr Cov Der Div End Ext Fix Frac Gal Grp Hilb Hom Ind Inn Irr Isom Ker Lie Map "
    "Mod Mor Out Pic Proj Ran Rank Rep Res Sel Set Span Spec Stab Sym Tor Tr Var ad area card codim coker "
    "conv cov diag diam dist div dom erf grad id im lim log polylog poly rank rk sgn sign span spec supp "
    "arccosh arcsinh arctanh arccot arcsec arccsc sech csch arsinh arcosh artanh erfc sinc Erf "
    "varlimsup varliminf tr trace var vol Vol GL SL PGL PSL SO SU Sp Gr Gl aut sym gldim res rev"
)
FUNCTIONS = frozenset(_FUNCTIONS_LINE.split())
"""Commands that are shown as their own name: from TeX, or usually defined by authors under the shown name."""

SHORTHANDS = {
    "R": r"\mathbb{R}", "C": r"\mathbb{C}", "Z": r"\mathbb{Z}", "Q": r"\mathbb{Q}", "N": r"\mathbb{N}",
    "RR": r"\mathbb{R}", "CC": r"\mathbb{C}", "ZZ": r"\mathbb{Z}", "QQ": r"\mathbb{Q}", "NN": r"\mathbb{N}",
    "FF": r"\mathbb{F}", "PP": r"\mathbb{P}", "EE": r"\mathbb{E}", "HH": r"\mathbb{H}",
    "Rn": r"\mathbb{R}^n", "reals": r"\mathbb{R}", "eps": r"\varepsilon", "Msun": r"M_\odot",
    "Rsun": r"R_\odot", "Lsun": r"L_\odot", "msun": r"M_\odot", "kms": r"km s^{-1}", "E": r"\mathbb{E}",
    "F": r"\mathbb{F}", "K": r"\mathbb{K}", "T": r"\mathbb{T}",
} | {
    name.format(letter): rf"\mathcal{{{letter}}}"
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for name in ("c{}", "s{}", "{}cal")
}  # fmt: skip
"""The usual meaning of commands that authors define themselves; arXiv's text lacks the definitions."""

ALPHABETS = {
    "mathcal": Alphabet.SCRIPT, "mathscr": Alphabet.SCRIPT, "mathbb": Alphabet.DOUBLE_STRUCK,
    "mathbbm": Alphabet.DOUBLE_STRUCK, "mathds": Alphabet.DOUBLE_STRUCK, "mathfrak": Alphabet.FRAKTUR,
    "mathbf": Alphabet.BOLD, "boldsymbol": Alphabet.BOLD, "bm": Alphabet.BOLD, "pmb": Alphabet.BOLD,
    "mathbfit": Alphabet.BOLD, "mathit": None, "mathnormal": None,
    "mathrm": Alphabet.UPRIGHT, "mathsf": Alphabet.UPRIGHT, "mathtt": Alphabet.UPRIGHT,
    "mathup": Alphabet.UPRIGHT, "mathop": None, "mathord": None, "mathbin": None,
    "mathrel": None, "boxed": None, "ensuremath": None, "overbrace": None, "underbrace": None,
    "mathstrut": None, "underbracket": None, "overbracket": None, "undergroup": None, "overgroup": None,
    "overlinesegment": None, "underlinesegment": None, "mathllap": None, "cancel": None, "vcenter": None,
    "mathbfcal": Alphabet.SCRIPT, "mathbfscr": Alphabet.SCRIPT, "mathpzc": Alphabet.SCRIPT,
    "vb": Alphabet.BOLD, "mathinner": None, "mathclose": None, "mathopen": None, "mathpunct": None,
    "smash": None, "mathrlap": None, "mathclap": None,
}  # fmt: skip
"""Commands whose argument is shown in an alphabet, or unchanged."""

DECLARATIONS = {
    "cal": Alphabet.SCRIPT, "frak": Alphabet.FRAKTUR, "bb": Alphabet.DOUBLE_STRUCK,
    "Bbb": Alphabet.DOUBLE_STRUCK, "bf": Alphabet.BOLD, "boldmath": None, "it": None,
    "rm": Alphabet.UPRIGHT, "sf": Alphabet.UPRIGHT, "tt": Alphabet.UPRIGHT, "sc": Alphabet.UPRIGHT,
    "sl": None, "em": None, "bfseries": None, "itshape": None, "upshape": None, "scshape": None,
    "ttfamily": None, "sffamily": None, "rmfamily": None, "normalfont": None, "slshape": None,
    "mdseries": None,
}  # fmt: skip
"""Commands that change the alphabet up to the end of their group."""

_TEXTS_LINE = (
    "text textrm textit textbf textsf texttt textsc textup textsl textnormal textmd mbox hbox emph fbox "
    "uline section subsection subsubsection paragraph subparagraph title keywords underline sout textquote "
    "MakeUppercase uppercase lowercase centerline framebox makebox textlf textln mathtext intertext "
    "shortintertext textin"
)
TEXTS = frozenset(_TEXTS_LINE.split())
"""Commands whose argument is words."""

STYLES = {
    **dict.fromkeys(("emph", "textit", "textsl", "em", "it", "sl", "itshape", "slshape"), Style.EMPHASIS),
    **dict.fromkeys(("textbf", "bf", "bfseries"), Style.STRONG),
}
"""Commands for words in a style: with an argument, or at the start of a group."""

_UNSEEN_LINE = (
    "displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits nonumber notag relax protect "
    "noindent centering small large Large tiny footnotesize normalsize allowbreak nobreak bigskip medskip "
    "smallskip negthinspace negmedspace negthickspace nobreakdash ! - @ / maketitle "
    "xspace onedot tableofcontents expandafter strut null unboldmath ignorespaces unskip "
    "raggedright raggedleft footnotesize LARGE huge Huge normalcolor sloppy newpage clearpage"
)
UNSEEN = frozenset(_UNSEEN_LINE.split())
BLANKS = {
    ",": True, ":": True, ";": True, ">": True, " ": False, "\n": False, "~": False, "quad": False,
    "qquad": False, "enspace": False, "enskip": False, "thinspace": True, "space": False,
    "newline": False, "par": False, "medspace": True, "thickspace": True, "nobreakspace": False,
    "hfil": False, "hfill": False, "linebreak": False,
}  # fmt: skip
"""Commands for a blank, and whether it is thin and omitted between close characters."""

SIZES = frozenset(
    f"{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")
) | {"left", "right", "middle"}  # fmt: skip
"""Commands before a bracket that set its size."""

PAIRS = {
    "abs": ("|", "|"), "norm": ("‖", "‖"), "ceil": ("⌈", "⌉"), "floor": ("⌊", "⌋"), "ket": ("|", "⟩"),
    "bra": ("⟨", "|"), "Ket": ("|", "⟩"), "Bra": ("⟨", "|"), "braket": ("⟨", "⟩"), "Braket": ("⟨", "⟩"),
    "Set": ("{", "}"), "ev": ("⟨", "⟩"), "mean": ("⟨", "⟩"), "order": ("𝒪(", ")"), "paren": ("(", ")"),
    "pqty": ("(", ")"), "bqty": ("[", "]"), "lrangle": ("⟨", "⟩"), "ip": ("⟨", "⟩"),
    "expval": ("⟨", "⟩"), "set": ("{", "}"), "label": ("[", "]"), "pmod": ("(mod ", ")"),
}  # fmt: skip
"""Commands that put their argument between two signs."""


@cache
def symbol(name: str) -> str | None:
    """The symbol for the command; `None` if it is unknown."""
    if ours := _OURS.get(name) or MORE.get(name):
        return ours
    known = _LIBRARY.get_macro_spec(name)
    text = known.simplify_repl if known else None
    return text if isinstance(text, str) and len(text) == 1 else None

"""TeX becomes text that reads, and what cannot be converted stays as it is written."""

import re
import time
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylatexenc import latex2text

from digest.mail.rendering.tex import math, prose
from digest.mail.rendering.tex.convert import plain, spans
from digest.mail.rendering.tex.more_symbols import MORE
from digest.mail.rendering.tex.spans import Script, Span, Style
from digest.mail.rendering.tex.tokens import survives

SUPER, SUB, VARIABLE = Script.SUPER, Script.SUB, Style.VARIABLE


@pytest.mark.parametrize(
    ("source", "pieces"),
    [
        ("", ()),
        ("plain words", (Span("plain words"),)),
        ("$x_1^2$ is", (Span("x", style=VARIABLE), Span("1", SUB), Span("2", SUPER), Span(" is"))),
        ("$e^{x^2}$", (Span("e", style=VARIABLE), Span("x", SUPER, VARIABLE), Span("²", SUPER))),
        (
            r"$a_{n_k}\le b$",
            (Span("a", style=VARIABLE), Span("nₖ", SUB, VARIABLE), Span(" ≤ "), Span("b", style=VARIABLE)),
        ),
        (r"10\textsuperscript{th}", (Span("10"), Span("th", SUPER))),
        ("a < b & c", (Span("a < b & c"),)),
    ],
)
def test_spans_tell_what_is_raised_and_lowered(source: str, pieces: tuple[Span, ...]) -> None:
    assert spans(source) == pieces


RULES = {
    "scripts are Unicode's where it has all characters": [
        ("$n^2$", "n²"),
        ("$x_1$", "x₁"),
        ("$x_{ij}$", "xᵢⱼ"),
        ("$A^{-1}$", "A⁻¹"),
        (r"$^{13}$C", "¹³C"),
    ],
    "other scripts have brackets where they need them": [
        ("$x^{q}$", "x^q"),
        ("$x^{n,1}$", "x^(n,1)"),
        (r"$e^{-\lambda}$", "e^−λ"),
        ("$x^{q}y$", "x^(q)y"),
        ("$x_{y_1}$", "x_(y₁)"),
    ],
    "signs that stand high by themselves do so in plain text": [
        ("$f'$ and $f''$", "f′ and f″"),
        (r"$f^\prime$", "f′"),
        ("$C^*$-algebra", "C*-algebra"),
        (r"$20^\circ$C", "20°C"),
    ],
    "symbols are Unicode's": [
        (r"$\alpha\in\Omega$", "α ∈ Ω"),
        (r"$\hbar\omega$", "ħω"),
        (r"$A\not\subset B$", "A ⊄ B"),
        (r"$\neg p$, $\dashrightarrow$, $\varGamma$, $\Join$", "¬p, ⇢, 𝛤, ⋈"),
        (r"$a \not= b$", "a ≠ b"),
        (r"$\|u\|$", "‖u‖"),
    ],
    "letters have their alphabet": [
        (r"$\mathbb{R}^n$", "ℝⁿ"),
        (r"$\mathcal F\mathfrak g\mathbf{x}$", "ℱ𝔤𝐱"),
        (r"${\cal O}(n)$ and $\cal O(n)$", "𝒪(n) and 𝒪(n)"),
        (r"$\mathrm{Spec}\,A$", "Spec A"),
        (r"$\R\to\CC$", "ℝ → ℂ"),
    ],
    "fractions and roots stand on the line": [
        (r"$\frac{a}{b}$", "a/b"),
        (r"$\frac12$", "1/2"),
        (r"$\frac{a+b}{2c}$", "(a + b)/(2c)"),
        (r"$\frac{du}{dt}$", "du/dt"),
        (r"${a \over b}$", "a/b"),
        (r"$\sqrt{x}$, $\sqrt{x+1}$, $\sqrt[3]{x}$", "√x, √(x + 1), ³√x"),
        (r"$\binom{n}{k}$, ${n \choose k}$, $\genfrac{(}{)}{0pt}{}{n}{k}$", ", ".join(["(n choose k)"] * 3)),
    ],
    "accents are marks on the letters": [
        (r"$\tilde{O}(n)$", "Õ(n)"),
        (r"$\hat\theta_n$", "θ̂ₙ"),
        (r"$\overline{AB}$", "A̅B̅"),
        (r"$\overline{f(x)}$", "f̅(x̅)"),
        (r"$\vec v$ and $\slashed{D}$", "v⃗ and D̸"),
    ],
    "functions and operators stand apart": [
        (r"$n\log n$", "n log n"),
        (r"$\mathcal{O}(n \log^3 n)$", "𝒪(n log³ n)"),
        (r"$\operatorname{rank}A$", "rank A"),
        (r"$L\times L$", "L × L"),
        (r"$5\times10^3$", "5×10³"),
        (r"$k\ge2$", "k ≥ 2"),
        (r"$f\colon X\to Y$", "f: X → Y"),
        (r"$\sum_{i=1}^n a_i$", "∑ᵢ₌₁ⁿ aᵢ"),
    ],
    "signs without an operand stand close": [
        (r"$\sim 10$ pc", "∼10 pc"),
        (r"$1.6\times$", "1.6×"),
        (r"$(\le 5)$", "(≤5)"),
        (r"$x = -1$", "x = −1"),
    ],
    "relations and sums have blanks, a minus is no hyphen": [
        (r"$0 \leq l<k < n$", "0 ≤ l < k < n"),
        ("$n-1$, $x=-1$, $a+b=c$", "n − 1, x = −1, a + b = c"),
        ("$x_{n-1}$ and $e^{-t}$", "xₙ₋₁ and e⁻ᵗ"),
        (r"$x_{{i+1}}$ and $10^{5-6}$", "xᵢ₊₁ and 10⁵⁻⁶"),
        (r"$\frac{2(n-1)}{p}$, $\frac{1}{\sqrt{1+s}}$", "2(n − 1)/p, 1/√(1 + s)"),
        (r"$345.7\pm0.2$", "345.7 ± 0.2"),
        ("$k-means$", "k-means"),
    ],
    "rows and sides of displayed maths stand apart": [
        (r"\begin{align}a&=b\\ &=c,\\ d&\le e\\\end{align}", "a = b = c, d ≤ e"),
        (r"\begin{align*} a&=b\\ c&=d \end{align*}", "a = b; c = d"),
        (r"$a\,=\,b$, $x,\ -1$", "a = b, x, −1"),
        (r"$f:X\to Y$, $\{x\in A:x>1\}$, $[G:H]<2$, $1:2$", "f: X → Y, {x ∈ A: x > 1}, [G:H] < 2, 1:2"),
    ],
    "a dash is between the ends of a range": [
        ("10^{-5}-10^{-1} and 10^{3}-5", "10⁻⁵–10⁻¹ and 10³-5"),
        ("$10^{-5}-10^{-1}$", "10⁻⁵–10⁻¹"),
        (r"$z\sim 2-3$, $5 - 10\,\mathrm{km}$", "z ∼ 2–3, 5–10 km"),
        (r"$2-3\sigma$ and $0.1--0.5$", "2–3σ and 0.1–0.5"),
        ("$2^{10}-1$, $1-2x$, $3-2$, $x^2-1$", "2¹⁰ − 1, 1 − 2x, 3 − 2, x² − 1"),
        (r"$1-10^{-3}$ and $-5-5$ and $1-2/n$", "1 − 10⁻³ and −5 − 5 and 1 − 2/n"),
    ],
    "authors set blanks inside of dollar signs": [
        ("$ G $, $k $ and $ α$-Hölder", "G, k and α-Hölder"),
        ("from $ 0.33$ to $ 0.42 $", "from 0.33 to 0.42"),
        ("$3.2-6.3 $ and $ x + y $", "3.2–6.3 and x + y"),
    ],
    "what only moves things is not seen": [
        (r"$\left(\frac{a}{b}\right)$", "(a/b)"),
        (r"$\big|x\big|$", "|x|"),
        (r"$\displaystyle\sum\limits_i x$", "∑ᵢ x"),
        (r"$10\,\mathrm{km}$", "10 km"),
        (r"$O\!\left(n\right)$", "O(n)"),
    ],
    "maths may be displayed": [
        ("$$x^2$$", "x²"),
        (r"\[ x^2 \]", "x²"),
        (r"\(x^2\)", "x²"),
        (r"\begin{equation} x^2 \end{equation}", "x²"),
        (r"$a \text{ if $b$ is} c$", "a if b is c"),
    ],
    "words have accents, quotes and dashes": [
        (
            r"Erd\H{o}s, Schr\"odinger, Fran\c{c}ois, Sm\o rgas, Stra\ss e",
            "Erdős, Schrödinger, François, Smørgas, Straße",
        ),
        (r"\'{\i}ndice, K\v{r}\'i\v z", "índice, Kříž"),
        (r"T{\"}ulu, \"{}uber, Erd{\H{}}os", "Tülu, über, Erdős"),
        ("``so'' and `so'", "“so” and ‘so’"),
        ("pages 3--7, Gauss--Bonnet --- or not", "pages 3–7, Gauss–Bonnet — or not"),
        (r"Fig.~1, 5\,km, 7\%, A\&B, \#1, a\_b", "Fig. 1, 5 km, 7%, A&B, #1, a_b"),
    ],
    "words in braces lose their commands": [
        (r"\emph{so}, \textbf{so} and {\it so}", "so, so and so"),
        (r"see \cite{Key21} and \ref{s:1}", "see [Key21] and [s:1]"),
        (r"\url{https://example.org/a_b}", "https://example.org/a_b"),
        (r"\href{https://example.org}{here}", "here (https://example.org)"),
        (r"\href{https://example.org}{example.org}", "https://example.org"),
        (r"{B}ayes and {Q-learning}", "Bayes and Q-learning"),
        (r"\unknown{content}", "content"),
    ],
    "subscripts of groups and chemistry are read outside of maths": [
        ("SL_2 and GL_n(F_q), PSL_2(q)", "SL₂ and GLₙ(F_q), PSL₂(q)"),
        ("Nb_3Cl_8, YBa_2Cu_3O_7 and (TMTSF)_2PF_6", "Nb₃Cl₈, YBa₂Cu₃O₇ and (TMTSF)₂PF₆"),
        ("H_0, C_4-free, x_i, α_j, L_2-norm, log_2", "H₀, C₄-free, xᵢ, αⱼ, L₂-norm, log₂"),
        ("MoS_2/WSe_2 with u_0(x)", "MoS₂/WSe₂ with u₀(x)"),
    ],
    "citations show their keys and notes": [
        (r"\cite[Problem 4.1]{FL26}", "[FL26, Problem 4.1]"),
        (r"\citep[see][p.~3]{A,B} and \citet*{C}", "[see A, B, p. 3] and [C]"),
        (r"(\cite[Theorem 1]MP), we", "([MP, Theorem 1]), we"),
        (r"\eqref{eq:1} and \pageref{p}", "(eq:1) and [p]"),
    ],
    "what is verbatim stays": [
        (r"\verb|a_b $x$| and \verb*+\x+ and \lstinline{y}", r"a_b $x$ and \x and y"),
    ],
    "quantities are read as siunitx reads them": [
        (r"\SI{5}{\kelvin}, $\qty{20}{\metre\per\second}$", "5 K, 20 m s⁻¹"),
        (r"\SI[per-mode=symbol]{3.2+-0.1}{\micro\metre}", "3.2 ± 0.1 µm"),
        (r"\num{1e-3} and \num{2.5e4} and \num{e6}", "1×10⁻³ and 2.5×10⁴ and 10⁶"),
        (r"\si{\kilo\gram\square\metre\second\tothe{-2}}, \unit{km/s}", "kg m² s⁻², km/s"),
        (r"\ang{45}, \ang{10;30;5}, \SI{45}{\degree}, \SI{20}{\degreeCelsius}", "45°, 10°30′5″, 45°, 20 °C"),
        (r"\SIrange{5}{10}{\giga\hertz}, \numlist{1;2;3}, \SI{7}{\percent}", "5–10 GHz, 1, 2, 3, 7%"),
        (r"\qty{8}{\um} and \SI{3}{\mega\electronvolt}", "8 µm and 3 MeV"),
    ],
    "chemistry is read as mhchem reads it": [
        (r"\ce{H_6}, $\ce{CO2}$, \ce{La3Ni2O7}", "H₆, CO₂, La₃Ni₂O₇"),
        (r"\ce{2H2 + O2 -> 2H2O} and \ce{A <=> B}", "2H₂ + O₂ → 2H₂O and A ⇌ B"),
        (r"\ce{SO4^2-}, \ce{Fe^{3+}}, \ce{H+}, \ce{^{14}_{6}C}", "SO₄²⁻, Fe³⁺, H⁺, ¹⁴₆C"),
        (r"\ce{CaSO4.2H2O} and \ce{CH3-CH=CH2}", "CaSO₄·2H₂O and CH₃-CH=CH₂"),
    ],
    "cases in maths are a row": [
        (
            r"\[f=\begin{cases}1 & \text{if } x>0,\\ 0 & x \le 0\end{cases}\]",
            "f = {1 if x > 0; 0, x ≤ 0}",
        ),
        (r"$\left\{\begin{array}{}1&a\\0&b\end{array}\right.$", "{1, a; 0, b}"),
    ],
    "what authors forgot does not spoil the rest": [
        (r"\emph{so and $x$", "so and x"),
        (r"over \$10^9$ km and $y$", "over 10⁹ km and y"),
        (r"is C_{B}$. Under $x$", "is C_B. Under x"),
        (r"of Q($\sqrt$ 2)", "of Q(√ 2)"),
        (r"{\c} 2026 by them", "© 2026 by them"),
    ],
    "environments of words are their words": [
        (
            r"\begin{theorem}Let $x$.\end{theorem} \begin{itemize}\item[(i)] a \item b\end{itemize}",
            "Let x. (i) a • b",
        ),
        (r"\begin{figure*}x\end{figure*} and a\vskip 0.5em b", "x and a b"),
    ],
    "what many authors define is read": [
        (
            r"so, \eg, \ie\ this, \etal. and \etal{} (2020)\xspace",
            "so, e.g., i.e. this, et al. and et al. (2020)",
        ),
    ],
    "packages for physics have their commands": [
        (r"$\braket{a|b}$, $\ketbra{a}{b}$, $\comm{A}{B}$", "⟨a|b⟩, |a⟩⟨b|, [A, B]"),
        (r"$\qbinom{n}{k}$, $\Gr{V}{k}$, $\widehat{\own q}$", r"(n choose k)_q, Gr(V,k), \own q̂"),
        (r"$\dv{f}{x}$ and $\pdv{t}$", "df/dx and ∂/∂t"),
        (r"$x=1 \tag{$P^\pm$}$", "x = 1 (P^±)"),
        (r"$A\xrightarrow[n\to\infty]{d}B$, $\prescript{14}{6}{C}$", "A →_(n→∞)ᵈ B, ¹⁴₆C"),
        (r"$a\mkern-3mu b\mspace{2mu}c$", "a bc"),
    ],
    "TeX without dollar signs is read too": [
        (r"O(\log n) and \alpha-decay", "O(log n) and α-decay"),
        ("10^{-3} to 10^5, R^2=0.9, x_{ij}", "10⁻³ to 10⁵, R²=0.9, xᵢⱼ"),
        (r"\mathbb{Z}_2 and \frac{1}{2}", "ℤ₂ and 1/2"),
        (r"0 \leq l<k < n, p\leq0.05, n\times n and x\to\infty", "0 ≤ l < k < n, p ≤ 0.05, n × n and x → ∞"),
        (
            r"5\pm1, 3\times10^5, \sim10, (\approx 3) and x \geq a result",
            "5 ± 1, 3×10⁵, ∼10, (≈ 3) and x ≥ a result",
        ),
        ("10^6-10^8", "10⁶–10⁸"),
    ],
    "a price before a formula is no formula": [
        (r"from $1.20 to $0.12 (a 10$\times$ drop)", "from $1.20 to $0.12 (a 10× drop)"),
        (r"a $25K, 3$\times$ smaller budget, or $500 (5$\%$)", "a $25K, 3× smaller budget, or $500 (5%)"),
        (r"$0.003/image, $\sim$40$\times$ less", "$0.003/image, ∼40× less"),
        (r"costs $5 ($n=3$) or $6 at~$k=4$", "costs $5 (n = 3) or $6 at k = 4"),
        (r"$5$\% to $10 GeV$ and $3.2 (1)$", "5% to 10 GeV and 3.2 (1)"),
    ],
    "what arXiv made of half the commands is read": [
        (r"$\sqrtβ$ and $\sinθ$", "√β and sin θ"),
        (r"$\widehatΓ$", "Γ̂"),
    ],
}


@pytest.mark.parametrize(
    ("source", "text"),
    [pytest.param(*case, id=f"{rule}: {case[0]}") for rule, cases in RULES.items() for case in cases],
)
def test_tex_reads(source: str, text: str) -> None:
    assert plain(source) == text


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $10",
        "costs $5 (as of May) and $10 (of June)",
        "from $500-$780 to $1,000",
        "US$5 (or A$7) a day",
        "costs $ 5 and brings $ 7",
        "US $ 5, i.e. A $ 7, or $100 (US$ 120)",
        "C# and C++, 100% of a_b in snake_case_names",
        "z~1, ~42% and [Fe/H]~-2.3",
        "lm_eval, MATH_500, sm_80, v1_2, F1_FAIL, Q8_0, NIPS_20, run_1, pi_0, f_esc and _x",
        "`N_2` and data/L_2.csv, x_1.py, H_0@home, N_2() and a_b_c",
        r"C:\Users\name and \n or \d+",
        "run --all --no-cache, or a --> b",
        "h in {0,1} and {none, some}",
        "x -> y, 2**3, a ^ b, __init__",
        "https://example.org/~who/a--b_c?x={y}",
        "https://example.org/$x_1$/y?a=$1&b=$c$&d=__init__, $5 and $6",
        "'https://example.org/Zipf's_x' and https://example.org/Zipf's_x.",
        "it's the authors' 5'' and rock 'n' roll",
        "a 'quote' and \"another\"",
        "`code` and ```fence```",
    ],
)
def test_what_is_no_tex_stays(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    "source",
    [
        r"$\begin{pmatrix}a&b\\c&d\end{pmatrix}$",
        r"$\unknown{a}{b}$",
        r"$A=\begin{bmatrix}a\\b\end{bmatrix}$ and $\begin{array}{c}1\end{array}$",
        r"f = \begin{cases} a_1 & b^2 \\ c & \alpha \end{cases}",
        r"\begin{pmatrix} \frac{1}{2} & \begin{matrix} 1 \end{matrix} \end{pmatrix}",
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
        r"\begin{tikzcd} A \arrow[r] & B \end{tikzcd}",
        r"we call it \method and \ours",
        r"$\hat{$",
        r"$x^{2$",
        r"\frac{1}",
        r"\(x",
        r"{unclosed",
        r"$\textcolor{red}$",
    ],
)
def test_what_cannot_be_read_is_shown_as_written(source: str) -> None:
    assert plain(source) == source


def test_words_and_variables_have_their_style() -> None:
    em, strong = Style.EMPHASIS, Style.STRONG
    assert spans(r"\emph{so} {\it it} \textbf{is} {\bf b}") == (
        Span("so", style=em), Span(" "), Span("it", style=em), Span(" "),
        Span("is", style=strong), Span(" "), Span("b", style=strong),
    )  # fmt: skip
    assert spans(r"$\mathrm{Spec} A\sin α$") == (
        Span("Spec "),
        Span("A", style=VARIABLE),
        Span(" sin "),
        Span("α", style=VARIABLE),
    )


def test_a_formula_with_greek_letters_that_cannot_be_read_leaves_the_others_alone() -> None:
    kept = r"$\begin{pmatrix}\alpha&\ell\end{pmatrix}$"
    assert plain(f"$x^2$ and {kept} and $\\alpha$") == f"x² and {kept} and α"


def test_one_span_that_cannot_be_read_leaves_the_others_alone() -> None:
    assert plain(r"$x^2$ and $\begin{matrix}1\end{matrix}$") == r"x² and $\begin{matrix}1\end{matrix}$"


PIECES = (
    *(r"\frac", r"\sqrt[", r"\text{", r"\(", r"\)", r"\left", "$a", r"\begin{cases}", r"\end{cases}", r"\\"),
    *(r"\begin{array}", r"\SI{", r"\ce{", r"\cite[", r"\verb|", r"\genfrac", r"\dv", r"\kern", r"\emph{"),
    *(r"\choose", r"\overline{", r"\item[", "H_2", r"\numlist{"),
)
TEX = st.lists(st.sampled_from([*"\\${}^_~`'-&% ab12()[]|.\n", *PIECES])).map("".join)


@given(TEX)
def test_no_nonsense_raises_or_loses_a_letter(source: str) -> None:
    shown = Counter(unicodedata.normalize("NFKD", plain(source)))
    content = Counter(re.sub(r"\\(?:begin|end)\{[a-z]+\}|\\[A-Za-z]+", "", source))
    assert all(content[character] <= shown[character] for character in "ab12")


@given(st.text(st.characters(exclude_characters="\\${}^_~`'-", exclude_categories=["Cs"])))
def test_text_without_signs_of_tex_is_itself(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("source", "text", "is_whole"),
    [
        ("x_1", "x₁", True),
        ("x_1", "x", False),
        (r"\alpha x", "αx", True),
        (r"\alpha x", "x", False),
        (r"\log n", "n", False),
        (r"\mathcal{F}", "ℱ", True),
        (r"\unknown{a}", "a", True),
        ("aa", "a", False),
        (r"\begin{equation}x\end{equation}", "x", True),
    ],
)
def test_letters_are_counted_whatever_alphabet_shows_them(source: str, text: str, is_whole: bool) -> None:
    assert survives(source, text) is is_whole


def test_maths_that_would_lose_a_letter_is_shown_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math, "converted", lambda source, words: ())
    assert plain("so $x^2$ is") == "so $x^2$ is"


def test_words_that_would_lose_a_letter_are_shown_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prose, "accent", lambda source, start: ("", start + 3))
    assert plain(r"na\"ive and ``so''") == r"na\"ive and ``so''"


def test_groups_are_read_down_to_a_depth() -> None:
    assert plain("${{{{x}}}}$") == "x"
    too_deep = f"${'{' * 30}x{'}' * 30}$"
    assert plain(too_deep) == too_deep


@pytest.mark.parametrize(
    "unit",
    [
        *("{", "$", "\\", "$x", "\\(", "\\[", "\\frac{", "x^{", "$\\hat", "\\text{$", "``", "{a ", "\\cite["),
        *("\\begin{cases}", "$\\begin{cases}&", "\\SI{1}{", "H_2", "\\verb|", "$x-1", "$a:b", "\\ce{H2"),
    ],
)
def test_nonsense_of_any_length_takes_time_in_proportion(unit: str) -> None:
    nonsense = unit * (50_000 // len(unit))
    began = time.process_time()
    assert plain(nonsense)
    assert plain(nonsense + "}" * 50_000)
    # Several times what it takes; what grows as the square takes longer.
    assert time.process_time() - began < 3


def test_scripts_without_end_are_shown_as_written() -> None:
    piled = f"$x{'^a' * 1_000}$"
    assert plain(piled) == piled


def test_every_symbol_of_pylatexenc_and_every_one_of_ours_is_converted() -> None:
    known = latex2text.get_default_latex_context_db()
    specs = [spec for name in known.categories() for spec in known.iter_macro_specs([name])]
    symbols = {
        spec.macroname
        for spec in specs
        if isinstance(spec.simplify_repl, str) and len(spec.simplify_repl) == 1 and spec.macroname.isalpha()
    }
    assert len(symbols) > 600
    left = {
        name
        for name in (symbols | set(MORE)) - {"hspace", "vspace"}
        if f"\\{name}" in plain(f"$a \\{name} b$")
    }
    assert left == set()


@pytest.mark.parametrize("name", sorted(MORE))
def test_a_symbol_means_the_same_in_words(name: str) -> None:
    assert plain(f"\\{name}") == plain(f"$\\{name}$") == MORE[name]

"""Invented papers, announced over four evenings, for `digest demo` and for tests.

The people and their findings do not exist, and neither do the identifiers: arXiv never used a number above
90000 in any month. The papers include difficult cases: TeX, a bare `<`, other scripts, many authors, a
replacement, and a paper announced two weeks after its submission.
"""

from dataclasses import replace
from datetime import UTC, datetime

from digest.demo.arxiv import Announcement
from digest.model.paper import Paper, one_line, parse_identifier

FIRST_MORNING = datetime(2026, 6, 2, 7, tzinfo=UTC)
SECOND_MORNING = datetime(2026, 6, 3, 7, tzinfo=UTC)


def _announced(
    evening: datetime,
    identifier: str,
    submitted: str,
    categories: str,
    authors: str,
    title: str,
    abstract: str,
    comment: str | None = None,
    journal_ref: str | None = None,
    doi: str | None = None,
) -> Announcement:
    submitted_at = datetime.fromisoformat(f"2026-{submitted}").replace(tzinfo=UTC)
    paper = Paper(
        id=parse_identifier(identifier)[0],
        version=1,
        title=title,
        abstract=one_line(abstract),
        authors=tuple(authors.split("; ")),
        categories=tuple(categories.split()),
        submitted_at=submitted_at,
        updated_at=submitted_at,
        comment=comment,
        journal_ref=journal_ref,
        doi=doi,
    )
    return Announcement(paper=paper, announced_at=evening)


# 20:00 in New York, in UTC.
_THURSDAY = datetime(2026, 5, 29, tzinfo=UTC)
_SUNDAY = datetime(2026, 6, 1, tzinfo=UTC)
_MONDAY = datetime(2026, 6, 2, tzinfo=UTC)
_TUESDAY = datetime(2026, 6, 3, tzinfo=UTC)

_EARLIER = (
    _announced(
        _THURSDAY, "2605.99101", "05-27 16:02:11", "cs.LG stat.ML",
        "佐藤 美月; Tomasz Wiśniewski; Ana Lúcia Prado",
        "Graph Neural Networks That Know When to Stop Talking",
        """Deep message passing makes all nodes sound alike. We let every node decide for itself when it has
        heard enough: a small gate closes its mailbox once new messages no longer change its mind. On nine
        benchmarks the graph neural network uses 38% fewer messages and stays accurate at a depth of 64
        layers. Nodes in the middle of things stop first; hermits listen to the end.""",
        "14 pages, 6 figures",
    ),
    _announced(
        _THURSDAY, "2605.99102", "05-27 09:47:30", "cs.PL cs.DS",
        "Henrike Østergård; Paul Mbeki",
        r"Register Allocation in $\mathcal{O}(n \log n)$: A Compiler Pass for People in a Hurry",
        r"""Good register allocation is slow and fast register allocation is bad. We show a pass that is
        neither. It walks the dominator tree once, keeps live ranges in a balanced forest and takes time
        $\mathcal{O}(n \log n)$ in the number of instructions. The code it yields is within $3\%$ of the
        optimum on our suite, and the compiler spends $1.6\times$ less time in its back end.""",
    ),
    _announced(
        _THURSDAY, "2605.99103", "05-26 20:15:00", "astro-ph.EP astro-ph.IM",
        "Ingrid Solheim; Mateo Quispe; Hana Dvořáková; Kwame Asante; Léa Fontaine; Rui Tavares; "
        "Noor El-Amin; Pekka Lehtonen; Sinéad Byrne; Arjun Pillai; Wanjiru Kamau; Oleksandr Hnatiuk; "
        "Mei-Ling Chou; Björn Ek",
        "The Lighthouse Survey: 41 Exoplanet Candidates from a Single Mountain",
        """For six winters one small telescope on a disused lighthouse watched the same patch of the northern
        sky. We report 41 exoplanet candidates, seven of which cross the habitable zone of their star. Sea
        spray turned out to be a smaller problem than gulls, for which we give a calibration.""",
        "32 pages; the light curves will be published with the final version",
    ),
    _announced(
        _THURSDAY, "2605.99104", "05-25 11:30:45", "math.CO",
        r"Zsófia Erdélyi; Ilya Grachev",
        "How Many Lanterns Light a $k$-Regular Cave?",
        r"""A lantern on a vertex lights the vertex and its neighbours, but only if fewer than two of them
        carry a lantern of their own. We prove that $\lceil 2n/(k+1) \rceil$ lanterns are enough for every
        $k$-regular graph on $n$ vertices, and that no fewer will do when $k \equiv 2 \pmod 3$.""",
    ),
    _announced(
        _THURSDAY, "2605.99105", "05-27 13:20:09", "physics.soc-ph stat.AP",
        "Giulia Marchetti; Owen Parry",
        "The Other Queue Is Faster, but Not for the Reason You Think",
        """We followed 11,204 shoppers in four supermarkets. The neighbouring queue did move faster than
        one's own in 54% of all visits, simply because long queues hold more people who can envy short
        ones. Corrected for this, the choice of queue explains three seconds of a visit. Choosing again
        costs nine.""",
    ),
    _announced(
        _THURSDAY, "2605.99106", "05-26 08:05:52", "cs.CL",
        "Dolores Ibáñez; Nikolai Petrov",
        "A Corpus of Apologies",
        """We present 18,000 public apologies in seven languages, annotated for what is regretted, by whom,
        and whether anything is promised. Sentences that begin with a condition regret 40% less. Models
        that summarise apologies tend to drop the promise and to keep the condition.""",
        "Accepted at the Conference on Everyday Language 2026",
    ),
    _announced(
        _SUNDAY, "2605.99107", "05-28 18:44:19", "q-bio.PE physics.bio-ph",
        "Moana Tūhoe; Ernst Lindqvist",
        "Honey-Bee Dances in Light Rain",
        """Foragers shorten their waggle runs when drizzle begins, although the flowers stay where they are.
        From 2,300 filmed dances we infer that a honey bee encodes not the distance but the expected
        effort, wet wings included. In heavy rain nobody dances, and two of the authors went home as well.""",
        "9 pages, 4 figures, 1 umbrella",
    ),
    _announced(
        _SUNDAY, "2605.99108", "05-28 21:10:33", "cs.RO cs.LG",
        "Mirela Popescu; D'Angelo Wright; Xu Wenjing",
        "Folding Fitted Sheets with Reinforcement Learning",
        """The fitted sheet has no corners that a robot could trust. We train a two-armed robot with
        reinforcement learning on 40,000 simulated sheets and find that a reward for flatness leads to a
        ball that is hidden in a drawer. A reward for finding the elastic works: after six hours the robot
        folds 71% of real sheets.""",
        "8 pages",
    ),
    _announced(
        _SUNDAY, "2605.99109", "05-29 07:12:00", "hep-ph gr-qc",
        "Aurelio Brandt",
        "A Bound on Fifth Forces from a Cathedral Pendulum",
        r"""A pendulum of 44 metres has hung in the same nave since 1851, and its attendants wrote down its
        period every Sunday. We fit the record for a Yukawa term of range $\lambda$ and exclude a strength
        above $|\alpha| = 2.1\times10^{-3}$ at $\lambda = 30$ m, choir practice being the main systematic
        error.""",
    ),
    _announced(
        _SUNDAY, "2605.99110", "05-28 10:31:27", "cs.DB",
        "Shreya Nair; Caspar van Dijk",
        "Lazy Indexes for Busy People",
        """Most indexes are built for queries that never come. Ours builds itself a page at a time, only
        where a query has just suffered, and forgets pages that stayed unused for a week. On three
        production traces it holds a twelfth of the entries of the usual index and answers 96% of lookups
        as fast.""",
    ),
    _announced(
        _SUNDAY, "2605.99111", "05-29 15:58:40", "stat.AP",
        "Beatriz Lobo; Håkon Vik",
        "Which Tram Will Be Late? Partial Pooling over 212 Stops",
        """We forecast delays of trams with a hierarchical model that lets stops learn from their neighbours.
        School days, rain and one badly placed bakery explain most of what is left. The forecast is useful
        eleven minutes ahead, which is about as long as people are willing to run.""",
    ),
    _announced(
        _SUNDAY, "2605.99112", "05-28 23:49:03", "quant-ph",
        "Yael Rosen; Thabo Nkosi",
        "Keeping a Qubit Company: Error Correction with Idle Neighbours",
        r"""Qubits that wait for their turn can watch over those at work. We use idle neighbours as a
        part-time syndrome register and lower the logical error rate from $4\times10^{-4}$ to
        $9\times10^{-5}$ without a single extra qubit. Idle neighbours do gossip: we measure the
        crosstalk, and subtract it.""",
    ),
    _announced(
        _MONDAY, "2606.99113", "05-31 12:00:08", "cs.PL cs.HC",
        "Fatoumata Diallo; Gregor Hahn",
        "A Compiler That Explains Its Refusals",
        """An error message says where a proof of type safety broke off, not which belief of the programmer
        is wrong. Our compiler keeps the failed derivation and asks at most two yes-or-no questions to
        find that belief. In a study with 48 beginners the median time to a fix fell from nine minutes to
        four.""",
        "Accepted at the Symposium on Patient Programming 2026. 22 pages",
    ),
    _announced(
        _MONDAY, "2606.99114", "05-31 19:26:55", "cs.LG",
        "Leilani Kahale; Viktor Šimůnek",
        "Offline Reinforcement Learning When the Log Is Mostly Naps",
        r"""Logs of household robots consist of charging. We study offline reinforcement learning where
        $p<1\%$ of all transitions hold any action at all, and show that the usual pessimism teaches the
        robot to nap. Weighting by surprise repairs this for discounts $\gamma<0.99$ (three homes, p <
        0.01), at no cost in training.""",
    ),
    _announced(
        _MONDAY, "2606.99115", "05-30 14:37:21", "astro-ph.EP",
        "مريم الحداد; Joaquín Salas; Emma Rautio",
        "Glass Drizzle on a Hot Exoplanet",
        r"""Phase curves of the hot giant KV-88 b show an offset that clouds of silicate alone cannot explain.
        Particles of $0.3$-$0.8\,\mu$m, blown across the terminator at $5\,$km/s, do. Whether an exoplanet
        with such weather rains glass or merely drizzles is, at this signal-to-noise ratio, a matter of
        temperament.""",
    ),
    _announced(
        _MONDAY, "2606.99116", "05-29 17:03:12", "math.NT",
        r"Andr\'e Vilar; Katalin Sz\H{u}cs",
        r"On a Question of Erd\H{o}s-Type for Palindromic Sums",
        r"""We call an integer \emph{polite in base $b$} if it is a sum of two palindromes. Almost all
        integers are polite in base $3$; we give the first infinite family that is not, and a table of all
        impolite numbers below $10^{12}$, of which the authors have become rather fond.""",
    ),
    _announced(
        _MONDAY, "2606.99117", "06-01 06:18:47", "eess.AS cs.SD",
        "Chloé Marchand; Ravi Subramaniam",
        "Hearing the Room: Dereverberation from One Clap",
        """A single clap before a meeting is enough to estimate the room's impulse response, and to remove it
        from the hour of speech that follows. With claps of 61 volunteers the word error rate falls from
        19% to 13%. Shy claps suffice.""",
    ),
    _announced(
        _MONDAY, "2606.99118", "05-31 22:40:00", "cs.HC",
        "Marguerite Oyelaran",
        "Undo for the Physical World: A Diary Study",
        """Twenty-six people noted for three weeks when they would have liked to undo something that was not
        on a screen. Most entries concern kitchens. Few wished to undo what they had said, and most of
        those wrote to somebody the same evening.""",
    ),
)  # fmt: skip

_ON_THE_SECOND_EVENING = (
    _announced(
        _TUESDAY, "2606.99119", "06-01 16:55:14", "cs.PL cs.SE",
        "Ruth Adeyemi; Stanisław Łoś",
        "Two Compilers, One Bug: When Independent Optimisers Agree on the Wrong Answer",
        """Differential testing rests on the hope that compilers fail differently. We collect 37 programs on
        which two unrelated compilers give the same wrong result, and trace 29 of them to one sentence of
        one textbook. We propose a third opinion: an interpreter that is too slow to be clever.""",
        "Accepted at the Workshop on Honest Tools",
    ),
    _announced(
        _TUESDAY, "2606.99120", "06-01 09:21:36", "cond-mat.soft physics.chem-ph",
        "Élodie Girard; Martin Käser",
        "Melting Curves of Cheese from Graph-Neural-Network Potentials",
        r"""A graph-neural-network potential, trained on casein and triglyceride fragments, reproduces the
        softening of eleven cheeses to within $2\,$K. Raclette is predicted to $\Delta T < 1\,$K. The
        holes matter less than expected. All samples were disposed of by the authors.""",
        "6 pages, 5 figures. The cheese is available on request",
        "Letters on Soft Things 7 (2026) 41-46",
        "10.5555/soft.2026.41",
    ),
    _announced(
        _TUESDAY, "2606.99121", "06-01 13:13:13", "q-bio.NC cs.LG",
        "Isabel Monteiro; Fumiko Arai; Jonas Weck",
        "Reinforcement Learning in the Honey Bee: Curiosity on a Budget of Nectar",
        """Does a honey bee explore because it is curious or because it is wrong? Artificial flowers that
        change their reward at known times let us fit models of reinforcement learning to single foragers.
        A bonus for novelty, paid in nectar forgone, explains 82% of visits. Older bees are curious about
        fewer things.""",
    ),
    _announced(
        _TUESDAY, "2606.99122", "05-20 10:32:05", "cs.RO eess.SY",
        "Kirsi Halonen; Baptiste Moreau; Adaeze Eze",
        "Reinforcement Learning for Harbour Cranes in Gusty Wind",
        """A container on a rope is a pendulum with opinions. We train a controller for harbour cranes by
        reinforcement learning against recorded gusts and hand over to the operator when the wind leaves
        the recorded range. In two months at a small port the swing at set-down fell by half, and no
        coffee was spilt.""",
        "11 pages, 9 figures",
    ),
    _announced(
        _TUESDAY, "2606.99123", "05-31 20:02:50", "astro-ph.EP astro-ph.SR",
        "Siobhán Keane; Pedro Alcântara",
        "Exoplanets with Two Sunsets: Transit Timing around Close Binaries",
        """A planet around two suns is never on time. We derive how the moment of transit wanders with the
        phase of the binary and apply the result to fourteen systems. Three exoplanets that were listed as
        doubtful are real, and one that was listed as real is a spot.""",
    ),
    _announced(
        _TUESDAY, "2606.99124", "06-02 01:15:29", "cs.CR",
        "Petra Novotná; Emeka Obi",
        "Passwords People Are Proud Of",
        """Asked for a password they would like to show to somebody, 900 volunteers chose longer ones than
        when asked for a safe one, and remembered them better. We crack both sets. Pride is worth eleven
        bits.""",
    ),
    _announced(
        _TUESDAY, "2606.99125", "06-01 11:44:02", "econ.GN",
        "Livia Conti; Rasmus Holm",
        "The Price of the Last Croissant",
        """Bakeries lower prices near closing time, yet the last croissant is seldom cheap. With receipts of
        58 bakeries we show that customers read a lone croissant as popular and not as old. Bakers know:
        they bring out the last two one at a time.""",
    ),
    _announced(
        _TUESDAY, "2606.99126", "06-01 15:09:38", "physics.flu-dyn",
        "Nadia Haddad; Colm Doherty",
        "Why Does the Teapot Drip? A Contact-Line Answer",
        r"""The film below a spout detaches where inertia beats wetting. We find the drip to vanish for Weber
        numbers $\mathrm{We} > 12$ and contact angles above $95^\circ$, in agreement with a ruined
        tablecloth. Butter on the spout, an old remedy, acts as predicted.""",
    ),
    _announced(
        _TUESDAY, "2606.99127", "05-31 18:28:18", "gr-qc",
        "Vasilis Economou",
        "Slowly Rotating Black Holes in a Drafty Universe",
        r"""We perturb slowly rotating black holes by a weak, uniform wind of scalar matter. To first order in
        the spin the horizon leans into the wind by an angle $\theta \propto a \rho^{1/2}$; to second
        order it straightens again. No current instrument could tell, which we confirm.""",
    ),
)  # fmt: skip

LATE = _ON_THE_SECOND_EVENING[3].paper
"""Announced on the second evening, thirteen days after its submission."""

_SHEETS = _EARLIER[7].paper

REPLACEMENT = replace(
    _SHEETS,
    version=2,
    updated_at=datetime(2026, 6, 1, 12, 30, tzinfo=UTC),
    comment="9 pages; v2 corrects Table 2 and thanks the laundry",
)
"""A second version, announced on the second evening. Both subscribers received the first version on the
first day.
"""

ANNOUNCEMENTS = (
    *_EARLIER,
    *_ON_THE_SECOND_EVENING,
    Announcement(paper=REPLACEMENT, announced_at=_TUESDAY),
)

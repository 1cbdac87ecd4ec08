"""The authors of a paper in one line. The names are invented."""

from dataclasses import replace

import pytest
from markupsafe import escape

from digest.mail.rendering.byline import Byline
from digest.mail.rendering.paper_view import build_card
from tests.factories import invented_paper

NAMES = tuple("Ada Bea Cid Dov Eli Fay Gus Hal Ida Jon Kay Lou Max".split())  # noqa: SIM905


def byline(*authors: str) -> Byline:
    return build_card(replace(invented_paper("2606.00001"), authors=authors)).byline


@pytest.mark.parametrize(
    ("count", "long", "short"),
    [
        (1, "Ada", "Ada"),
        (2, "Ada and Bea", "Ada and Bea"),
        (3, "Ada, Bea and Cid", "Ada et al."),
        (11, "Ada, Bea, Cid, Dov, Eli, Fay, Gus, Hal, Ida, Jon and Kay", "Ada et al."),
        (12, "Ada, Bea, Cid, Dov, Eli, Fay, Gus, Hal, Ida, 2 more and Lou", "Ada et al."),
        (13, "Ada, Bea, Cid, Dov, Eli, Fay, Gus, Hal, Ida, 3 more and Max", "Ada et al."),
    ],
)
def test_authors_are_named_or_counted(count: int, long: str, short: str) -> None:
    found = byline(*NAMES[:count])
    assert (str(found), escape(found)) == (long, long)
    assert (str(found.short), escape(found.short)) == (short, short)


def test_names_are_converted_escaped_and_isolated_from_each_other() -> None:
    found = byline(r"M\'ia <b>", "נועה לוי")
    assert str(found) == "Mía <b> and נועה לוי"
    assert escape(found) == "Mía &lt;b&gt; and <bdi>נועה לוי</bdi>" == escape(found.short)


def test_a_paper_without_authors_has_no_line() -> None:
    assert str(byline()) == "" == escape(byline())


@pytest.mark.parametrize(
    ("count", "last"), [(10, "cs.A9"), (11, "cs.A9 and 1 more"), (13, "cs.A9 and 3 more")]
)
def test_cross_lists_that_are_not_named_are_counted(count: int, last: str) -> None:
    categories = ("cs.LG", *(f"cs.A{number}" for number in range(count)))
    shown = build_card(replace(invented_paper("2606.00001"), categories=categories)).cross_lists
    assert (len(shown), shown[-1]) == (10, last)

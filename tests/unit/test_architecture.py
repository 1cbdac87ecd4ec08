"""Imports point back along the way of a paper, and the decisions know nothing of input and output."""

import ast
import re
from pathlib import Path

import pytest

from tests.documents import spans

PACKAGE = Path(__file__).parents[2] / "digest"
DOC = PACKAGE.parent / "docs" / "architecture.md"

# Each line may import the lines above it and its own.
ORDER = (
    "errors heap os_errors locking",
    "papers",
    "stemming text plurals categories",
    "query",
    "evidence matching spelling",
    "notation machine_zone entries providers fields web_settings settings config exclusive",
    "subscribers subscribers_file",
    "arxiv resources digests preferences",
    "store",
    "schedule composing merging explaining",
    "mail",
    "drafting stationery",
    "jobs pages health advice bulletins",
    "assembly cycle notify running reporting installation",
    "web",
    "hiring scribe",
    "daemon demo",
    "checks",
    "cli",
)
PLACE = {name: place for place, line in enumerate(ORDER) for name in line.split()}
PURE = (
    "papers stemming text plurals query matching spelling evidence digests composing merging explaining"
    " schedule"
    " arxiv.tex_to_unicode arxiv.authors arxiv.documents arxiv.atom arxiv.arxivraw arxiv.announcement"
    " pages pages.reading pages.writing pages.judging"
    " mail.delivery_reports mail.mime"
    " preferences store.sealing providers mail.message mail.replies mail.wording mail.bounces mail.pace"
    " checks.records mail.links web.clients web.choosing web.feeds"
    " mail.tex mail.tex.commands mail.tex.fractions mail.tex.letters"
    " mail.tex.maths mail.tex.pieces mail.tex.prose mail.tex.reading mail.tex.signs mail.tex.spacing"
    " mail.tex.symbols mail.richtext mail.marking mail.cards mail.fitting mail.wrapping"
)
IMPURE = {"aiohttp", "sqlite3", "sqlite_utils", "aiosmtplib", "typer"}
CLOCKS = {"now", "utcnow", "today", "time", "monotonic"}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE or not path.name.startswith("__")
}


def imported(path: Path) -> set[str]:
    """The full names of the modules that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def place_of(module: str) -> int:
    return PLACE[module.split(".")[0]]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_back(module: str) -> None:
    ours = {name.removeprefix("digest.") for name in imported(MODULES[module]) if name.startswith("digest.")}
    later = {name for name in ours if name.split(".")[0] in PLACE and place_of(name) > place_of(module)}
    assert not later


@pytest.mark.parametrize("module", [name for name in MODULES if name in PURE.split()])
def test_decisions_touch_no_network_no_disk_and_no_clock(module: str) -> None:
    assert not {name.split(".")[0] for name in imported(MODULES[module])} & IMPURE
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time"}
    }
    assert not calls & CLOCKS


@pytest.mark.parametrize("module", MODULES)
def test_no_pattern_has_a_possessive_or_atomic_group(module: str) -> None:
    """Python before 3.11.5 matches them wrongly (its issue 106052), and Debian 12 has 3.11.2."""
    nodes = ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not [text for text in texts if re.search(r"(?:^|[^(])\)(?:[*+?]|\{[\d,]+\})\+|\(\?>", text)]


def test_the_docs_tell_the_same_order() -> None:
    text = DOC.read_text(encoding="utf-8")
    table = text.partition("| modules |")[2].partition("\n\n")[0]
    told = [" ".join(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table.splitlines()[2:]]
    assert " ".join(told) == " ".join(ORDER)


def test_the_docs_name_only_files_that_exist() -> None:
    named = {span for span in spans(DOC) if "/" in span and "NAME" not in span}
    assert len(named) > 10
    places = [(PACKAGE.parent, ""), (PACKAGE, ""), (PACKAGE, ".py")]
    assert not {one for one in named if not any((folder / (one + end)).exists() for folder, end in places)}

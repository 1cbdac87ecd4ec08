"""Imports point back along the way of a paper, and the decisions know nothing of input and output."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from digest.storage.postgresql.editions import Part as PostgresqlPart
from digest.storage.postgresql.store import PostgresqlStore
from digest.storage.sqlite.editions import Part
from digest.storage.sqlite.store import SqliteStore
from tests.documents import spans
from tests.waiting import LIMIT

PACKAGE = Path(__file__).parents[2] / "digest"
CONTRACT = Path(__file__).parents[1] / "contract"
DOC = PACKAGE.parent / "docs" / "architecture.md"

# A folder may import from itself and from those before it.
ORDER = [
    "errors",
    "model",
    "keywords",
    "config",
    "subscribers",
    "sources",
    "storage",
    "mail",
    "channels",
    "pipeline",
    "web",
    "service",
    "demo",
    "cli",
]
PLACE = {name: place for place, name in enumerate(ORDER)}
PURE = re.compile(
    r"model\.|keywords\.|config\.providers|subscribers\.(preferences|toml|interest\.)"
    r"|sources\.(window|planner|plausibility|xml)|sources\.arxiv\.(\w+_parser|authors|tex_to_unicode)"
    r"|sources\.arxiv\.(calendar|announcements)"
    r"|storage\.(values|previews|news_facts|tokens|rate_limit)"
    r"|mail\.(message|links|mime|bounces|delivery_reports)|mail\.smtp\.reply"
    r"|mail\.citations\.|mail\.rendering\.(?!templates|renderer|template_check)"
    r"|pipeline\.(compose|news|new_papers|keyword_report|shared_entries|discover|merge|outlook|schedule|explain|policy)$"
    r"|web\.(client_address|signing|own_forms|signup_form|preferences_form|feeds|charts)"
    r"|cli\.doctor_checks\.email_authentication|cli\.daily_papers\."
)
IMPURE = {"aiohttp", "psycopg", "sqlite3", "sqlite_utils", "aiosmtplib", "typer"}
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
    assert not {name for name in ours if name.split(".")[0] in PLACE and place_of(name) > place_of(module)}


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("storage.")])
def test_only_storage_knows_which_database_it_is(module: str) -> None:
    hidden = (
        "digest.storage.sqlite",
        "digest.storage.postgresql",
        "digest.storage.lock",
        "sqlite3",
        "sqlite_utils",
        "psycopg",
    )
    assert not {name for name in imported(MODULES[module]) if name.startswith(hidden)}


@pytest.mark.parametrize("module", [name for name in MODULES if PURE.match(name)])
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


@pytest.mark.parametrize("path", sorted(CONTRACT.glob("test_*.py")), ids=lambda path: path.stem)
def test_what_every_store_promises_is_tested_without_knowing_which_one(path: Path) -> None:
    assert not {
        name
        for name in imported(path)
        if name.startswith(("digest.storage.sqlite", "digest.storage.postgresql", "sqlite3", "psycopg"))
    }


@pytest.mark.parametrize("module", [name for name in MODULES if re.match(r"(mail|pipeline|web)\.", name)])
def test_a_job_names_the_narrow_protocol_of_the_store_that_it_uses(module: str) -> None:
    puts_together = module in {"pipeline.cycle", "web.areas"}
    assert puts_together or "digest.storage.base" not in imported(MODULES[module])


@pytest.mark.parametrize(
    ("store", "root"), [(SqliteStore, Part), (PostgresqlStore, PostgresqlPart)], ids=["sqlite", "postgresql"]
)
def test_the_parts_of_the_store_do_not_inherit_each_other(store: type, root: type) -> None:
    parts = store.__bases__
    assert {part.__bases__ for part in parts} == {(root,)}
    names = [name for part in parts for name in vars(part) if not name.startswith("__")]
    assert len(names) == len(set(names))


def test_the_docs_tell_the_same_order() -> None:
    text = DOC.read_text(encoding="utf-8")
    table = text.partition("| folder |")[2].partition("\n\n")[0]
    assert [re.findall(r"`(\w+)`", row.split("|")[1])[0] for row in table.splitlines()[2:]] == ORDER


def test_the_package_has_few_folders_and_few_very_short_modules() -> None:
    top = {name.partition(".")[0] for name in MODULES} - {"", "__init__", "__main__"}
    assert top == set(ORDER)
    short = [name for name, path in MODULES.items() if path.stem != "__init__" and _lines(path) < 30]
    assert len(short) <= 3, short


def test_no_module_is_too_long_to_read() -> None:
    """But what is only added to: the migrations, and the tables of the first one."""
    growing = {"storage.sqlite.migrations", "storage.postgresql.schema"}
    assert not {name for name, path in MODULES.items() if _lines(path) > 400} - growing


def _lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def test_the_docs_name_only_files_that_exist() -> None:
    named = {span for span in spans(DOC) if "/" in span and "NAME" not in span}
    assert len(named) > 10
    places = [(PACKAGE.parent, ""), (PACKAGE, ""), (PACKAGE, ".py")]
    assert not {one for one in named if not any((folder / (one + end)).exists() for folder, end in places)}


def test_only_the_order_of_interest_imports_numpy() -> None:
    """It takes memory and time in each process; sqlite-utils would import it too."""
    code = "import sys, digest.service.worker; raise SystemExit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=LIMIT, check=False).returncode == 0


def test_what_a_run_begins_with_imports_nothing_that_only_mails_and_channels_need() -> None:
    """Most runs have nothing new."""
    code = (
        "import sys, digest.cli, digest.cli.run, digest.service.bootstrap\n"
        "print(*(one for one in ('rich.console', 'jinja2', 'digest.mail.rendering.writer',"
        " 'digest.mail.rendering.richtext', 'digest.channels.webhook', 'digest.service.worker_pool')"
        " if one in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT
    )
    assert found.stdout.split() == []

"""What a user can type is in the docs, and what the docs say can be typed."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.cli import app
from digest.cli.context import EXIT_CODES
from digest.config.loader import KEYS, load_settings
from digest.config.settings import Defaults
from digest.errors import QueryError
from digest.keywords.query import parse
from digest.subscribers.entry_parser import KEYS as SUBSCRIBER_KEYS
from digest.subscribers.entry_parser import parse_subscribers
from tests.documents import PAGES, ROOT, Block, anchors, blocks, links, spans
from tests.reference import DOCS, Command, commands, manual, markdown

COMMANDS = [one.callback.__name__.rstrip("_") for one in app.registered_commands if one.callback]
BY_NAME = {one.name: one for one in commands()}
SECTIONS = {key[0] for key in KEYS if len(key) == 2}
VARIABLES = {f"DIGEST_{'__'.join(key).upper()}" for key in KEYS} | {
    "DIGEST_CONFIG",
    "DIGEST_",
    "DIGEST_CHANNEL_LAB_CHAT_URL",
    "DIGEST_CHANNEL_LAB_CHAT_SECRET",
}
OF_OTHER_PROGRAMS = {"--scale", "--force-reinstall", "--no-deps", "--option", "-wal", "-shm"}
TOML = pytest.mark.parametrize("block", blocks("toml"), ids=str)
INDEX = tuple(links(DOCS / "README.md"))
PAGE_NAMED = re.compile(r"digest docs ([a-z][\w/-]*)")
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


# What there is, is told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert any(f"`digest {command}" in page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("name", ["commands.md", "digest.1"])
def test_the_reference_of_commands_is_that_of_the_program(name: str) -> None:
    made = {"commands.md": markdown, "digest.1": manual}[name]()
    assert (DOCS / name).read_text(encoding="utf-8") == made, "to write it: python -m tests.reference"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_manual_page_is_shown_without_a_warning() -> None:
    shown = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-P-c", str(DOCS / "digest.1")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert shown.stderr == ""
    assert "--dry-run" in re.sub(".\b", "", shown.stdout)


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_exit_codes_are_told_in_the_same_words(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for code, meaning in EXIT_CODES.items():
        assert f"\n| {code} | {meaning} |\n" in text


def test_a_line_for_cron_says_where_digest_is() -> None:
    """Its PATH is /usr/bin:/bin, crontab(5)."""
    found = [line for block in blocks("", "crontab") for line in block.lines if re.match(r"(\S+ ){5} ", line)]
    assert len(found) > 1
    assert not [line for line in found if " digest " in line and "PATH=" not in line]


def test_git_ignores_what_the_page_about_containers_writes_into_the_checkout() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/digest.env", "/secrets/", "/config/"} <= set(ignored)


@pytest.mark.parametrize("key", SUBSCRIBER_KEYS)
def test_every_key_of_a_subscriber_is_documented(key: str) -> None:
    table = (DOCS / "configuration.md").read_text(encoding="utf-8").partition("## subscribers.toml")[2]
    assert any(f"`{key}`" in row.split("|")[1] for row in table.splitlines() if row.startswith("|"))


def test_every_page_has_its_line_in_the_index() -> None:
    assert {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} == {"README.md", *INDEX}


def test_the_docs_have_the_changelog_itself() -> None:
    assert (DOCS / "changelog.md").resolve() == ROOT / "CHANGELOG.md"


def test_the_site_has_the_pages_in_the_order_of_the_index() -> None:
    nav = (ROOT / "properdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    assert re.findall(r"- (?:Documentation: )?(\S+\.md)", nav) == ["README.md", *INDEX]


# What is told, is there


@EVERY_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


SCRIPTS = (*(ROOT / ".ci").glob("*"), ROOT / "Makefile")


@pytest.mark.parametrize("page", [*PAGES, *SCRIPTS], ids=lambda page: str(page.relative_to(ROOT)))
def test_only_tests_that_exist_are_named(page: Path) -> None:
    named = re.findall(r"tests/[\w/]+\.py", page.read_text(encoding="utf-8"))
    assert not [path for path in named if not (ROOT / path).exists()]


@EVERY_PAGE
def test_only_commands_and_options_that_exist_are_named(page: Path) -> None:
    code = [block for block in blocks("sh", "console", "yaml", "") if block.page == page]
    lines = [line for block in code for line in block.typed]
    assert not [(text, wrong) for text in (*spans(page), *lines) for wrong in mistakes(text)]


@EVERY_PAGE
def test_only_options_that_exist_are_named_by_themselves(page: Path) -> None:
    alone = {re.split("[ =]", span)[0] for span in spans(page) if re.match("--?[a-z]", span)}
    assert alone <= {name for one in BY_NAME.values() for name in names(one)} | OF_OTHER_PROGRAMS


@EVERY_PAGE
def test_only_keys_and_variables_that_exist_are_named(page: Path) -> None:
    assert set(re.findall(r"\bDIGEST_[A-Z_]+", page.read_text(encoding="utf-8"))) <= VARIABLES
    dotted = [re.match(r"([a-z]+)\.(\w+)(?: =.*)?$", span) for span in spans(page)]
    assert {(found[1], found[2]) for found in dotted if found and found[1] in SECTIONS} <= set(KEYS)


def mistakes(line: str) -> Iterator[str]:
    """What `digest` would not know of how it is called there, in a shell or in backticks."""
    for part in re.split(r"\s(?:&&|\|\||;|\||#)\s", line):
        if called := re.match(r"\s*(?:\$ |- run: |sudo .*|[A-Z_]+=\S+ |\S+/bin/)*digest (.+)", part):
            yield from wrong_words(called[1].split())


def wrong_words(words: list[str]) -> Iterator[str]:
    """Those of the words after `digest` that are no command, or no option of it."""
    command = BY_NAME[""]
    while words and words[0].startswith("-"):
        if words[0] not in names(command):
            yield words[0]
        words = words[2:] if words[0] == "--config" else words[1:]
    if words and words[0] != "COMMAND":
        command = BY_NAME.get(" ".join(words[:2])) or BY_NAME.get(words[0], command)
        if not command.name:
            yield words[0]
    options = [word.strip("[](),").split("=")[0] for word in words if re.match(r"[\[(]*-", word)]
    yield from (option for option in options if option not in names(command))


def names(command: Command) -> set[str]:
    return {"--help", "-h", *(name for one in command.options for name in one.names)}


@pytest.mark.parametrize("module", sorted((ROOT / "digest").rglob("*.py")), ids=lambda path: path.stem)
def test_messages_name_pages_by_the_command_that_prints_them(module: Path) -> None:
    """Who installed the wheel has no checkout. Docstrings are for those who have one, but for the help."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]
    assert not [text for text in texts if re.search(r"docs/[\w/-]+\.md", text)]
    assert {f"{name}.md" for text in texts for name in PAGE_NAMED.findall(text)} <= set(INDEX)


@pytest.mark.parametrize("command", BY_NAME.values(), ids=lambda command: command.name or "digest")
def test_help_names_pages_by_the_command_that_prints_them(command: Command) -> None:
    texts = (*command.help, *(one.help for one in command.parameters))
    assert not [text for text in texts if re.search(r"docs/[\w/-]+\.md", text)]
    assert {f"{name}.md" for text in texts for name in PAGE_NAMED.findall(text)} <= set(INDEX)


MESSAGES = [block for block in blocks("") if re.search(r"^ +\^$", block.text, re.MULTILINE)]


def test_there_are_examples_of_refused_keywords() -> None:
    assert len(MESSAGES) > 2


@pytest.mark.parametrize("block", MESSAGES, ids=str)
def test_a_refused_keyword_is_shown_with_the_message_of_the_program(block: Block) -> None:
    with pytest.raises(QueryError) as refused:
        parse(block.lines[1].strip())
    assert str(refused.value) == block.text.rstrip("\n")


# TOML


def test_there_are_examples_of_toml() -> None:
    assert len(blocks("toml")) > 5


@TOML
def test_every_example_of_toml_is_accepted(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("smtp-password", "state-password"):
        (tmp_path / name).write_text("hush\n")
    (tmp_path / "digest.toml").write_text(block.text)
    monkeypatch.chdir(tmp_path)
    if "[[subscriber]]" in block.text or re.match(r"(#.*\n)*keywords = ", block.text):
        entry = "" if "[[subscriber]]" in block.text else '[[subscriber]]\nemail = "a@example.org"\n'
        assert parse_subscribers(entry + block.text, tmp_path, Defaults())
    else:
        load_settings(tmp_path / "digest.toml", {})

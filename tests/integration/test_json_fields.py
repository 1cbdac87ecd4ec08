"""docs/json.md tells each field that `--json` prints, with its type, and no other."""

import io
import json
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from digest.cli.json_output import VERSION
from digest.demo.arxiv import LocalArxiv
from digest.demo.papers import ANNOUNCEMENTS, SECOND_MORNING
from digest.service.bootstrap import load_setup
from digest.storage.admin_stores import AuditEntry
from digest.storage.factory import open_store
from digest.storage.values import MailingState
from digest.subscribers.interest.judgements import Example, Origin
from tests.integration.command import COMMANDS, Command, installed
from tests.notifications import FIELDS, SUBSCRIBER, TOKEN, postfix
from tests.returned_mails import UNREADABLE, complaint
from tests.stores import LONG_AGO, enqueue, found, record, record_results

ADA, BO = "ada@example.org", "bo@example.org"
FILE = f"""
[[subscriber]]
email = "{ADA}"
name = "Ada"
keywords = ["tea", {{ query = "learning", name = "L" }}]
weekly = "fri"
exclude = ["survey"]
categories = ["cs.LG"]

[[subscriber]]
email = "{BO}"
keywords = ["milk"]
"""
TOML = """
[smtp]
sender = "digest@lab.example"
[web]
base_url = "https://digest.lab.example"
signup = "invite"
[[channel]]
name = "notes"
kind = "folder"
folder = "notes"
keywords = ["tea"]
"""
NOW = datetime.now(UTC).replace(microsecond=0)
IN_A_WEEK = str((NOW + timedelta(days=7)).date())
DOCS = Path(__file__).parents[2] / "docs"
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "text": str,
    "number": (int, float),
    "flag": bool,
    "list": list,
    "object": dict,
    "time": str,
    "date": str,
}


def documented() -> dict[str, dict[str, str]]:
    """The fields of each command by their paths, with their types."""
    sections: dict[str, dict[str, str]] = {}
    for section in (DOCS / "json.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        fields = dict(re.findall(r"^\| `(\S+)` \| ([a-z ]+) \|", text, re.MULTILINE))
        assert fields, title
        sections |= dict.fromkeys(re.findall(r"`digest (.+?)`", title), fields)
    return sections


SECTIONS = documented()


def printed(value: Any, known: Mapping[str, str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Each field with its path, as the page has it: a key that may be any is one in capitals."""
    if isinstance(value, list):
        for one in value:
            yield from printed(one, known, f"{path}[]")
    elif isinstance(value, dict):
        anything = next((one for one in known if re.fullmatch(rf"{re.escape(path)}\.[A-Z]+", one)), None)
        for key, one in value.items():
            inner = anything or (f"{path}.{key}" if path else key)
            yield inner, one
            yield from printed(one, known, inner)


def parent_of(path: str) -> str:
    return path.rpartition(".")[0]


def check(command: str, out: str) -> None:
    told = json.loads(out)
    objects = told if isinstance(told, list) else [told]
    fields = SECTIONS[command]
    assert objects
    for one in objects:
        assert next(iter(one)) == "version"
        assert one.pop("version") == VERSION
        seen = dict(printed(one, fields))
        assert seen.keys() <= fields.keys(), command
        containers = {"", *(f"{path}[]" for path, value in seen.items() if value and isinstance(value, list))}
        containers |= {path for path, value in seen.items() if isinstance(value, dict) and value}
        inner = {path for path in fields if parent_of(path) in containers}
        assert inner <= seen.keys(), (command, inner - seen.keys())
        for path, value in printed(one, fields):
            assert_type(path, value, fields[path])


def assert_type(path: str, value: Any, type_name: str) -> None:
    kind, _, null = type_name.partition(" or ")
    if kind == "any":
        return
    if value is None:
        assert null == "null", path
        return
    assert isinstance(value, KINDS[kind]), path
    assert isinstance(value, bool) == (kind == "flag"), path
    if kind == "time":
        assert datetime.fromisoformat(str(value)).tzinfo, path
    if kind == "date":
        date.fromisoformat(str(value))


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Ada had two digests, the second of which is deferred; Bo is suppressed."""
    (tmp_path / "digest.toml").write_text(TOML)
    command = installed(tmp_path, "sqlite", FILE, monkeypatch, capsys)
    command.set(**{f"ARXIV__{name}_URL": "http://127.0.0.1:1/" for name in ("API", "OAI", "FEED")})
    command.set(ARXIV__RETRY_PAUSE="0", ARXIV__REQUEST_INTERVAL="0", WEB__LISTEN="127.0.0.1:0")
    setup = load_setup(None)
    with open_store(setup.settings.state) as store:
        store.enrol(setup.subscribers, now=LONG_AGO, current_since=LONG_AGO)
        for number, day in ((1, NOW - timedelta(days=1)), (2, NOW)):
            paper = found(f"2606.0000{number}", "tea", "learning", submitted=f"{day:%Y-%m-%d %H:%M}")
            record(store, paper, covered=("tea", "learning", "milk"), now=day)
            enqueue(store, setup.subscribers[0], now=day)
            (mailing,) = store.claim(now=day, until=day + timedelta(minutes=9), limit=9)
            state = MailingState.SENT if number == 1 else MailingState.DEFERRED
            due_at = None if number == 1 else NOW + timedelta(days=1)
            record_results(store, mailing, state, "250 ok" if number == 1 else "451 busy", due_at=due_at)
        store.suppress(BO, cause="550 no such user", now=NOW)
        example = Example(name="2606.00001", title="A title", abstract="Words of it.")
        store.judge(ADA, [example], is_liked=True, origin=Origin.COMMAND, now=NOW)
        store.note_action(AuditEntry(at=NOW, who="root", action="suppress", address=BO, details=""))
    return command


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("check", ()),
        ("status", ()),
        ("history", ()),
        ("history", (ADA,)),
        ("resend", (ADA,)),
        ("why", ("2606.00001",)),
        ("audit", ()),
        ("channels", ()),
        ("channels test", ("notes",)),
        ("channels resume", ("notes",)),
        ("subscribers", ()),
        ("subscribe", ("cy@example.org", "-k", "tea")),
        ("subscribe", (ADA, "-k", "learning", "--as", "", "--forget-choices")),
        ("edit", (ADA, "--at", "07:30", "-k", "coffee", "--no-keyword", "tea")),
        ("unsubscribe", (ADA, "-k", "tea")),
        ("unsubscribe", (ADA,)),
        ("unsubscribe", (ADA, "--erase")),
        ("rename", (ADA, "ada@example.net")),
        ("move", (ADA, "--to", "state")),
        ("move", (ADA, "--to", "file")),
        ("pause", (ADA, "--until", IN_A_WEEK)),
        ("unpause", (ADA,)),
        ("mute", (ADA, "tea")),
        ("unmute", (ADA, "tea")),
        ("invite", ()),
        ("like", (ADA, "2606.00002")),
        ("like", (ADA, "2606.00001", "--undo")),
        ("dislike", (ADA, "2606.00001")),
        ("interests", (ADA,)),
        ("backup", ("copy.db",)),
        ("state copy", ("digest.db", "other.db")),
        ("export", ("2606.00001",)),
        ("export", ("2606.00001", "2606.00002", "--format", "ris", "-o", "papers.ris")),
        ("page", ("papers.md", "-k", "tea")),
        ("init", ("--folder", "new", "--email", ADA, "-k", "tea")),
        ("init", ("--folder", "new", "--email", ADA, "-k", "tea", "--provider", "gmail")),
        ("suppressions", ()),
        ("resume", (BO,)),
        ("resume", ("--all",)),
    ],
)
def test_a_command_prints_what_the_page_tells(
    digest: Command, command: str, arguments: tuple[str, ...]
) -> None:
    ended = digest(*command.split(), *arguments, "--json")
    assert ended.code == (1 if command == "status" else 0), ended.err
    check(command, ended.out)


def test_an_import_prints_what_the_page_tells(digest: Command) -> None:
    (digest.folder / "people.toml").write_text(
        '[[subscriber]]\nemail = "dee@example.org"\nkeywords = ["x"]\n'
    )
    for more in ((), ("--dry-run",)):
        out = digest.said("subscribers", "--import", "people.toml", "--json", *more)
        check("subscribers --import", out)


def test_an_export_prints_what_the_page_tells(digest: Command) -> None:
    check("subscribers --export", digest.said("subscribers", "--export", "people.csv", "--json"))
    assert "needs a file" in " ".join(digest.refused("subscribers", "--export", "-", "--json"))


def test_a_list_of_invites_prints_what_the_page_tells(digest: Command) -> None:
    digest.said("invite", "--uses", "2")
    check("invite", digest.said("invite", "--list", "--json"))
    check("invite", digest.said("invite", "--revoke", "1", "--json"))


def test_a_run_and_the_doctor_print_what_the_page_tells_though_arxiv_is_down(digest: Command) -> None:
    ended = digest("run", "--json")
    assert ended.out.count("\n") == 1
    check("run", ended.out)
    check("doctor", digest("doctor", "--json").out)
    (digest.folder / "subscribers.toml").write_text("[[subscriber]]\n")
    check("run", digest("run", "--json").out)


def bounce(digest: Command, mail: bytes, *arguments: str) -> str:
    """What the command prints of a mail about Ada's first digest."""
    with closing(sqlite3.connect(digest.folder / "digest.db")) as db:
        (token,) = db.execute("SELECT token FROM mailing WHERE state = 'sent'").fetchone()
    mail = mail.replace(TOKEN.encode(), token.encode()).replace(SUBSCRIBER.encode(), ADA.encode())
    digest.set(SMTP__BOUNCE_ADDRESS="bounce@lab.example")
    digest.monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(mail)))
    return digest.said("bounce", *arguments)


@pytest.mark.parametrize(
    ("mail", "kind", "outcome", "email"),
    [
        (postfix(), "bounce", "suppressed", ADA),
        (postfix(fields=FIELDS.replace("5.1.1", "5.2.2")), "bounce", "counted", ADA),
        (postfix(fields=FIELDS.replace("failed", "delayed")), "bounce", "ignored", None),
        (complaint(), "complaint", "suppressed", ADA),
        (UNREADABLE["prose"], "unclear", "kept", ADA),
        (b"Subject: hello\n\nhello\n", None, "ignored", None),
    ],
)
def test_a_returned_mail_prints_what_the_page_tells(
    digest: Command, mail: bytes, kind: str | None, outcome: str, email: str | None
) -> None:
    out = bounce(digest, mail, "--json")
    check("bounce", out)
    told = json.loads(out)
    assert (told["kind"], told["outcome"], told["email"]) == (kind, outcome, email)
    assert len(told["said"]) == 1


def test_kept_mails_print_what_the_page_tells(digest: Command) -> None:
    bounce(digest, UNREADABLE["prose"])
    check("bounce --kept", digest.said("bounce", "--kept", "--json"))
    check("bounce --show", shown := digest.said("bounce", "--show", "1", "--json"))
    assert json.loads(shown)["content"].startswith(UNREADABLE["prose"].decode()[:20])
    check("bounce --clear", digest.said("bounce", "--clear", "--json"))
    assert json.loads(digest.said("bounce", "--kept", "--json")) == []


@pytest.fixture
async def arxiv() -> AsyncIterator[LocalArxiv]:
    async with LocalArxiv(ANNOUNCEMENTS, SECOND_MORNING) as server:
        yield server


async def test_keywords_print_what_the_page_tells(
    digest: Command, arxiv: LocalArxiv, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncio import to_thread

    digest.set(ARXIV__API_URL=arxiv.url)
    words = ("-k", "learning", "-k", "a learning rate", "-k", "model")
    out = await to_thread(
        digest.said, "keywords", *words, "--now", f"{SECOND_MORNING:%Y-%m-%dT%H:%M:%SZ}", "--json"
    )
    check("keywords", out)


@pytest.mark.parametrize("more", [(), ("-o", "next.html")])
async def test_a_preview_prints_what_the_page_tells(
    digest: Command, arxiv: LocalArxiv, more: tuple[str, ...]
) -> None:
    from asyncio import to_thread

    digest.set(ARXIV__API_URL=arxiv.url, ARXIV__LOOKBACK_DAYS="30")
    now = ("--now", f"{SECOND_MORNING:%Y-%m-%dT%H:%M:%SZ}", "--json", *more)
    for whose in (("-k", "learning"), ("-k", "nobody writes this"), (ADA,)):
        out = await to_thread(digest.said, "preview", *whose, *now)
        check("preview", out)
        told = json.loads(out)
        assert told["email"] == (ADA if whose == (ADA,) else None)
        assert (told["path"] is not None) == bool(more and told["digest"])


async def test_an_import_of_another_program_prints_what_the_page_tells(
    digest: Command, arxiv: LocalArxiv
) -> None:
    from asyncio import to_thread

    digest.set(ARXIV__API_URL=arxiv.url)
    (digest.folder / "feeds").write_text("https://rss.arxiv.org/rss/cs.LG\nhttps://blog.example.org/feed\n")
    (digest.folder / "page.md").write_text(
        "# tea\n| **Title** |\n| --- |\n| [On tea](https://arxiv.org/abs/2606.00001) |\n"
    )
    for arguments in (("feeds",), ("feeds", "--dry-run"), ("page.md",), ("page.md", "--dry-run")):
        check("import", await to_thread(digest.said, "import", *arguments, "--email", ADA, "--json"))


@pytest.mark.parametrize("command", sorted({name for name in SECTIONS if "--" not in name}))
def test_a_command_that_cannot_do_it_says_so_in_words_only(digest: Command, command: str) -> None:
    (digest.folder / "digest.toml").write_text("[smtp]\nhots = 1\n")
    arguments = {
        "init": ("--email", "nobody"),
        "state copy": ("nothing.db", "other.db"),
        "channels test": ("notes",),
        "channels resume": ("notes",),
    }
    digest.monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(postfix()), isatty=bool))
    ended = digest(*command.split(), *(arguments.get(command) or COMMANDS.get(command, ())), "--json")
    assert ended.code == {"bounce": 75}.get(command, 2)
    if command in {"check", "doctor", "run"}:
        check(command, ended.out)
    else:
        assert ended.out == ""
        assert "error: " in ended.err or "Error" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("keywords", "-k", "water"),
        ("preview", "-k", "water"),
        ("preview", ADA),
        ("page", "papers.md", "-k", "water"),
        ("export", "2606.00009"),
        ("why", "2606.00009"),
    ],
)
def test_without_arxiv_a_command_says_so_in_words_only(digest: Command, arguments: tuple[str, ...]) -> None:
    ended = digest(*arguments, "--json")
    assert (ended.code, ended.out) == (3, "")
    assert {line[:7] for line in ended.err.splitlines()} == {"error: "}


def test_each_command_with_json_is_on_the_page() -> None:
    from tests.reference import commands

    with_json = {one.name for one in commands() for option in one.options if "--json" in option.names}
    assert {name for name in SECTIONS if "--" not in name} == with_json

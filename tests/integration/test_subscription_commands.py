"""The `digest` command: who is subscribed, what is said, and how it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from datetime import time as time_of_day
from pathlib import Path
from typing import IO

import pytest

from digest import __version__, cli
from digest.cli import context
from digest.config.loader import Defaults
from digest.errors import (
    AlreadyRunning,
    BadDocument,
    ConfigurationError,
    DigestError,
    QueryError,
    ServerUnavailable,
    StateError,
    Unreachable,
)
from digest.keywords.query import parse
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.entry_parser import load_subscribers
from digest.subscribers.preferences import Preferences
from tests.factories import moment

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


Digest = Callable[..., Ended]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Digest:
    """Runs the command, as its entry point does, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["digest", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Ended(code=code if isinstance(code, int) else 0, out=out, err=err)

    return run


def start(
    *arguments: str, folder: Path, stdout: IO[bytes] | int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        "DIGEST_STATE": str(folder / "digest.db"),
    }
    return subprocess.run(
        [sys.executable, "-m", "digest", *arguments],
        env=environ,
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )


def test_subscribing_says_what_was_done_and_where_and_what_comes_next(digest: Digest, tmp_path: Path) -> None:
    ended = digest("subscribe", "a@example.org", "-k", "neural operator", "-k", "x ray", "--weekly", "fri")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        f'Added a@example.org with "neural operator", "x ray" to {tmp_path}/subscribers.toml.\n'
        "Mail goes out every Fri at 07:00 UTC, when there are new papers.\n"
        "Next: `digest preview a@example.org` shows the next digest; `digest run` or the daemon sends it.\n"
    )


def test_a_keyword_that_finds_far_more_than_it_seems_to_is_taken_with_a_note(digest: Digest) -> None:
    refused = digest("subscribe", "a@example.org", "-k", "C++")
    assert refused.code == 2
    assert 'or "C++"' in refused.err
    ended = digest("subscribe", "a@example.org", "-k", '"C++"')
    assert ended.code == 0
    assert 'Note: C++ finds every paper with the word "c"' in ended.out
    assert "Note" not in digest("subscribe", "a@example.org", "-k", "tea").out


def test_subscribing_again_extends_and_changes(digest: Digest) -> None:
    digest("subscribe", "a@example.org", "-k", "neural operator")
    more = digest("subscribe", "a@example.org", "-k", "Neural Operators", "-k", "x ray", "--at", "08:30")
    assert 'now also follows "x ray"' in more.out
    assert "Changed at of a@example.org" in more.out
    assert 'already follows "neural operator"' in more.out  # as the file has it
    assert "at 08:30 UTC" in more.out
    assert "No change of a@example.org" in digest("subscribe", "a@example.org", "--at", "08:30").out


def test_unsubscribing_takes_a_keyword_then_the_entry(digest: Digest) -> None:
    digest("subscribe", "a@example.org", "-k", "neural operator", "-k", "x ray")
    assert 'no longer follows "x ray"' in digest("unsubscribe", "a@example.org", "-k", "x ray").out
    assert "No keywords are left" in digest("unsubscribe", "a@example.org", "-k", "neural operator").out
    digest("subscribe", "a@example.org", "-k", "neural operator")
    assert digest("unsubscribe", "a@example.org").out.startswith("Removed a@example.org from ")
    assert digest("subscribers").out.startswith("No subscribers yet")


def test_the_list_is_a_table_with_a_line_for_each(digest: Digest) -> None:
    digest("subscribe", "a@example.org", "-k", "neural operator", "--name", "[red]A")
    digest("subscribe", "b@example.org", *(word for n in range(30) for word in ("-k", f"some topic {n}")))
    header, first, second = digest("subscribers").out.splitlines()
    assert header.split() == ["Address", "Name", "Keywords", "Mailed", "Filters"]
    assert first.split() == [
        "a@example.org",
        "[red]A",
        "neural",
        "operator",
        "every",
        "day",
        "at",
        "07:00",
        "UTC",
    ]
    assert "some topic 29" in second


NOTHING_CHOSEN = {
    "muted": [],
    "own_keywords": [],
    "removed_keywords": [],
    "has_own_time": False,
    "has_own_length": False,
    "paused_until": None,
    "left_at": None,
    "is_suppressed": False,
}


def test_the_list_as_json_has_all_that_is_known(digest: Digest) -> None:
    digest("subscribe", "a@example.org", "-k", "neural operator")
    digest(
        *("subscribe", "b@example.org", "-k", "x ray", "--name", "J\u00f6", "--at", "18:05"),
        *("--timezone", "Asia/Tokyo", "--weekly", "Sunday", "--length", "short", "--exclude", "survey"),
        *("--category", "cs.lg"),
        *("--category", "stat.*", "--no-crosslists", "--replacements", "section"),
    )
    assert json.loads(digest("subscribers", "--json").out) == [
        {
            "version": 1,
            "email": "a@example.org",
            "owner": "file",
            "joined_at": None,
            "name": None,
            "keywords": ["neural operator"],
            "names": {},
            "at": "07:00",
            "timezone": "UTC",
            "weekly": None,
            "length": "normal",
            "discover": 0,
            "exclude": [],
            "categories": [],
            "crosslists": True,
            "replacements": "never",
            **NOTHING_CHOSEN,
        },
        {
            "version": 1,
            "email": "b@example.org",
            "owner": "file",
            "joined_at": None,
            "name": "J\u00f6",
            "keywords": ["x ray"],
            "names": {},
            "at": "18:05",
            "timezone": "Asia/Tokyo",
            "weekly": "sun",
            "length": "short",
            "discover": 0,
            "exclude": ["survey"],
            "categories": ["cs.LG", "stat.*"],
            "crosslists": False,
            "replacements": "section",
            **NOTHING_CHOSEN,
        },
    ]


def test_what_subscribers_chose_and_who_is_suppressed_is_listed(digest: Digest, tmp_path: Path) -> None:
    digest("subscribe", "a@example.org", "-k", "neural operator", "-k", "x ray")
    digest("subscribe", "b@example.org", "-k", "x ray")
    found = load_subscribers(tmp_path / "subscribers.toml", Defaults())
    chosen = Preferences(
        muted=(parse("x rays").key,), send_at=time_of_day(18, 5), weekly="fri", paused_until=date(2126, 7, 1)
    )
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol(found, now=moment("2026-06-16 07:00"), current_since=moment("2026-06-16 07:00"))
        store.save_preferences("a@example.org", chosen)
        store.leave("b@example.org", now=moment("2026-06-16 07:00"))
        store.suppress("b@example.org", cause="550 5.1.1", now=moment("2026-06-16 07:00"))
    header, first, second, note = digest("subscribers").out.splitlines()
    assert header.split()[-1] == "Choices"
    assert "`digest edit EMAIL --forget-choices`" in note
    assert "every Fri at 18:05 UTC" in first
    assert first.rstrip().endswith(
        'paused until 2126-07-01; mutes "x ray"; own time (in the entry: every day at 07:00 UTC)'
    )
    assert second.rstrip().endswith("left 2026-06-16; suppressed")
    first_object, second_object = json.loads(digest("subscribers", "--json").out)
    assert (first_object["muted"], first_object["at"], first_object["weekly"]) == (["x ray"], "18:05", "fri")
    assert (first_object["has_own_time"], first_object["paused_until"]) == (True, "2126-07-01")
    assert (second_object["left_at"], second_object["is_suppressed"]) == ("2026-06-16T07:00:00+00:00", True)


def test_another_length_than_the_usual_one_is_listed(digest: Digest, tmp_path: Path) -> None:
    digest("subscribe", "a@example.org", "-k", "x ray", "--length", "Full")
    out = digest("subscribe", "b@example.org", "-k", "x ray", "--length", "short").out
    assert out.startswith("Added b@example.org")
    digest("subscribe", "c@example.org", "-k", "x ray")
    found = load_subscribers(tmp_path / "subscribers.toml", Defaults())
    assert [one.length for one in found] == ["full", "short", "normal"]
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol(found, now=moment("2026-06-16 07:00"), current_since=moment("2026-06-16 07:00"))
        store.save_preferences("a@example.org", Preferences(length="normal"))
    _, first, second, third, note = digest("subscribers").out.splitlines()
    assert "07:00 UTC, " not in first + third
    assert first.rstrip().endswith("own length: normal (in the entry: full)")
    assert "every day at 07:00 UTC, short" in second
    assert "--forget-choices" in note
    assert "length: normal (in the entry: full)" in digest("subscribe", "a@example.org").out
    assert "Changed length of b@" in digest("subscribe", "b@example.org", "--length", "normal").out


def test_a_pause_that_is_over_is_not_listed(digest: Digest, tmp_path: Path) -> None:
    digest("subscribe", "a@example.org", "-k", "x ray")
    found = load_subscribers(tmp_path / "subscribers.toml", Defaults())
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol(found, now=moment("2026-06-16 07:00"), current_since=moment("2026-06-16 07:00"))
        store.save_preferences("a@example.org", Preferences(paused_until=date(2026, 1, 1)))
    assert "paused" not in digest("subscribers").out
    assert json.loads(digest("subscribers", "--json").out)[0]["paused_until"] is None


def test_who_chose_something_else_than_the_operator_sets_is_told_of_and_can_be_overruled(
    digest: Digest, tmp_path: Path
) -> None:
    digest("subscribe", "a@example.org", "-k", "x ray")
    assert "online" not in digest("subscribers").out
    found = load_subscribers(tmp_path / "subscribers.toml", Defaults())
    chosen = Preferences(
        muted=(parse("x rays").key,), send_at=time_of_day(18, 5), paused_until=date(2126, 7, 1)
    )
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol(found, now=moment("2026-06-16 07:00"), current_since=moment("2026-06-16 07:00"))
        store.save_preferences("a@example.org", chosen)
    out = digest("subscribe", "a@example.org", "--at", "08:00").out
    assert "Mail goes out every day at 18:05 UTC" in out
    assert (
        "Note: a@example.org chose online, which overrides their entry:"
        ' muted keywords: "x ray" (in the entry: none); time: 18:05 UTC (in the entry: 08:00 UTC);'
        " pause: until 2126-07-01 (in the entry: none)."
        " `digest edit a@example.org --forget-choices` removes them.\n"
    ) in out
    out = digest("subscribe", "a@example.org", "--forget-choices").out
    assert "Mail goes out every day at 08:00 UTC" in out
    assert "The online choices of a@example.org are removed.\n" in out
    assert "Note:" not in out
    with SqliteStore(tmp_path / "digest.db") as store:
        assert store.preferences() == {}


def test_the_operator_subscribes_someone_again_who_left(digest: Digest, tmp_path: Path) -> None:
    digest("subscribe", "a@example.org", "-k", "x ray")
    found = load_subscribers(tmp_path / "subscribers.toml", Defaults())
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol(found, now=moment("2026-06-16 07:00"), current_since=moment("2026-06-16 07:00"))
        store.leave("a@example.org", now=moment("2026-06-16 07:00"))
    assert (
        "a@example.org had unsubscribed, and gets mails again.\n" in digest("subscribe", "a@example.org").out
    )
    assert "had unsubscribed" not in digest("subscribe", "a@example.org").out
    assert "left" not in digest("subscribers").out


def test_subscribers_are_added_and_listed_though_the_state_cannot_be_read(
    digest: Digest, tmp_path: Path
) -> None:
    digest("subscribe", "a@example.org", "-k", "x ray")
    (tmp_path / "digest.db").write_text("no database")
    ended = digest("subscribe", "b@example.org", "-k", "tea")
    assert (ended.code, ended.err.partition(": ")[2][:37]) == (0, "if they had unsubscribed, this did no")
    ended = digest("subscribers")
    assert (ended.code, ended.err.partition(": ")[2][:38]) == (0, "online choices of subscribers are not ")
    assert "a@example.org" in ended.out


def test_filters_are_told_and_listed(digest: Digest) -> None:
    filters = ("--exclude", "survey", "--category", "cs.LG", "--no-crosslists", "--replacements", "section")
    told = digest("subscribe", "a@example.org", "-k", "x ray", *filters).out
    expected = 'only cs.LG as primary category; without "survey"; with new versions'
    assert f"\nFilters: {expected}.\n" in told
    assert digest("subscribers").out.splitlines()[1].endswith(expected)
    more = ("--exclude", "x ray tube", "--category", "stat.*", "--crosslists", "--replacements", "never")
    told = digest("subscribe", "a@example.org", *more).out
    assert "Changed exclude, categories, crosslists, replacements of a@example.org" in told
    assert '\nFilters: only cs.LG, stat.*; without "survey", "x ray tube".\n' in told
    assert "No change of a@example.org" in digest("subscribe", "a@example.org", *more).out


def test_a_keyword_is_given_an_own_name(digest: Digest) -> None:
    rl = ("subscribe", "a@example.org", "-k", "reinforcement learning")
    assert digest(*rl, "--as", "RL").out.startswith(
        'Added a@example.org with "RL (reinforcement learning)" to '
    )
    assert 'already follows "RL (reinforcement learning)".' in digest(*rl).out
    digest("subscribe", "a@example.org", "-k", "x ray")
    assert "RL (reinforcement learning), x ray" in digest("subscribers").out
    (listed,) = json.loads(digest("subscribers", "--json").out)
    assert listed["keywords"] == ["reinforcement learning", "x ray"]
    assert listed["names"] == {"reinforcement learning": "RL"}
    told = digest(*rl, "--as", "RL 2").out
    assert told.startswith('"reinforcement learning" of a@example.org is now called "RL 2", in ')
    assert "follows" not in told
    assert "has no own name any more, in" in digest(*rl, "--as", "").out
    digest(*rl, "--as", "RL")
    refused = digest("unsubscribe", "a@example.org", "-k", "nothing").err
    assert 'it follows "RL (reinforcement learning)", "x ray"' in refused
    assert (
        'no longer follows "RL (reinforcement learning)", in'
        in digest("unsubscribe", "a@example.org", "-k", "rl").out
    )


@pytest.mark.parametrize("keywords", [(), ("-k", "tea", "-k", "x ray")])
def test_a_name_needs_the_one_keyword_that_it_names(digest: Digest, keywords: tuple[str, ...]) -> None:
    ended = digest("subscribe", "a@example.org", *keywords, "--as", "RL")
    assert ended.code == 2
    assert "gives a name to one keyword" in ended.err


def test_the_configuration_named_before_the_command_is_used(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "digest.toml").write_text('[defaults]\nat = "05:45"\n')
    ended = digest("--config", "etc/digest.toml", "subscribe", "a@example.org", "-k", "x ray")
    assert "at 05:45" in ended.out
    assert (tmp_path / "etc" / "subscribers.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["subscribers"], "`digest subscribe EMAIL -k KEYWORD` creates it"),
        (["--config", "gone.toml", "subscribers"], "gone.toml: no such file, named by --config"),
        (["subscribe", "a@example.org"], "is a new subscriber and needs a keyword"),
        (["subscribe", "a", "-k", "x ray"], 'email = "a": must be a mail address'),
        (["subscribe", "a@example.org", "-k", ""], 'keyword "": must be text'),
        (["subscribe", "a@example.org", "-k", "x ray", "--at", "noon"], 'at = "noon": must be HH:MM'),
        (
            ["subscribe", "a@example.org", "-k", "x ray", "--timezone", "Mars"],
            'timezone = "Mars": must be',
        ),
        (["subscribe", "a@example.org", "-k", "x ray", "--weekly", "x"], 'weekly = "x": must be'),
        (["subscribe", "a@example.org", "-k", "x ray", "--as", "R" * 61], "of 1 to 60 characters"),
        (["unsubscribe", "a@example.org"], "there are no subscribers"),
        (["subscribe", "a@example.org", "-k", "x ray", "--exclude", "a AND"], "error: exclude: "),
        (
            ["subscribe", "a@example.org", "-k", "x ray", "--category", "cs.LK"],
            'category "cs.LK": must be a category of arXiv',
        ),
        (
            ["subscribe", "a@example.org", "-k", "x ray", "--replacements", "yes"],
            'replacements = "yes": must be "never"',
        ),
        (
            ["subscribe", "a@example.org", "-k", "x ray", "--no-crosslists"],
            "subscribers.toml, a@example.org: crosslists = false: needs categories",
        ),
        (
            ["subscribe", "a@example.org", "-k", "x ray", "--exclude", "X-Rays"],
            'subscribers.toml, a@example.org: exclude: "X-Rays" is also a keyword',
        ),
    ],
)
def test_what_cannot_be_done_is_told_on_standard_error_and_ends_with_2(
    digest: Digest, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    ended = digest(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert problem in ended.err
    assert not (tmp_path / "subscribers.toml").exists()


def test_every_problem_has_its_line(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "digest.toml").write_text("[smtp]\nport = 0\nprot = 0\n")
    ended = digest("subscribers")
    assert ended.code == 2
    assert [line.split(": ")[:3] for line in ended.err.splitlines()] == [
        ["error", "digest.toml", "smtp.port = 0"],
        ["error", "digest.toml", "smtp.prot"],
    ]


@pytest.mark.parametrize("arguments", [["nonsense"], ["subscribe"], ["subscribers", "--zzz"], []])
def test_wrong_usage_ends_with_2(digest: Digest, arguments: list[str]) -> None:
    assert digest(*arguments).code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("x"), 2),
        (QueryError("x", 0, "y"), 2),
        (StateError("x", "y"), 2),
        (StateError("x", "y", is_passing=True), 1),
        (AlreadyRunning("x"), 1),
        (ServerUnavailable("x", "y", "z"), 1),
        (Unreachable("x", "y"), 3),
        (BadDocument("x", "y"), 3),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: DigestError, code: int) -> None:
    assert context.exit_code(error) == code


def test_an_interrupt_ends_with_130_and_no_traceback(digest: Digest, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("digest.config.loader.load_settings", interrupted)
    monkeypatch.setattr("digest.cli.os._exit", sys.exit)  # which would end the tests as well
    ended = digest("subscribers")
    assert (ended.code, ended.err) == (130, "")


def test_help_is_worth_reading(digest: Digest) -> None:
    ended = digest("--help")
    assert ended.code == 0
    for words in (
        "subscribe",
        "Exit codes",
        "digest demo",
        "digest.toml",
        "--config",
        "--install-completion",
    ):
        assert words in ended.out
    for name in ("subscribe", "unsubscribe", "subscribers"):
        assert digest(name, "--help").code == 0


def test_the_version_is_told(digest: Digest) -> None:
    assert digest("--version").out == f"digest {__version__}\n"


@pytest.mark.parametrize("arguments", [["subscribers"], ["subscribers", "--json"], ["--help"]])
def test_it_is_no_error_when_whoever_reads_goes_away(
    digest: Digest, tmp_path: Path, arguments: list[str]
) -> None:
    digest("subscribe", "a@example.org", "-k", "x ray")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        ended = start(*arguments, folder=tmp_path, stdout=nobody)
    assert ended.stderr == ""


def test_colours_are_off_when_nobody_watches(digest: Digest, tmp_path: Path) -> None:
    digest("subscribe", "a@example.org", "-k", "x ray")
    for arguments in (["subscribers"], ["--help"], ["nonsense"]):
        ended = start(*arguments, folder=tmp_path)
        assert "\x1b" not in ended.stdout + ended.stderr


MODULES_OF_HELP = """
import sys
sys.argv = ["digest", "--help"]
import digest.cli
try:
    digest.cli.main()
finally:
    print("loaded:", *sys.modules)
"""


def test_help_imports_nothing_heavy_and_so_starts_quickly() -> None:
    heavy = (
        "aiohttp",
        "aiosmtplib",
        "feedparser",
        "jinja2",
        "pydantic",
        "sqlite_utils",
        "tomlkit",
        "email_validator",
    )
    ended = subprocess.run(
        [sys.executable, "-c", MODULES_OF_HELP],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = ended.stdout.rpartition("loaded: ")[2].split()
    assert not {*heavy} & {*loaded}
    assert len(loaded) < 450  # which take 0.3 s


def test_all_about_a_subscriber_is_erased(digest: Digest, tmp_path: Path) -> None:
    digest("subscribe", "a@example.org", "-k", "x ray")
    digest("subscribe", "b@example.org", "-k", "x ray")
    found = load_subscribers(tmp_path / "subscribers.toml", Defaults())
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol(found, now=moment("2026-06-16 07:00"), current_since=moment("2026-06-16 07:00"))
    out = digest("unsubscribe", "a@example.org", "--erase").out
    assert "Removed a@example.org from" in out
    assert "All that the state had about a@example.org is deleted." in out
    assert "a@example.org" not in (tmp_path / "subscribers.toml").read_text()
    with SqliteStore(tmp_path / "digest.db") as store:
        assert store.personal_data("a@example.org").sections["subscriber"] == ()
        assert store.preferences() == {}
        assert set(store.subscriber_statuses(["a@example.org", "b@example.org"])) == {"b@example.org"}
    again = digest("unsubscribe", "a@example.org", "--erase")
    assert (again.code, "is not known; nothing was deleted" in again.err) == (2, True)
    assert digest("unsubscribe", "b@example.org", "--erase", "-k", "x ray").code == 2


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (("subscribe", "a@example.org", "-k", "neural", "operator"), '-k "neural operator"'),
        (("subscribe", "a@example.org", "operator"), "write -k before a keyword"),
        (("mute", "a@example.org", "neural", "operator"), "put a keyword of several words in quotes"),
    ],
)
def test_a_keyword_without_its_option_or_quotes_is_told(
    digest: Digest, line: tuple[str, ...], hint: str
) -> None:
    ended = digest(*line)
    assert ended.code == 2
    assert "unexpected argument: operator; " in ended.err
    assert hint in ended.err
    assert "keyword" not in digest("daemon", "now").err

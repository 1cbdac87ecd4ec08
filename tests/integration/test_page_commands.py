"""`digest page` and `digest import`: the files they write, and what they leave alone."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest import cli
from digest.cli.daily_papers.parser import parse_page
from digest.model.paper import ArxivId
from digest.storage.sqlite.store import SqliteStore
from digest.storage.values import Matched
from tests.acceptance.installation import Installation
from tests.factories import invented_paper, make_subscriber, moment
from tests.integration.arxiv_server import arxiv_server, entry, feed, says
from tests.pages import shown_html, shown_markdown
from tests.stores import key, news_of

NOW = moment("2026-06-16 07:00")
LONG_AGO = moment("2026-01-01 00:00")
TODAY = ("--now", "2026-06-16T07:00:00Z")
TOMORROW = ("--now", "2026-06-17T07:00:00Z")
SUBSCRIBERS = """
[[subscriber]]
email = "ada@example.org"
keywords = ["tea", "milk"]
[[subscriber]]
email = "bo@example.org"
keywords = ["Teas", "salt", "milk"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


Digest = Callable[..., Ended]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state that has seen papers on tea and on milk, and knows of nothing on salt."""
    for name in [name for name in os.environ if name.startswith("DIGEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_STATE", str(tmp_path / "digest.db"))
    (tmp_path / "subscribers.toml").write_text(SUBSCRIBERS)
    with SqliteStore(tmp_path / "digest.db") as store:
        store.enrol([make_subscriber("x@example.org", "tea", "milk", "salt")], now=NOW, current_since=NOW)
        see(store, "2606.00001", "On tea", "tea")
        see(store, "2606.00002", "On tea and milk", "tea", "milk")
        see(store, "2606.00003", "A title that says nothing any more", "tea")
    return tmp_path / "digest.db"


def see(store: SqliteStore, arxiv_id: str, title: str, *keywords: str) -> None:
    paper = Matched(paper=invented_paper(arxiv_id, title), query_keys=tuple(map(key, keywords)))
    store.record([paper], covered={key(one): LONG_AGO for one in ("tea", "milk", "salt", *keywords)}, now=NOW)


@pytest.fixture
def digest(
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Digest:
    for name in ("digest.sources", "digest.pipeline"):  # puts back, at the end, what the command sets
        caplog.set_level(logging.getLogger(name).level, name)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["digest", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Ended(code=code if isinstance(code, int) else 0, out=out, err=err)

    return run


def on_page(path: Path) -> dict[str, list[str]]:
    listings = parse_page(path.read_text()).listings
    return {one.heading: [listed.id for listed in one.papers] for one in listings}


# The page


def test_the_page_has_the_keywords_of_all_subscribers_each_once(digest: Digest, tmp_path: Path) -> None:
    ended = digest("page", "README.md", *TODAY)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{tmp_path}/README.md: 3 keywords, 3 papers\n"
    assert on_page(tmp_path / "README.md") == {
        "tea": ["2606.00002", "2606.00001"],
        "milk": ["2606.00002"],
        "salt": [],
    }
    assert "Last update: 2026-06-16" in (tmp_path / "README.md").read_text()


def test_the_page_has_the_keywords_of_one_subscriber_or_those_named(digest: Digest, tmp_path: Path) -> None:
    assert digest("page", "a.md", "--subscriber", "ADA@example.org", *TODAY).code == 0
    assert list(on_page(tmp_path / "a.md")) == ["tea", "milk"]
    assert digest("page", "b.md", "-k", "Milk", "-k", "milks", *TODAY).code == 0
    assert on_page(tmp_path / "b.md") == {"Milk": ["2606.00002"]}


def test_what_is_no_file_is_never_replaced(digest: Digest, tmp_path: Path) -> None:
    """As /dev/null would be, by root."""
    os.mkfifo(tmp_path / "pipe")
    ended = digest("page", "pipe", *TODAY)
    assert (ended.code, "pipe: is not a regular file" in ended.err) == (2, True)
    assert (tmp_path / "pipe").is_fifo()


def test_a_page_can_go_to_standard_output(digest: Digest, tmp_path: Path) -> None:
    ended = digest("page", "-", *TODAY)
    assert (ended.code, ended.err) == (0, "")
    assert digest("page", "README.md", *TODAY).code == 0
    assert ended.out == (tmp_path / "README.md").read_text()
    assert not (tmp_path / "-").exists()
    refused = digest("page", "-", "--json", *TODAY)
    assert (refused.code, "give the path of a file" in refused.err) == (2, True)


def test_what_is_unchanged_but_for_the_day_is_left_untouched(digest: Digest, tmp_path: Path) -> None:
    for name, form in (("README.md", ()), ("index.html", ("--html",))):
        path = tmp_path / name
        digest("page", name, *form, *TODAY)
        os.utime(path, (1, 1))
        before = path.stat().st_ino
        ended = digest("page", name, *form, *TOMORROW)
        assert (ended.code, path.stat().st_ino, path.stat().st_mtime) == (0, before, 1)
        assert "no new papers, the file is unchanged" in ended.out
    with SqliteStore(tmp_path / "digest.db") as store:
        see(store, "2606.00004", "More tea", "tea")
    digest("page", "README.md", *TOMORROW)
    text = (tmp_path / "README.md").read_text()
    assert "Last update: 2026-06-17" in text
    assert on_page(tmp_path / "README.md")["tea"] == ["2606.00004", "2606.00002", "2606.00001"]


def test_the_html_shows_the_same_as_the_markdown(digest: Digest, tmp_path: Path) -> None:
    digest("page", "README.md", *TODAY)
    digest("page", "index.html", "--html", *TODAY)
    markdown = shown_markdown((tmp_path / "README.md").read_text())
    html = shown_html((tmp_path / "index.html").read_text())
    assert (html.headings, html.tables, html.summaries, html.links) == (
        markdown.headings, markdown.tables, markdown.summaries, markdown.links,
    )  # fmt: skip


def test_the_day_is_that_of_the_installations_time_zone(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "digest.toml").write_text('[defaults]\ntimezone = "Asia/Tokyo"\n')
    digest("page", "README.md", "--now", "2026-06-16T16:00:00Z")
    assert "Last update: 2026-06-17" in (tmp_path / "README.md").read_text()


def test_a_page_too_long_for_github_is_told_of(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.cli.page._MOST_SHOWN", 100)
    assert "GitHub shows only the first 500 KiB" in digest("page", "README.md", *TODAY).out


def test_another_file_is_never_replaced(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# My project\n")
    ended = digest("page", "README.md", *TODAY)
    assert ended.code == 2
    assert "not a page of papers" in ended.err
    assert (tmp_path / "README.md").read_text() == "# My project\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["page", "gone/README.md"],
            "gone/README.md: cannot be written: No such file or directory; create its folder",
        ),
        (["page", "."], "cannot be read: Is a directory"),
        (["page", "x.md", "--subscriber", "cy@example.org"], "cy@example.org is not a subscriber"),
        (["page", "x.md", "--subscriber", "cy@example.org", "-k", "tea"], "give either keywords"),
        (["page", "x.md", "-k", ""], "must be text in quotes"),
        (["page", "x.md", "-k", "tea AND"], "tea AND"),
        (["import", "gone.md", "--email", "ada@example.org"], "gone.md: no such file"),
        (["import", ".", "--email", "ada@example.org"], "cannot be read: Is a directory"),
        (["import", "subscribers.toml", "--email", "ada@example.org"], "does not know this kind of file"),
        (["import", "bytes.md", "--email", "ada@example.org"], "bytes.md, line 1: not UTF-8 text"),
        (["import", "page.md", "--email", "nobody"], "nobody: must be a mail address"),
        (["import", "page.md"], "--email"),
        (["import", "useless.md", "--email", "ada@example.org"], "no heading can be used as a keyword"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    digest: Digest, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe")
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "useless.md").write_text(f"## ...{PAGE.rpartition('## ...')[2]}")
    ended = digest(*arguments)
    assert ended.code == 2
    assert problem in " ".join(ended.err.replace("│", " ").split())
    assert not (tmp_path / "x.md").exists()
    assert (tmp_path / "subscribers.toml").read_text() == SUBSCRIBERS


async def test_keywords_that_nobody_follows_are_asked_of_arxiv_and_leave_no_mark(tmp_path: Path) -> None:
    answer = says(feed(entry("2606.00001v2", title="On gnomes"), total=1))
    async with arxiv_server(answer) as arxiv:
        lab = Installation(tmp_path, SUBSCRIBERS, arxiv__api_url=arxiv.url)
        for _ in range(2):
            done = await asyncio.to_thread(
                lab, "page", "README.md", "-k", "gnomes", "--now", "2026-06-16T12:30:00Z"
            )
            assert done.returncode == 0, done.stderr
        assert len(arxiv.asked) == 2
    assert on_page(tmp_path / "README.md") == {"gnomes": ["2606.00001"]}
    assert "https://arxiv.org/abs/2606.00001v2" in (tmp_path / "README.md").read_text()
    assert not (tmp_path / "state" / "digest.db").exists()


async def test_without_arxiv_it_ends_with_3_and_the_page_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Last update: 2026-06-01\n")
    async with arxiv_server(says("Rate exceeded.", 400)) as arxiv:
        lab = Installation(tmp_path, SUBSCRIBERS, arxiv__api_url=arxiv.url)
        done = await asyncio.to_thread(lab, "page", "README.md", "--now", "2026-06-02T12:30:00Z")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: ")
    assert (tmp_path / "README.md").read_text() == "Last update: 2026-06-01\n"


# Import

PAGE = """\
# Daily Papers
Last update: 2026-06-15

## Tea leaves
| **Title** | **Date** | **Abstract** | **Comment** |
| --- | --- | --- | --- |
| **[Tea leaves](http://arxiv.org/abs/2606.00001v1)** | 2026-06-14 | <details><summary>Show</summary><p>Hot.</p></details> |  |
| **[Roots](http://arxiv.org/abs/2606.00002v1)** | 2026-06-14 | <details><summary>Show</summary><p>Cold.</p></details> |  |

## Roots (of tea)
| **Title** | **Date** | **Abstract** | **Comment** |
| --- | --- | --- | --- |
| **[Tea leaves](http://arxiv.org/abs/2606.00001v1)** | 2026-06-14 | <details><summary>Show</summary><p>Hot.</p></details> |  |
| **[Roots](http://arxiv.org/abs/2606.00002v1)** | 2026-06-14 | <details><summary>Show</summary><p>Cold.</p></details> |  |

## ...
| **Title** | **Date** |
| --- | --- |
| **[Leaves](http://arxiv.org/abs/2606.00009v1)** | 2026-06-14 |
"""  # noqa: E501


def new_for(state: Path, email: str, *keywords: str) -> set[str]:
    with SqliteStore(state) as store:
        store.enrol([make_subscriber(email, *keywords)], now=NOW, current_since=NOW)
        for number in (1, 2, 3, 9):
            see(store, f"2606.0000{number}", "Tea leaves", *keywords)
        return {hit.paper.id for hit in news_of(store, email, LONG_AGO).hits}


def test_headings_become_keywords_and_papers_count_as_seen(
    digest: Digest, state: Path, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text(PAGE)
    ended = digest("import", "README.md", "--email", "cy@example.org")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:6] == [
        "README.md: 3 headings, 3 different papers",
        '"Tea leaves": papers 2, matching 1; not matching 1: 2606.00002 "Roots"',
        (
            '"Roots (of tea)" (as the phrase "Roots (of tea)"): papers 2, matching 0; not matching 2:'
            ' 2606.00001 "Tea leaves", 2606.00002 "Roots"'
        ),
        '"...": cannot be a keyword, ignored',
        '"Tea leaves", "Roots (of tea)" have the same 2 papers: the page was made with a wrong search',
        "3 papers are marked as seen by cy@example.org.",
    ]
    assert 'Added cy@example.org with "Tea leaves", ""Roots (of tea)""' in ended.out
    assert new_for(state, "cy@example.org", "tea leaves") == {"2606.00003"}


def test_what_could_not_be_read_is_counted_with_examples(digest: Digest, tmp_path: Path) -> None:
    strange = "".join(f"| [Tea {n}](https://example.org/{n}) | |\n" for n in range(3))
    listed = "- [Milk](https://arxiv.org/abs/2606.00007)\n"
    (tmp_path / "README.md").write_text(f"## Tea leaves\n| Title | Comment |\n|---|---|\n{strange}\n{listed}")
    out = digest("import", "README.md", "--email", "cy@example.org").out.splitlines()
    assert out[1:3] == [
        (
            '"Tea leaves": papers 0, matching 0; rows without a paper of arXiv 3:'
            ' line 4 "Tea 0 |", line 5 "Tea 1 |", …'
        ),
        'Links to papers outside of such tables, ignored (1): line 8 "- Milk"',
    ]
    (tmp_path / "README.md").write_text(f"## Tea leaves\n{listed}")
    ended = digest("import", "README.md", "--email", "cy@example.org")
    assert (ended.code, 'ignored (1): line 2 "- Milk"' in " ".join(ended.err.split())) == (2, True)


def test_importing_twice_is_the_same_as_once(digest: Digest, state: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(PAGE)
    digest("import", "README.md", "--email", "ada@example.org")
    once = (tmp_path / "subscribers.toml").read_text()
    ended = digest("import", "README.md", "--email", "ADA@example.org")
    assert ended.code == 0
    assert "3 papers are marked as seen by ADA@example.org, 3 of them already before." in ended.out
    assert (tmp_path / "subscribers.toml").read_text() == once
    assert 'keywords = ["tea", "milk", "Tea leaves", ' in once


def test_a_dry_run_tells_and_writes_nothing(digest: Digest, state: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(PAGE)
    ended = digest("import", "README.md", "--email", "cy@example.org", "--dry-run")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "Nothing was written.")
    assert '"Tea leaves": papers 2, matching 1' in ended.out
    assert (tmp_path / "subscribers.toml").read_text() == SUBSCRIBERS
    with SqliteStore(state) as store:
        assert store.count_as_seen("cy@example.org", [ArxivId("2606.00001")]) == 1


def test_what_page_writes_import_takes_over(digest: Digest, state: Path, tmp_path: Path) -> None:
    digest("page", "README.md", *TODAY)
    ended = digest("import", "README.md", "--email", "cy@example.org")
    assert ended.out.splitlines()[1:4] == [
        '"tea": papers 2, matching 2',
        '"milk": papers 1, matching 1',
        '"salt": papers 0, matching 0',
    ]
    assert 'Added cy@example.org with "tea", "milk", "salt"' in ended.out

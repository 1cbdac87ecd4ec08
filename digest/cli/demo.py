"""`digest demo`: the whole path on this machine alone, and what happened on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from digest.demo.days import Run


def demo(
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", metavar="FOLDER", help="Keep everything there instead of in a temporary folder."
        ),
    ] = None,
) -> None:
    """Show the whole path with no network and no set-up: a small built-in arXiv, two subscribers, two days.

    All papers and people are invented. Nothing is sent: the mails go into a Maildir.

    Your own configuration and state are neither read nor changed.
    """
    import asyncio

    from digest.cli.screen import screen
    from digest.demo.days import live_through

    folder = _made(into)
    console = screen()
    console.print("A small arXiv with invented papers now runs on this machine; two readers have subscribed.")
    runs = asyncio.run(live_through(folder))
    _tell_days(console, runs)
    _tell_where(console, folder)
    raise typer.Exit(max(run.report.exit_code for run in runs))


def _made(into: Path | None) -> Path:
    """The folder to use, which is empty. Raises `typer.BadParameter` for one that cannot be."""
    from tempfile import mkdtemp

    try:
        if into is None:
            return Path(mkdtemp(prefix="arxiv-digest-demo-"))
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise typer.BadParameter(f"{into} is not empty; name a new folder with --into")
    except OSError as error:
        place = into or "a temporary folder"
        raise typer.BadParameter(
            f"{place} cannot be used ({error.strerror}); name another with --into"
        ) from error
    return into.resolve()


def _tell_days(console: "Console", runs: "tuple[Run, ...]") -> None:
    from digest.demo.papers import LATE, REPLACEMENT

    first, second, third = runs
    _tell(console, first, f"{first.announced} papers were announced over the last evenings")
    console.print("A first digest brings the newest papers of the last days, up to 10 for each keyword.")
    _tell(console, second, f"{second.announced} more announcements last night")
    console.print(
        f"Late: {LATE.id} was submitted on {LATE.submitted_at:%d %B} and announced only last night."
        f" {_share(second, LATE.id)}: what is new is decided by what was seen, never by dates."
    )
    console.print(
        f"Replaced: version {REPLACEMENT.version} of {REPLACEMENT.id} was announced last night too."
        f" {_share(second, REPLACEMENT.id)}: they had the paper the day before."
    )
    _tell(console, third, "once more, as with digest run --force")


def _tell(console: "Console", run: "Run", news: str) -> None:
    from rich.table import Table

    from digest.cli.screen import indented

    console.print(f"\n{run.at:%A, %d %B, %H:%M}: {news}", style="bold")
    mails = Table.grid(padding=(0, 2))
    for _ in range(3):
        mails.add_column(overflow="fold")
    for mail in run.mails:
        mails.add_row("", mail.email, mail.subject)
    console.print(mails)
    for error in run.report.errors:
        console.print(indented(f"error: {error}", "red"))
    if not run.mails:
        console.print(indented("nobody was mailed, since there is nothing that they have not had"))


def _share(run: "Run", paper: str) -> str:
    brought = sum(paper in mail.papers for mail in run.mails)
    return f"{brought} of {len(run.mails)} readers got it"


def _tell_where(console: "Console", folder: Path) -> None:
    from digest.demo.days import MAILDIR, SUBSCRIBERS

    console.print("\nWhere to look", style="bold")
    for page in sorted(folder.glob("*.html")):
        console.print(f"  {page}", soft_wrap=True)
    console.print(f"  {folder / MAILDIR}  (the mails themselves)", soft_wrap=True)
    console.print(f"  {folder / SUBSCRIBERS}  (who follows what)", soft_wrap=True)
    console.print("\nWhat to do next", style="bold")
    console.print('  digest subscribe you@example.org -k "graph neural network"')
    console.print("  digest run")
    console.print("That asks the real arXiv. While no mail server is set, mails go into a Maildir.")

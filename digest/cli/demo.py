"""`digest demo`: all steps on this machine, with invented papers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from digest.demo.scenario import Run


def demo(
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", metavar="FOLDER", help="Write all files there instead of into a temporary folder."
        ),
    ] = None,
) -> None:
    """Show all steps without network and set-up: a small built-in arXiv, two subscribers, two days.

    All papers and people are invented. Nothing is sent: the mails go into a Maildir.

    Your own configuration and state are not read and not changed.
    """
    import asyncio

    from digest.cli.output import screen
    from digest.demo.scenario import live_through

    folder = _made(into)
    console = screen()
    console.print("A small arXiv with invented papers now runs on this machine. It has two subscribers.")
    runs = asyncio.run(live_through(folder))
    _print_days(console, runs)
    _print_files(console, folder)
    raise typer.Exit(max(run.report.exit_code for run in runs))


def _made(into: Path | None) -> Path:
    """The empty folder to use. Raises `typer.BadParameter` if it cannot be used."""
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


def _print_days(console: "Console", runs: "tuple[Run, ...]") -> None:
    from digest.demo.papers import LATE, REPLACEMENT

    first, second, third = runs
    _print_run(console, first, f"{first.announced} papers were announced over the last evenings")
    console.print("A first digest has the newest papers of the last days, up to 10 for each keyword.")
    _print_run(console, second, f"{second.announced} more announcements last night")
    console.print(
        f"Late: {LATE.id} was submitted on {LATE.submitted_at:%d %B} and announced only last night."
        f" {_share(second, LATE.id)}: a paper is new if a subscriber has not received it;"
        " its date does not matter."
    )
    console.print(
        f"Replaced: version {REPLACEMENT.version} of {REPLACEMENT.id} was also announced last night."
        f" {_share(second, REPLACEMENT.id)}: both had received the paper the day before."
    )
    _print_run(console, third, "once more, as with digest run --force")


def _print_run(console: "Console", run: "Run", news: str) -> None:
    from rich.table import Table

    from digest.cli.output import indented

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
        console.print(indented("no mail was sent: both subscribers have received all papers"))


def _share(run: "Run", paper: str) -> str:
    brought = sum(paper in mail.papers for mail in run.mails)
    return f"{brought} of {len(run.mails)} subscribers got it"


def _print_files(console: "Console", folder: Path) -> None:
    from digest.demo.scenario import MAILDIR, SUBSCRIBERS

    console.print("\nThe files", style="bold")
    for page in sorted(folder.glob("*.html")):
        console.print(f"  {page}", soft_wrap=True)
    console.print(f"  {folder / MAILDIR}  (the mails)", soft_wrap=True)
    console.print(f"  {folder / SUBSCRIBERS}  (who follows what)", soft_wrap=True)
    console.print("\nNext steps", style="bold")
    console.print('  digest subscribe you@example.org -k "graph neural network"')
    console.print("  digest run")
    console.print("This asks the real arXiv. Until you set a mail server, mails go into a Maildir.")

"""The `digest` command. Commands live in modules beside this one and import what is heavy when they run.

To add one: write a function in `digest/cli/NAME.py` (its docstring is its help, `context_of(ctx).settings()`
gives the settings), import the module here, and name it in `_COMMANDS`. An error of this project may be
raised; `main` says it and ends with the exit code that `exit_code` gives.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from digest import __version__
from digest.cli import (
    backup,
    bounces,
    daemon,
    demo,
    docs,
    doctor,
    importing,
    init,
    keywords,
    listing,
    page,
    preview,
    run,
    status,
    subscriptions,
    web,
    why,
)
from digest.cli.context import EXIT_CODES, INTERRUPTED, Context, exit_code, problems_of
from digest.cli.log import begin_log
from digest.config import os_errors
from digest.config.heap import collect_rarely
from digest.errors import DigestError

_MOST_PROBLEMS = 50

_CODES = "\n".join(f"{code}  {meaning}" for code, meaning in EXIT_CODES.items())
_EPILOG = (
    "[b]First steps:[/b] [cyan]digest demo[/cyan] shows it all with invented papers;"
    " [cyan]digest init[/cyan] asks a few questions and makes both files;"
    " [cyan]digest doctor[/cyan] says whether all is well;"
    " [cyan]digest run[/cyan] fetches and mails; [cyan]digest daemon[/cyan] does so every day.\n\n"
    "[b]Exit codes:[/b]\n" + re.sub("`(.+?)`", r"[cyan]\1[/cyan]", _CODES) + "\n\n"
    "[b]Settings:[/b] digest.toml, found by --config, DIGEST_CONFIG, ./digest.toml,"
    " /etc/arxiv-digest/digest.toml; every key also from the environment, as in DIGEST_SMTP__HOST."
)

app = typer.Typer(
    name="digest",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)

_COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Begin": (init.init, doctor.doctor, demo.demo, docs.docs),
    "Work": (run.run, daemon.daemon, web.web),
    "Look": (status.status, why.why, keywords.keywords, preview.preview, page.page),
    "Subscriptions": (
        subscriptions.subscribe,
        subscriptions.unsubscribe,
        subscriptions.rename,
        listing.subscribers,
        importing.import_,
    ),
    "State": (backup.backup,),
    "Returned mail": (bounces.bounce, bounces.suppressions, bounces.resume),
}
for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(_command.__name__.rstrip("_"), rich_help_panel=_panel)(_command)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"digest {__version__}")
        raise typer.Exit


@app.callback()
def _digest(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The digest.toml to use.", show_default=False)
    ] = None,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, metavar="", help="Say more; twice: everything.", show_default=False
        ),
    ] = 0,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, metavar="", help="Print the version, and end."
        ),
    ] = False,
) -> None:
    """Mails each subscriber, every day, the new arXiv papers that match their keywords."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    begin_log(level, os.environ)
    ctx.obj = Context(config=config, is_verbose=verbose > 0)


def main() -> None:
    """The entry point: runs the command that the arguments name, and ends the process."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # titles and names have letters that few encodings know
    collect_rarely()
    _refuse_other_encodings()
    try:
        app(prog_name="digest")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except SystemExit as ending:
        if _was_interrupted(ending):
            sys.exit(INTERRUPTED)
        raise
    except DigestError as error:
        _tell_problems(problems_of(error))
        sys.exit(exit_code(error))
    except OSError as error:
        if not _is_output_lost():
            _end_refused(error)
        if isinstance(error, BrokenPipeError):  # as of `head`, which has all that it wants
            sys.exit(1)
        sys.stderr.write(f"error: the output cannot be written: {error.strerror}\n")
        sys.exit(1)


def _tell_problems(problems: Sequence[str]) -> None:
    sys.stderr.writelines(f"error: {problem}\n" for problem in problems[:_MOST_PROBLEMS])
    if len(problems) > _MOST_PROBLEMS:
        sys.stderr.write(f"error: and {len(problems) - _MOST_PROBLEMS:,} more; correct these first\n")


def _refuse_other_encodings() -> None:
    """Ends the process where an argument or a setting is no text: what is not UTF-8 has no letters here."""
    given = {
        "the argument": sys.argv[1:],
        "a variable": [v for k, v in os.environ.items() if k[:7] == "DIGEST_"],
    }
    for kind, values in given.items():
        for value in values:
            if any("\udc80" <= letter <= "\udcff" for letter in value):
                told = value.encode("utf-8", "surrogateescape").decode("latin-1")
                sys.stderr.write(
                    f"error: {kind} {told!r} is not UTF-8 text; set a UTF-8 locale, as LANG=C.UTF-8, and type"
                    " it again\n"
                )
                sys.exit(2)


def _end_refused(error: OSError) -> NoReturn:
    """Of what the system refused and no command expected: one line that says what to do."""
    sys.stderr.write(f"error: {os_errors.told(error)}\n")
    sys.exit(1 if os_errors.is_passing(error) else 2)


def _was_interrupted(ending: SystemExit) -> bool:
    """Whether Ctrl-C is behind it, which the library of commands ends with 1."""
    cause: BaseException | None = ending
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__context__
    return False


def _is_output_lost() -> bool:
    """Whether standard output takes nothing; then what waits for it is dropped, or its end would fail too."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False

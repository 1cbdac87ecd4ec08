"""The `digest` command. Each command is a module in this folder; it imports heavy modules only when it runs.

To add one: write a function in `digest/cli/NAME.py` (its docstring is its help, `context_of(ctx).settings()`
gives the settings), import the module here, and name it in `_COMMANDS`. It may raise a `DigestError`:
`main` prints it and exits with the code that `exit_code` gives.
"""

import os
import re
import sys
from collections.abc import Callable, Sequence
from copy import copy
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from digest import __version__
from digest.cli import (
    audit,
    backup,
    bounce,
    channels,
    check,
    choosing,
    daemon,
    demo,
    docs,
    doctor,
    edit,
    export,
    history,
    importing,
    init,
    interests,
    invite,
    keywords,
    moves,
    page,
    preview,
    run,
    state,
    status,
    subscribers,
    subscriptions,
    suppressions,
    web,
    why,
)
from digest.cli.context import EXIT_CODES, INTERRUPTED, Context, exit_code, problems_of
from digest.cli.usage import Command, Group
from digest.cli.volume import Quiet, Verbose, level_of, with_volume
from digest.config import os_errors
from digest.config.memory import collect_rarely
from digest.errors import DigestError
from digest.service.log import begin_log, print_or_log

_MOST_PROBLEMS = 50

_CODES = "\n".join(f"{code}  {meaning}" for code, meaning in EXIT_CODES.items())
_EPILOG = (
    "[b]First steps:[/b] [cyan]digest demo[/cyan] shows how it works, with invented papers;"
    " [cyan]digest init[/cyan] asks a few questions and writes both files;"
    " [cyan]digest doctor[/cyan] checks the installation;"
    " [cyan]digest run[/cyan] fetches papers and sends mails once;"
    " [cyan]digest daemon[/cyan] does it every day.\n\n"
    "[b]Exit codes:[/b]\n" + re.sub("`(.+?)`", r"[cyan]\1[/cyan]", _CODES) + "\n\n"
    "[b]Settings:[/b] the first of --config, DIGEST_CONFIG, ./digest.toml and"
    " /etc/arxiv-digest/digest.toml. An environment variable overrides a key, as"
    " DIGEST_SMTP__HOST does for smtp.host."
)

app = typer.Typer(
    name="digest",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)


_COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "First steps": (init.init, check.check, doctor.doctor, demo.demo, docs.docs),
    "Run": (run.run, daemon.daemon, web.web, history.resend),
    "Inspect": (
        status.status,
        history.history,
        why.why,
        keywords.keywords,
        preview.preview,
        page.page,
        export.export,
        audit.audit,
    ),
    "Subscriptions": (
        subscriptions.subscribe,
        subscriptions.unsubscribe,
        edit.edit,
        moves.rename,
        moves.move,
        choosing.pause,
        choosing.unpause,
        choosing.mute,
        choosing.unmute,
        subscribers.subscribers,
        importing.import_,
        invite.invite,
    ),
    "Interests": (interests.like, interests.dislike, interests.interests),
    "State": (backup.backup,),
    "Returned mail": (bounce.bounce, suppressions.suppressions, suppressions.resume),
}
for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        _name = _command.__name__.rstrip("_")
        app.command(_name, cls=Command, rich_help_panel=_panel)(with_volume(_command))
app.add_typer(channels.app, name="channels", rich_help_panel="Inspect")
app.add_typer(state.app, name="state", rich_help_panel="State")


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
    verbose: Verbose = 0,
    quiet: Quiet = 0,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, metavar="", help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Mail each subscriber, every day, the new arXiv papers that match their keywords."""
    volume = verbose - quiet
    begin_log(level_of(volume), os.environ)
    ctx.obj = Context(config=config, volume=volume)


def main() -> None:
    """The entry point: runs the command that the arguments name and ends the process."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # few encodings have all letters of titles and names
    collect_rarely()
    _refuse_other_encodings()
    try:
        _with_only_the_named(sys.argv[1:])(prog_name="digest")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except SystemExit as ending:
        if _was_interrupted(ending):
            sys.exit(INTERRUPTED)
        raise
    except DigestError as error:
        _print_problems(problems_of(error))
        sys.exit(exit_code(error))
    except OSError as error:
        if not _is_output_lost():
            _end_refused(error)
        if isinstance(error, BrokenPipeError):  # for example `head`, which has read enough
            sys.exit(1)
        sys.stderr.write(f"error: cannot write the output: {error.strerror}\n")
        sys.exit(1)


def _with_only_the_named(arguments: Sequence[str]) -> typer.Typer:
    """The program with only the command that the arguments begin with: typer builds all, which is slow."""
    named = [one for one in app.registered_commands if one.name in arguments[:1]]
    if not named:
        return app
    narrowed = copy(app)
    narrowed.registered_commands, narrowed.registered_groups = named, []
    return narrowed


def _print_problems(problems: Sequence[str]) -> None:
    for problem in problems[:_MOST_PROBLEMS]:
        print_or_log("error", problem)
    if len(problems) > _MOST_PROBLEMS:
        print_or_log("error", f"and {len(problems) - _MOST_PROBLEMS:,} more; correct these first")


def _refuse_other_encodings() -> None:
    """Ends the process if an argument or a setting is not UTF-8 text."""
    given = {
        "the argument": sys.argv[1:],
        "a variable": [v for k, v in os.environ.items() if k[:7] == "DIGEST_"],
    }
    for kind, values in given.items():
        for value in values:
            if any("\udc80" <= letter <= "\udcff" for letter in value):
                printable = value.encode("utf-8", "surrogateescape").decode("latin-1")
                sys.stderr.write(
                    f"error: {kind} {printable!r} is not UTF-8 text; "
                    "set a UTF-8 locale, for example LANG=C.UTF-8, and"
                    " type it again\n"
                )
                sys.exit(2)


def _end_refused(error: OSError) -> NoReturn:
    """Reports an error of the operating system that no command expected, with its remedy in one line."""
    print_or_log("error", os_errors.explain_with_path(error))
    sys.exit(1 if os_errors.is_passing(error) else 2)


def _was_interrupted(ending: SystemExit) -> bool:
    """Whether Ctrl-C caused it; typer then exits with 1."""
    cause: BaseException | None = ending
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__context__
    return False


def _is_output_lost() -> bool:
    """Whether standard output is closed; then it is replaced, or Python would fail once more at exit."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False

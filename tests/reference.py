"""The commands as the program knows them, written as docs/commands.md and as the manual page docs/digest.1.

`python -m tests.reference` writes both; a test compares them with what this module makes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from digest.cli import app
from digest.cli.context import EXIT_CODES

_EVERYWHERE = {"verbose", "quiet"}
"""Options of each command, which are told once."""

DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An option by its `names`, or an argument, which has none; `value` is what stands for its value."""

    names: tuple[str, ...]
    value: str
    help: str
    is_required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`name` is empty for what stands before any command; in `help` backticks stand around what is typed."""

    name: str
    panel: str
    help: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    @property
    def arguments(self) -> tuple[Parameter, ...]:
        return tuple(one for one in self.parameters if not one.names)

    @property
    def options(self) -> tuple[Parameter, ...]:
        return tuple(one for one in self.parameters if one.names)

    @property
    def usage(self) -> str:
        """As in `digest why [OPTIONS] ARXIV_ID [EMAIL]`."""
        arguments = [one.value if one.is_required else f"[{one.value}]" for one in self.arguments]
        options = ["[OPTIONS]"] if self.options else []
        return " ".join(["digest", self.name, *options, *arguments])


def commands() -> tuple[Command, ...]:
    """All commands in the order of `digest --help`, the first one being `digest` itself."""
    group: Any = typer.main.get_command(app)
    found = [_command("", "", group)]
    for name, one in group.commands.items():
        parts = getattr(one, "commands", {})
        is_group_only = parts and not one.invoke_without_command
        found += [] if is_group_only else [_command(name, one.rich_help_panel, one)]
        found += [_command(f"{name} {part}", one.rich_help_panel, it) for part, it in parts.items()]
    panels = list(dict.fromkeys(one.panel for one in found))
    return tuple(sorted(found, key=lambda one: panels.index(one.panel)))


def _command(name: str, panel: str, command: Any) -> Command:
    paragraphs = tuple(_marked(" ".join(part.split())) for part in command.help.split("\n\n"))
    params = [one for one in command.params if not name or one.name not in _EVERYWHERE]
    return Command(name=name, panel=panel, help=paragraphs, parameters=tuple(map(_parameter, params)))


def _parameter(one: Any) -> Parameter:
    is_option = one.param_type_name == "option"
    explained = _marked(one.help)
    if is_option and one.show_default and one.default not in (None, False):
        explained += f" Default: `{one.default}`."
    return Parameter(
        names=(*one.opts, *one.secondary_opts) if is_option else (),
        value=one.metavar or "",
        help=explained,
        is_required=one.required,
    )


def _marked(text: str) -> str:
    """Typer's colours as backticks."""
    return re.sub(r"\[(b|cyan)\](.+?)\[/\1\]", r"`\2`", text)


def markdown() -> str:
    """docs/commands.md."""
    itself, *others = commands()
    lines = [
        "# Commands",
        "",
        "<!-- Written by `python -m tests.reference` from the help texts in digest/cli: edit those. -->",
        "",
        "`digest --help` and `digest COMMAND --help` say the same; so does the manual page, `man digest`.",
        "",
        " · ".join(f"[{one.name}](#digest-{one.name.replace(' ', '-')})" for one in others),
        "",
        "## Before the command",
        "",
        *_table("option", itself.options),
        "Each command also takes `-v` and `-q` after its name.",
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "| --- | --- |",
        *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()),
        "",
    ]
    panel = ""
    for command in others:
        if command.panel != panel:
            panel = command.panel
            lines += [f"## {panel}", ""]
        lines += _section(command)
    return "\n".join(lines).rstrip() + "\n"


def _section(command: Command) -> Iterator[str]:
    yield from (f"### digest {command.name}", "", "```", command.usage, "```", "")
    for paragraph in command.help:
        yield re.sub(r"`digest docs ([\w-]+)`", r"[`digest docs \1`](\1.md)", paragraph)
        yield ""
    yield from _table("argument", command.arguments)
    yield from _table("option", command.options)


def _table(kind: str, parameters: tuple[Parameter, ...]) -> Iterator[str]:
    if parameters:
        yield from (f"| {kind} | meaning |", "| --- | --- |")
        for one in parameters:
            spelled = ", ".join(f"`{name}`" for name in _spelled(one))
            yield f"| {spelled} | {one.help}{_need(kind, one)} |"
        yield ""


def _need(kind: str, one: Parameter) -> str:
    if kind == "argument":
        return "" if one.is_required else " May be left out."
    return " Must be given." if one.is_required else ""


def _spelled(one: Parameter) -> tuple[str, ...]:
    return tuple(f"{name} {one.value}".strip() for name in one.names) or (one.value,)


def manual() -> str:
    """docs/digest.1, in the macros of man(7)."""
    itself, *others = commands()
    lines = [
        '.\\" Written by `python -m tests.reference` from the program itself.',
        '.TH DIGEST 1 "" "arXiv digest" "User Commands"',
        ".SH NAME",
        _roff(f"digest - {itself.help[0][0].lower()}{itself.help[0][1:].rstrip('.')}"),
        ".SH SYNOPSIS",
        ".B digest",
        ".RI [ OPTIONS ]",
        ".I COMMAND",
        ".RI [ ARGUMENTS ]",
        ".SH OPTIONS",
        *_tagged(itself.options),
        ".SH COMMANDS",
    ]
    for command in others:
        lines += [f'.SS "{_roff(command.usage)}"', *_paragraphs(command.help)]
        lines += _tagged(command.parameters)
    lines += [".SH EXIT STATUS"]
    for code, meaning in EXIT_CODES.items():
        lines += [".TP", f".B {code}", _roff(meaning)]
    for title, entries in _ELSEWHERE.items():
        lines.append(f".SH {title}")
        for tag, text in entries:
            lines += [".TP", f".B {_roff(tag)}", _roff(text)]
    return "\n".join(lines) + "\n"


_ELSEWHERE = {
    "FILES": (
        ("./digest.toml", "The settings, unless --config or DIGEST_CONFIG names another file."),
        ("/etc/arxiv-digest/digest.toml", "The settings where ./digest.toml is missing."),
        ("subscribers.toml", "The readers: beside digest.toml, else in the current folder."),
        ("~/.local/state/arxiv-digest/digest.db", "The state: what was seen and sent."),
        ("/var/lib/arxiv-digest/digest.db", "The state of the service under systemd."),
    ),
    "ENVIRONMENT": (
        ("DIGEST_CONFIG", "The digest.toml to use."),
        (
            "DIGEST_KEY, DIGEST_SECTION__KEY",
            "Any key of digest.toml, as in `DIGEST_STATE` and `DIGEST_SMTP__HOST`; it goes before the file.",
        ),
    ),
    "EXAMPLES": (
        ("digest demo", "Shows it all with invented papers, without network or set-up."),
        ("digest init", "Asks a few questions, and makes digest.toml and subscribers.toml."),
        ("digest preview -k 'graph neural network'", "Shows what a keyword finds."),
        ("digest run --dry-run", "Tells what would be mailed now."),
        ("digest daemon", "Mails everyone at their own time, until it is told to stop."),
    ),
}


def _paragraphs(texts: tuple[str, ...]) -> Iterator[str]:
    for text in texts:
        yield from (".PP", _roff(text))


def _tagged(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for one in parameters:
        need = _need("option" if one.names else "argument", one)
        yield from (".TP", f".B {_roff(', '.join(_spelled(one)))}", _roff(one.help + need))


def _roff(text: str) -> str:
    """`text` as one line of input: nothing in it is a request, and only ASCII is left."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")
    text = re.sub("[^ -~]", lambda found: f"\\[u{ord(found[0]):04X}]", text)
    return re.sub("`(.+?)`", r"\\fB\1\\fP", text)


def main() -> None:
    (DOCS / "commands.md").write_text(markdown(), encoding="utf-8")
    (DOCS / "digest.1").write_text(manual(), encoding="utf-8")


if __name__ == "__main__":
    main()

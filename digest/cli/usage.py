"""What a command says of wrong arguments, and that a flag takes no value."""

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """Says of an argument that is missing what it is, and of one too many where it belongs."""

    def __init__(self, *args: Any, help: str | None = None, **more: Any) -> None:  # noqa: A002 - click's name
        super().__init__(*args, help=_reflowed(help), **more)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        try:
            unexpected = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # of the library that reads choices
            error.message = error.message or _explained(error, ctx)
            raise
        except Exception as error:
            if getattr(error, "option_name", None) == "--config":
                ctx.fail(f"--config must be before the command: digest --config PATH {ctx.info_name}")
            raise
        if unexpected and not ctx.resilient_parsing:
            ctx.fail(f"unexpected argument: {' '.join(unexpected)}{self._hint()}")
        return unexpected

    def _hint(self) -> str:
        """Where a keyword is meant: it stands after its option, and in quotes if it has several words."""
        taken = [one.opts[0] for one in self.params if one.metavar == "KEYWORD"]
        if "-k" in taken or "--keyword" in taken:
            return '; write -k before a keyword, and quotes around several words: -k "neural operator"'
        return '; put a keyword of several words in quotes: "neural operator"' if taken else ""

    def get_params(self, ctx: Any) -> Any:
        return _without_values(super().get_params(ctx))


class Group(TyperGroup):
    """A command with commands below it. Says of an option of one of these that it belongs after its name."""

    def __init__(self, *args: Any, help: str | None = None, **more: Any) -> None:  # noqa: A002 - click's name
        super().__init__(*args, help=_reflowed(help), **more)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            option = getattr(error, "option_name", None)
            name = next((one for one in given if one in self.commands), None)
            if name and any(option in one.opts for one in self.commands[name].params):
                ctx.fail(f"{option} must be after the command: {ctx.command_path} {name} {option}")
            raise

    def get_params(self, ctx: Any) -> Any:
        return _without_values(super().get_params(ctx))


def _reflowed(text: str | None) -> str | None:
    """One line for each paragraph, so that it is wrapped at the width of the terminal only."""
    return text and "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _explained(error: Any, ctx: Any) -> str:
    """What a parameter is that is missing, by its help."""
    help_text = re.sub(r"\[/?b\]", "", getattr(error.param, "help", None) or "")
    return help_text.rstrip(".") if error.param and error.param.get_missing_message(ctx=ctx) else help_text


def _without_values(params: list[Any]) -> list[Any]:
    for one in params:
        if getattr(one, "is_flag", False) and one.metavar is None:
            one.metavar = ""
    return params

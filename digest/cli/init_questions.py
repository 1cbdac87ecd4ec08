"""The questions of `digest init`: each answer is checked at once, and nothing must be typed twice."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import typer

NONE = "none"


class Questions:
    """Asks at a terminal for what no option answers, until `parse` accepts the answer."""

    def __init__(self, *, is_asking: bool) -> None:
        self.is_asking = is_asking
        self._answers: list[tuple[str, str]] = []
        self._is_typed = False

    def answer(
        self,
        given: str | None,
        option: str,
        question: str,
        default: str | None,
        parse: Callable[[str], object],
    ) -> str:
        """The given answer, else the typed one, else the default. Raises `typer.BadParameter`."""
        if given is not None:
            answer = check(given, option, parse)
        elif self.is_asking:
            answer = typer.prompt(
                question, default=default, value_proc=lambda text: check(text.strip(), option, parse)
            )
            self._is_typed = True
        elif default is None:
            raise typer.BadParameter(
                "required: without a terminal, and with --json, `digest init` asks nothing", param_hint=option
            )
        else:
            answer = check(default, option, parse)
        if answer:
            self._answers.append((option, answer))
        return answer

    def ask_either(
        self, first: str, other: str, question: str, default: str, parse: Callable[[str], object]
    ) -> tuple[str | None, str | None]:
        """The answer for one of two options. A name of a provider belongs to the first."""
        from digest.config.providers import PROVIDERS

        answer = self.answer(None, first, question, default, parse)
        if answer.casefold() in {*PROVIDERS, NONE}:
            return answer.casefold(), None
        self._answers.pop()  # it is asked for, and recorded, as a host
        return None, answer

    def command(self, folder: Path) -> str:
        """The command that continues with the answers; empty if nothing was typed."""
        if not self._is_typed:
            return ""
        given = [word for answer in self._answers for word in answer]
        if folder != Path():
            given += ["--folder", str(folder)]
        return f"digest init {shlex.join(given)}"


def check(text: str, option: str, parse: Callable[[str], object]) -> str:
    """`text`, if `parse` accepts it. Raises `typer.BadParameter` with the reason."""
    try:
        parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text}: {error}", param_hint=option) from error
    return text


def parse_keyword(text: str) -> None:
    """Raises `ValueError`, but not for an empty text, which is a valid answer."""
    from digest.errors import QueryError
    from digest.keywords.query import parse

    try:
        if text:
            parse(text)
    except QueryError as error:
        raise ValueError(str(error)) from error


def parse_provider(text: str) -> None:
    """The name of a provider, or none. Raises `ValueError`."""
    from digest.config.parsing import nearest
    from digest.config.providers import PROVIDERS

    if text.casefold() in {*PROVIDERS, NONE}:
        return
    near = nearest(text.casefold(), PROVIDERS)
    if near:
        raise ValueError(f'unknown provider; did you mean "{near}"?')
    raise ValueError(f"must be one of {', '.join(PROVIDERS)}, or {NONE}")


def parse_provider_or_host(text: str) -> None:
    """A misspelt provider, for example `gmial`, is not taken as a host. Raises `ValueError`."""
    from digest.config.parsing import nearest, parse_host
    from digest.config.providers import PROVIDERS

    name = text.casefold()
    if name in {*PROVIDERS, NONE}:
        return
    parse_host(text)
    if "." not in text and ":" not in text and (near := nearest(name, [*PROVIDERS, NONE])):
        raise ValueError(f'did you mean "{near}"? For a host, write its full name')


def parse_port(text: str) -> None:
    """Raises `ValueError`."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65535):
        raise ValueError("must be a whole number from 1 to 65535")


def parse_line(text: str) -> None:
    """Raises `ValueError`."""
    if not text or not text.isprintable():
        raise ValueError("must be text in one line")


def parse_password_file(text: str, folder: Path, *, is_to_be_written: bool) -> None:
    """With `is_to_be_written`, its folder must exist. Raises `ValueError`."""
    parse_line(text)
    try:
        file = folder.absolute() / Path(text).expanduser()
        if file.is_dir():
            raise ValueError("this is a folder; give the path of a file")
        if file.exists() and not os.access(file, os.R_OK):
            raise ValueError("you have no permission to read this file")
        place = file.parent
        if not is_to_be_written or file.exists() or place == folder.absolute():
            return
        if not place.is_dir():
            raise ValueError(f"there is no folder {place}; create it first, or choose another file")
        if not os.access(place, os.W_OK | os.X_OK):
            raise ValueError(f"you have no permission to write to {place}; choose another file")
    except (OSError, RuntimeError) as error:  # a name too long, a home that is unknown
        raise ValueError(f"this path cannot be used: {getattr(error, 'strerror', None) or error}") from error

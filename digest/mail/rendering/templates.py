"""The templates: their folders, their values, and the places for pieces that are rendered separately.

A template prints such a piece by its name, alone on a line. It is rendered with a placeholder line and cut
there, so that the text around the place can be cached and shared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from digest.errors import ConfigurationError, Unwritable
from digest.mail.rendering.wrap import wrapped

_DATES_KEPT = 512
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A rendered template: `pieces` of whole lines alternate with the names of the places between them."""

    pieces: tuple[str, ...]

    def filled(self, **inner: str) -> str:
        """The whole text, with `inner` at its places."""
        return "".join(inner[piece] if number % 2 else piece for number, piece in enumerate(self.pieces))


class Template:
    """One template, which gets values of the same names each time."""

    def __init__(self, template: jinja2.Template, places: Sequence[str] = ()) -> None:
        self._template = template
        self._shared = dict(template.globals)
        self._places = {name: Markup(f"\0{name}\0") for name in places}  # noqa: S704 (no markup in it)

    def render(self, values: Mapping[str, object], without: Sequence[str] = ()) -> Cut:
        """Each place must be printed; those in `without` are empty.

        Raises `Unwritable` if the template fails, or does not print each place once, alone on a line.
        """
        places = {name: "" if name in without else mark for name, mark in self._places.items()}
        try:
            context = self._template.new_context({**self._shared, **values, **places}, shared=True)
            rendered = "".join(self._template.root_render_func(context))
        except (
            jinja2.TemplateError,
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            AttributeError,
            RuntimeError,  # for example a macro that calls itself without end
        ) as error:
            raise Unwritable(
                f"{self._template.filename} does not fit this digest: {error}; mend it"
            ) from error
        cut = _cut(rendered if rendered.endswith("\n") else f"{rendered}\n")
        expected = [name for name in places if places[name]]
        if cut is None or sorted(cut.pieces[1::2]) != sorted(expected):
            names = ", ".join(expected)
            raise Unwritable(f"{self._template.filename} has to print {names} once, alone on a line; mend it")
        return cut


def _cut(rendered: str) -> Cut | None:
    """`None` if a place is not alone on its line. No value of a template contains a control character."""
    pieces = rendered.split("\0")
    for number in range(2, len(pieces), 2):
        if pieces[number - 2][-1:] not in {"", "\n"} or pieces[number][:1] != "\n":
            return None
        pieces[number] = pieces[number][1:]
    return Cut(pieces=tuple(pieces))


class Templates:
    """The templates of several folders: a file that is missing in the first comes from the next.

    Raises `ConfigurationError` when a template is missing or not valid.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folders),
            autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        filters: dict[str, Callable[..., str]] = {
            "wrapped": lambda text, *indents: wrapped(str(text), *indents),
            "long_date": long_date,
            "full_date": _full_date,
        }
        self._environment.filters |= filters

    def load(self, name: str, *places: str) -> Template:
        try:
            return Template(self._environment.get_template(name), places)
        except jinja2.TemplateSyntaxError as error:
            raise ConfigurationError(f"{error.filename}, line {error.lineno}: {error.message}") from error
        except jinja2.TemplateNotFound as error:
            missing = self._folders[-1] / name
            raise ConfigurationError(f"{missing} is missing: install digest again") from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{self._folders[0] / name} is not UTF-8 text") from error


@lru_cache(maxsize=_DATES_KEPT)
def long_date(day: date) -> str:
    """For example `16 June 2026`, in English in every locale."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_date(day: date) -> str:
    """For example `16 June`."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


@lru_cache(maxsize=_DATES_KEPT)
def _full_date(day: date) -> str:
    """For example `Tuesday, 16 June 2026`."""
    return f"{_WEEKDAYS[day.weekday()]}, {long_date(day)}"

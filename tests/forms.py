"""The forms of a page as a browser without scripts submits them."""

from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser

Fields = dict[str, list[str]]


@dataclass(slots=True)
class PageForm:
    action: str
    fields: Fields = field(default_factory=lambda: defaultdict(list))
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The name and value of each button, by its text."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[PageForm] = []
        self.is_in_form = False
        self.select = ""
        self.button: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag == "form":
            self.forms.append(PageForm(action=found.get("action", "")))
            self.is_in_form = True
        if not self.is_in_form:
            return
        fields = self.forms[-1].fields
        if tag == "input" and (found.get("type") != "checkbox" or "checked" in found):
            fields[found["name"]].append(found.get("value", ""))
        elif tag == "select":
            self.select = found["name"]
        elif tag == "option" and self.select and "selected" in found:
            fields[self.select].append(found["value"])
        elif tag == "textarea":
            fields[found["name"]].append("")
        elif tag == "button":
            self.button = found.get("name", ""), found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_in_form = False
        elif tag == "select":
            self.select = ""
        elif tag == "button":
            self.button = None

    def handle_data(self, data: str) -> None:
        if self.button and self.is_in_form:
            self.forms[-1].buttons[data.strip()] = self.button


def forms_of(page: str) -> list[PageForm]:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.forms


def form_with(page: str, button: str) -> PageForm:
    """The form that has this button."""
    return next(form for form in forms_of(page) if button in form.buttons)


def submitted(form: PageForm, button: str, **changes: str) -> list[tuple[str, str]]:
    """The pairs that are sent when the button is pressed, with `changes` of fields by name."""
    fields = {**form.fields, **{name: [value] for name, value in changes.items()}}
    name, value = form.buttons[button]
    pressed = [(name, value)] if name else []
    return [(key, one) for key, values in fields.items() for one in values] + pressed

"""Chromium, as a person uses it: what is followed, pressed, ticked and filled in, and what is then there."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.judges.correspondence import BASE
from tests.judges.on_node import ask
from tests.judges.presence import requires
from tests.judges.website import Website

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """What was there after a step; `html` as the server sent it, `violations` where axe was asked."""

    address: str
    status: int
    title: str
    text: str
    scrolls: bool
    html: str
    violations: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Steps from a fresh browser on; `errors` are all that its console and its dialogs said."""

    seen: tuple[Papers, ...]
    errors: tuple[str, ...]
    hosts: tuple[str, ...]

    @property
    def last(self) -> Papers:
        return self.seen[-1]


def opening(address: str) -> Step:
    return {"open": address}


def following(link: str) -> Step:
    return {"follow": link}


def pressing(button: str) -> Step:
    return {"press": button}


def ticking(label: str) -> Step:
    return {"tick": label}


def filling(label: str, text: str) -> Step:
    return {"fill": [label, text]}


def tabbing(name: str) -> Step:
    """By keyboard, until the link, button or field of that name has the focus."""
    return {"tab": name}


def typing(text: str) -> Step:
    return {"type": text}


def clicking(button: str) -> Step:
    """A button that leads to no other page."""
    return {"click": button}


def until(text: str) -> Step:
    """Waits until the page shows this text."""
    return {"until": text}


def waiting(seconds: float) -> Step:
    """As somebody who types does."""
    return {"wait": seconds * 1000}


AXE: Step = {"axe": True}
AXE_EVERYWHERE: Step = {"axe": "everywhere"}
"""In light and dark, on a phone and a large screen; a page that scrolls sideways counts too."""

SPACE: Step = {"space": True}
ENTER: Step = {"enter": True}


class Site(Protocol):
    @property
    def port(self) -> int: ...


def visits(
    site: Site,
    wanted: Mapping[str, Sequence[Step]],
    *,
    is_dark: bool = False,
    width: int = 700,
    scripts: bool = True,
) -> dict[str, Visit]:
    """Each of these in turn, by name. Skips the test where there is no browser."""
    requires("chromium", is_on_node=True)
    question = {
        "chromium": shutil.which("chromium"),
        "host": BASE.removeprefix("https://"),
        "port": site.port,
        "visits": [
            {
                "name": name,
                "steps": steps,
                "scheme": "dark" if is_dark else "light",
                "width": width,
                "scripts": scripts,
            }
            for name, steps in wanted.items()
        ],
    }
    told = ask("browse", question)
    return {
        name: Visit(
            seen=tuple(Papers(**seen) for seen in one["seen"]),
            errors=tuple(one["errors"]),
            hosts=tuple(one["hosts"]),
        )
        for name, one in told.items()
    }


def visit(site: Website, *steps: Step) -> Visit:
    """One, in which the console stays silent and nothing is asked of another host."""
    found = visits(site, {"one": steps})["one"]
    assert found.errors == ()
    assert set(found.hosts) <= {BASE.removeprefix("https://")}
    return found

"""Chromium, as a person uses it: what is followed, pressed, ticked and filled in, and what is then there."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


AXE: Step = {"axe": True}


def visits(site: Website, wanted: Mapping[str, Sequence[Step]], *, is_dark: bool = False) -> dict[str, Visit]:
    """Each of these in turn, by name. Skips the test where there is no browser."""
    requires("chromium", is_on_node=True)
    question = {
        "chromium": shutil.which("chromium"),
        "host": BASE.removeprefix("https://"),
        "port": site.port,
        "visits": [
            {"name": name, "steps": steps, "scheme": "dark" if is_dark else "light"}
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

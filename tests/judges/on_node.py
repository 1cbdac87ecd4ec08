"""Asks a script of `node/`: what it is to look at goes in as JSON, what it found comes back as JSON."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.judges.presence import NODE, requires

SCRIPTS = Path(__file__).parent / "node"


def ask(script: str, question: object, *, seconds: float = 180) -> Any:
    """The answer. A script that fails ends the test with what it said."""
    done = subprocess.run(
        [NODE, SCRIPTS / f"{script}.mjs"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def html_errors(pages: Mapping[str, str]) -> list[dict[str, str]]:
    """What html-validate finds in pages, by name. Skips the test where it is not."""
    requires(is_on_node=True)
    assert all(pages.values())
    config = {"extends": ["html-validate:recommended"]}
    named = [{"name": name, "html": html} for name, html in pages.items()]
    found = ask("html_validate", {"config": config, "pages": named})
    assert isinstance(found, list)
    return found

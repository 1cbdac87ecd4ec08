"""What a user can type is in the docs."""

from pathlib import Path

import pytest

from digest.cli import app

ROOT = Path(__file__).parents[2]
COMMANDS = [one.callback.__name__.rstrip("_") for one in app.registered_commands if one.callback]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    pages = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    assert any(f"`digest {command}" in page.read_text(encoding="utf-8") for page in pages)

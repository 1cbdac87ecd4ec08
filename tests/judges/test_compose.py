"""The Compose files are right by the published schema and by the rules of dclint."""

import subprocess
from pathlib import Path

import pytest

from tests.judges.on_node import SCRIPTS
from tests.judges.presence import NODE, NODE_MODULES, requires

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.postgresql.yaml"])
def test_a_compose_file_has_no_mistake(name: str) -> None:
    requires(is_on_node=True)
    linter = NODE_MODULES / "dclint" / "bin" / "dclint.cjs"
    options = ("--config", str(SCRIPTS / "dclint.json"), "--max-warnings", "0")
    command = [str(NODE), str(linter), *options, str(CHECKOUT / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr

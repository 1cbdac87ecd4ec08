"""Whether a judge is there: where it is not, its tests are skipped, or fail if it is required."""

import os
import platform
import shutil
from pathlib import Path

import pytest

NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
NODE = NODE_MODULES / f"node-linux-{ {'x86_64': 'x64', 'aarch64': 'arm64'}.get(platform.machine()) }/bin/node"


def requires(*programs: str, is_on_node: bool = False, is_for_root: bool = False) -> None:
    """Skips the test where something of this is missing, and with `JUDGES=required` fails it."""
    missing = [f"no {program}" for program in programs if shutil.which(program) is None]
    if is_on_node and not NODE.is_file():
        missing.append("no Node (npm ci in tests/judges/node)")
    if is_for_root and os.geteuid() != 0:
        missing.append("not root")
    if missing:
        refuse = pytest.fail if os.environ.get("JUDGES") == "required" else pytest.skip
        refuse(f"this judge cannot be asked: {', '.join(missing)}")

"""Whether a judge is there: where it is not, its tests are skipped, or in CI fail."""

import os
import platform
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
NODE = NODE_MODULES / f"node-linux-{ {'x86_64': 'x64', 'aarch64': 'arm64'}.get(platform.machine()) }/bin/node"


def requires(
    *programs: str, modules: Sequence[str] = (), is_on_node: bool = False, is_for_root: bool = False
) -> None:
    """Skips the test where something of this is missing; with `CI=true` in the environment fails it."""
    missing = [f"no {program}" for program in programs if shutil.which(program) is None]
    missing += [f"no Python package {name}" for name in modules if find_spec(name) is None]
    if is_on_node and not NODE.is_file():
        missing.append("no Node (npm ci in tests/judges/node)")
    if is_for_root and os.geteuid() != 0:
        missing.append("not root")
    if missing:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"this judge cannot be asked: {', '.join(missing)}")

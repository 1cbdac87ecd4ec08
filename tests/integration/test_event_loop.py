"""The commands that send mail run in uvloop, and without it in Python's own loop."""

import asyncio
import sys

import pytest

from digest.service.event_loop import run


async def loop_in_use() -> str:
    return type(asyncio.get_running_loop()).__module__


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="there uvloop is not installed")
def test_it_runs_in_uvloop() -> None:
    assert run(loop_in_use()).startswith("uvloop")


def test_without_uvloop_it_runs_in_the_usual_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run(loop_in_use()).startswith("asyncio")


def test_what_goes_wrong_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("as it was said")

    with pytest.raises(ValueError, match="as it was said"):
        run(fail())

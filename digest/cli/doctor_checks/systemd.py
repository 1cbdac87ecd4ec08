"""The systemd units, where they are installed."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence

from digest.service.finding import Finding, failed, ok, warning

UNITS = ("arxiv-digest.service", "arxiv-digest-run.timer")
_PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "Result")
_SECONDS = 10.0

_INSTALL = "to send mails every day, install the service (digest docs service)"


async def check_service() -> AsyncIterator[Finding]:
    """The state of the daemon and the timer in systemd; nothing on a machine without systemd."""
    command = shutil.which("systemctl")
    if command is None:
        return
    shown = await _shown(command)
    if shown is not None:
        yield judge_units(parse_units(shown))


async def _shown(command: str) -> str | None:
    """The output of `systemctl show`, or `None` if no systemd answers, as in a container."""
    asked = await asyncio.create_subprocess_exec(
        *(command, "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", *UNITS),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, _ = await asked.communicate()
    except TimeoutError:
        asked.kill()
        await asked.wait()
        return None
    return out.decode(errors="replace") if asked.returncode == 0 else None


def parse_units(shown: str) -> tuple[Mapping[str, str], ...]:
    """The properties of each unit: lines of `Name=value`, with a blank line between units."""
    blocks = (block.splitlines() for block in shown.split("\n\n") if block.strip())
    return tuple(
        {name: value for name, _, value in (line.partition("=") for line in block)} for block in blocks
    )


def judge_units(units: Sequence[Mapping[str, str]]) -> Finding:
    """The daemon or the timer must run, and start after a reboot."""
    installed = [unit for unit in units if unit.get("LoadState") != "not-found"]
    used = [unit for unit in installed if _is_used(unit)]
    if not installed:
        return ok("service", f"not installed; {_INSTALL}")
    if not used:
        return warning(
            "service", "installed, but neither enabled nor running", f"systemctl enable --now {UNITS[0]}"
        )
    if len(used) > 1:
        said = "the daemon and the timer are both active and block each other"
        return warning("service", said, f"systemctl disable --now {UNITS[1]}")
    return _judge_unit(used[0])


def _is_used(unit: Mapping[str, str]) -> bool:
    is_quiet = unit.get("ActiveState") == "inactive"
    return not is_quiet or unit.get("UnitFileState", "").startswith("enabled")


def _judge_unit(unit: Mapping[str, str]) -> Finding:
    name, state, result = unit.get("Id", UNITS[0]), unit.get("ActiveState", ""), unit.get("Result", "")
    log = f"journalctl -u {name} -n 50 shows why"
    if unit.get("LoadState") != "loaded":
        said = f"systemd cannot load {name} ({unit.get('LoadState')})"
        return failed("service", said, f"systemd-analyze verify {name} shows why")
    if state not in {"active", "reloading"}:
        cause = f", {result}" if result not in {"", "success"} else ""
        return failed(
            "service", f"{name} does not run ({state}{cause})", f"{log}; then systemctl start {name}"
        )
    if not unit.get("UnitFileState", "").startswith("enabled"):
        said = f"{name} runs, but does not start after a reboot"
        return warning("service", said, f"systemctl enable {name}")
    return ok("service", f"{name} runs, and starts with this machine")

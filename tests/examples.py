"""How many examples a property is tried with: a few each time, and many in `.ci/run`."""

from typing import Any

from hypothesis import settings

QUICK, MANY = "quick", "many"
"""Profiles of hypothesis; `--hypothesis-profile=many` chooses the second."""

_SHARE = 5


def register() -> None:
    """Chooses the quick one. No example has a limit of time: a busy machine is no fault of the code."""
    settings.register_profile(QUICK, deadline=None, max_examples=100 // _SHARE)
    settings.register_profile(MANY, deadline=None, max_examples=100)
    settings.load_profile(QUICK)


def examples(many: int, **more: Any) -> settings:
    """For a property that needs another number than 100."""
    is_quick = settings.get_current_profile_name() == QUICK
    return settings(max_examples=max(1, many // _SHARE) if is_quick else many, **more)

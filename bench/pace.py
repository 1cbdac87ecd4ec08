"""How fast mails go out, from the first one to the last one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True, kw_only=True)
class Pace:
    """Looks again and again how many mails were sent; `count` tells."""

    count: Callable[[], int]
    _before: int = field(init=False)
    _began: tuple[float, int] | None = field(init=False, default=None)
    _ended: tuple[float, int] = field(init=False, default=(0.0, 0))
    _lock: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self._before = self.count()

    def look(self) -> None:
        with self._lock:
            sent = self.count()
            if sent > self._before and self._began is None:
                self._began = time.monotonic(), sent
            if sent > self._ended[1]:
                self._ended = time.monotonic(), sent

    @property
    def rate(self) -> float:
        """Mails a second."""
        if self._began is None:
            raise RuntimeError("no mail went out")
        (began, first), (ended, last) = self._began, self._ended
        return (last - first) / (ended - began)

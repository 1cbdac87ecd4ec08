"""What a fetch has to cover."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """All papers announced after `announced_since`, up to `until`, and submitted since `submitted_since`.

    The submission meant is that of the first version: an old paper with a new version, or with edited
    metadata, is announced again and is not new. All three are aware; naive ones raise `ValueError`.
    """

    announced_since: datetime
    submitted_since: datetime
    until: datetime

    def __post_init__(self) -> None:
        for moment in (self.announced_since, self.submitted_since, self.until):
            if moment.tzinfo is None:
                raise ValueError("a moment without a time zone: say which one is meant")

"""Nothing is archived in PostgreSQL (`editions` says why); the caches are freed as in SQLite."""

from datetime import datetime, timedelta

from digest.storage.postgresql.editions import Part


class Archive(Part):
    """The part of the store that frees memory. Old papers stay where they are."""

    def forget(self) -> None:
        self._editions.forget()

    def archive(self, *, now: datetime, lookback: timedelta) -> int:
        """Returns 0: there is nothing to do."""
        return 0

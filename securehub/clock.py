"""
Wall-clock time for records, which never goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic


class Clock:
    """
    Tells the time that records carry: the later of now and the last time told.

    @param source: the time in UTC; a test gives its own.
    @param passing: see L{passing}; likewise.

    @ivar passing: gives the seconds that have passed since some moment, whatever the clock is set to; a reactor's do not.
    """

    def __init__(self, source: Callable[[], datetime] | None = None, passing: Callable[[], float] = monotonic) -> None:
        self._source = source or partial(datetime.now, UTC)
        self.passing = passing
        self._last = datetime.fromtimestamp(0, UTC)

    def now(self) -> datetime:
        now = self._source()
        if now < self._last:
            return self._last
        self._last = now
        return now

    def wall(self) -> datetime:
        """The time as it is, which may go back: for what others say by clocks of their own, such as one-time codes and certificates."""
        return self._source()

    def behind(self) -> timedelta:
        """How far the time in UTC is behind the time that is told, which stands still for that long."""
        return max(self._last - self._source(), timedelta())

    def not_before(self, instant: datetime) -> None:
        """Never tell a time before this one, which a record already has."""
        self._last = max(self._last, instant)

"""
How the process is doing: how late its timers fire, how much it commits, how much memory it takes.
"""

from __future__ import annotations

import resource
import sys
from collections import deque
from collections.abc import Callable
from math import ceil

from twisted.internet.interfaces import IDelayedCall, IReactorTime

BEAT_SECONDS = 0.25
"""How often the process is looked at. A look takes some ten microseconds."""

BEATS = 240
"""How many looks are remembered: those of the last minute."""


class Vitals:
    """
    Looks at the process at every beat, and remembers the last minute.

    A beat is late by the time that the reactor was busy with something else: everybody who asked for something then had to wait as long.

    @param commits: gives the number of the newest commit.
    """

    def __init__(self, reactor: IReactorTime, commits: Callable[[], int]) -> None:
        self._reactor = reactor
        self._commits = commits
        self._late: deque[float] = deque(maxlen=BEATS)
        self._counts: deque[tuple[float, int]] = deque(maxlen=BEATS + 1)
        self._expected = 0.0
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        now = self._reactor.seconds()
        self._counts.append((now, self._commits()))
        self._wait(now)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def commits_per_second(self) -> float:
        """Over the last minute, or since the start if that was later."""
        if not self._counts:
            return 0.0
        began, count = self._counts[0]
        seconds = self._reactor.seconds() - began
        # Commits that a failing disk has taken back are not counted.
        return round(max(0, self._commits() - count) / seconds, 1) if seconds else 0.0

    def late_ms(self, share: float) -> float:
        """
        How late beats were, in milliseconds.

        @param share: of the beats that were at most as late as the answer; 1 for the latest of all.
        """
        if not self._late:
            return 0.0
        place = max(ceil(share * len(self._late)) - 1, 0)
        return round(sorted(self._late)[place] * 1000, 1)

    def _wait(self, now: float) -> None:
        self._expected = now + BEAT_SECONDS
        self._timer = self._reactor.callLater(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        now = self._reactor.seconds()
        self._late.append(max(0.0, now - self._expected))
        self._counts.append((now, self._commits()))
        self._wait(now)


def memory_bytes() -> int:
    """What the process has in memory now (resident); if the system does not say, the most that it ever had."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024

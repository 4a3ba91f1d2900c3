"""
Signals that a hub wants to get, besides those that end it, which are the reactor's.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any


class Signals:
    """
    Calls functions in the reactor's turn when their signals come.

    Python calls a signal's function between any two steps of whatever is running, so all that happens there is passing it on. A signal that
    comes before the reactor runs is not lost, and does not end the process: it has its turn when the reactor begins.

    @param functions: by the name of the signal.
    """

    def __init__(self, reactor: Any, functions: Mapping[str, Callable[[], None]]) -> None:
        self._before: dict[int, Any] = {}
        for name, function in functions.items():
            self._set(reactor, getattr(signal, name), function)

    def restore(self) -> None:
        """Restore everything as it was before."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def _set(self, reactor: Any, number: int, function: Callable[[], None]) -> None:
        # Only the main thread may; a hub in another thread gets no signals.
        with suppress(ValueError):
            self._before[number] = signal.signal(number, lambda *_: reactor.callFromThread(function))

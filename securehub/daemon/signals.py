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

    Python runs what is set for a signal between any two steps of whatever runs at that moment; so all that happens there is to pass it
    on. A signal that comes before the reactor runs is not lost, nor does it end the process: it has its turn when the reactor begins.

    @param functions: by the name of the signal.
    """

    def __init__(self, reactor: Any, functions: Mapping[str, Callable[[], None]]) -> None:
        self._before: dict[int, Any] = {}
        for name, function in functions.items():
            self._set(reactor, getattr(signal, name), function)

    def restore(self) -> None:
        """Let all be as it was before."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def _set(self, reactor: Any, number: int, function: Callable[[], None]) -> None:
        # Only the main thread may; a hub in another one has none.
        with suppress(ValueError):
            self._before[number] = signal.signal(number, lambda *_: reactor.callFromThread(function))

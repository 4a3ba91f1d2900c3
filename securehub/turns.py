"""
Turns of the reactor for what may take long: each has one of its own, in the order in which they were asked for. Between two of them
everybody else is served, however many connections there are that ask for such things, and however fast.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Turns:
    """
    Gives turns. Who waits for one does nothing else meanwhile, so no more than one for each connection are waited for.

    @param reactor: whose turns they are.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._waiting: deque[Deferred[None]] = deque()

    def next(self) -> Deferred[None]:
        """
        @return: fires when one's turn has come.
        """
        turn: Deferred[None] = Deferred()
        if not self._waiting:
            self._reactor.callLater(0, self._give)
        self._waiting.append(turn)
        return turn

    def _give(self) -> None:
        turn = self._waiting.popleft()
        if self._waiting:
            self._reactor.callLater(0, self._give)
        turn.callback(None)

"""
Turns of the reactor for what may take long: a little of each, in the order in which they were asked for. So everybody else is served
between two of them, however many connections there are that ask for such things, and however fast.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

SLICE_SECONDS = 0.005
"""So much of one turn they have together, or as long as the one takes that goes beyond."""


class Turns:
    """
    Gives turns. Who waits for one does nothing else meanwhile, so no more than one for each connection are waited for.

    @param reactor: whose turns they are.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._waiting: deque[Deferred[None]] = deque()
        self._giving = False
        self._end = 0.0

    @property
    def over(self) -> bool:
        """Whether the time is used up that is given in this turn of the reactor."""
        return self._reactor.seconds() >= self._end

    def next(self, *, begun: bool = False) -> Deferred[None]:
        """
        @param begun: something was begun in a turn before, and is gone on with before others begin: so what is looked at for it is kept in
            memory for one at a time, however many there are who wait.

        @return: fires when one's turn has come; what is done at once then is counted.
        """
        turn: Deferred[None] = Deferred()
        if begun:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        if not self._giving:
            self._giving = True
            self._reactor.callLater(0, self._give)
        return turn

    def _give(self) -> None:
        self._end = self._reactor.seconds() + SLICE_SECONDS
        while self._waiting:
            self._waiting.popleft().callback(None)
            if self.over:
                break
        self._giving = bool(self._waiting)
        if self._giving:
            self._reactor.callLater(0, self._give)

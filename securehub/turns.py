"""
Turns of the reactor for commands that may take long: a little of each turn, in the order in which they were asked for. So everybody else is
served between two of them, on however many connections and however fast they are asked for.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

SLICE_SECONDS = 0.005
"""What they may use of one turn together; the last of them may go beyond."""


class Turns:
    """
    Gives turns. A connection that waits for one does nothing else meanwhile, so each waits for one at most.

    @param reactor: whose turns they are.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._waiting: deque[Deferred[None]] = deque()
        self._giving = False
        self._end = 0.0

    @property
    def over(self) -> bool:
        """Whether the time that is given in this turn of the reactor is used up."""
        return self._reactor.seconds() >= self._end

    def next(self, *, begun: bool = False) -> Deferred[None]:
        """
        @param begun: something was begun in an earlier turn, and goes on before others begin: so the records for only one are kept in
            memory, however many wait.

        @return: fires when one's turn has come; what is done directly then counts as its time.
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

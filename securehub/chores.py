"""
Chores: what the hub does without being asked, at its start or at intervals.

What is to be done once, at a time that a rule decides, stands on the agenda (L{securehub.agenda}), and carrying that out is a chore.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from securehub.refusals import Unavailable

_log = Logger()

T = TypeVar("T")

HOUR_SECONDS = 60 * 60

Chore = Callable[[], Coroutine[Any, Any, None]]

LOOKED_AT = 500
"""Records that a chore looks through in one turn of the reactor."""


class Some(NamedTuple, Generic[T]):
    """
    What a chore has to do for some of the records that it looks through; see L{Chores.for_all}.

    @ivar last: the key of the last record that was looked at; None if there are no more.
    """

    things: list[T]
    last: str | None


class Chores:
    """
    Runs chores between the start and the stop of a hub; none of them twice at once. A chore that fails is logged, and runs again when its
    time comes.

    @ivar stopped: whether the hub is stopping, so that long chores should end.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._first: list[Chore] = []
        self._repeated: list[tuple[float, Chore]] = []
        self._loops: list[LoopingCall] = []
        self._running: set[Chore] = set()
        self.stopped = False

    def at_start(self, chore: Chore) -> None:
        """Run a chore once everything that is stored has been loaded."""
        self._first.append(chore)

    def every(self, seconds: float, chore: Chore) -> None:
        """Run a chore at an interval, the first time after one interval. Times that fall into a longer run are skipped."""
        assert seconds > 0, f"every {seconds} seconds"
        self._repeated.append((seconds, chore))

    def hourly(self, chore: Chore) -> None:
        """The same every hour, for looking for what has become too old or was interrupted."""
        self.every(HOUR_SECONDS, chore)

    def start(self) -> None:
        for chore in self._first:
            self._reactor.callLater(0, self._run, chore)
        for seconds, chore in self._repeated:
            loop = LoopingCall(self._run, chore)
            loop.clock = self._reactor
            loop.start(seconds, now=False)
            self._loops.append(loop)

    def stop(self) -> None:
        """Begin no chore any more."""
        self.stopped = True
        for loop in self._loops:
            loop.stop()
        self._loops.clear()

    async def for_each(self, things: Iterable[T], chore: Callable[[T], Coroutine[Any, Any, None]]) -> None:
        """
        Do a chore for one thing after the other. A fault with one of them is logged, and does not keep the others from their turn.

        @raise Unavailable: the store takes nothing now, so the rest has to wait, too.
        """
        for thing in things:
            try:
                await chore(thing)
            except Unavailable:
                raise
            except Exception:
                _log.failure("{chore} failed for {thing}", chore=_name(chore), thing=thing)

    async def for_all(self, look: Callable[[str], Awaitable[Some[T]]], chore: Callable[[T], Coroutine[Any, Any, None]]) -> None:
        """
        The same for all that is found by looking through a lot, with others in between.

        @param look: is called with the key behind which to look, and gives what is found in some of it.
        """
        last: str | None = ""
        while last is not None and not self.stopped:
            things, last = await look(last)
            await self.for_each(things, chore)
            await self.others_first()

    def others_first(self) -> Awaitable[None]:
        """Wait until everybody else has had a turn; for chores that go through a lot in steps."""
        return deferLater(self._reactor, 0)

    def _run(self, chore: Chore) -> Deferred[None]:
        return Deferred.fromCoroutine(self._logged(chore))

    async def _logged(self, chore: Chore) -> None:
        if self.stopped or chore in self._running:
            return
        self._running.add(chore)
        try:
            await chore()
        except Unavailable as refusal:
            _log.warn("{chore} has to wait: {refusal}.", chore=_name(chore), refusal=refusal)
        except Exception:
            _log.failure("{chore} failed", chore=_name(chore))
        finally:
            self._running.discard(chore)


def _name(chore: Callable[..., object]) -> str:
    """What the log calls it; a C{partial} is shown by its parts."""
    return getattr(chore, "__qualname__", repr(chore))

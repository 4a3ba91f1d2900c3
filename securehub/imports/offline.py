"""
The store of a hub that does not run: each transaction is on the disk when it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from twisted.internet.task import Clock as Timers

from securehub.clock import Clock
from securehub.event import Event
from securehub.store.disk import RealDisk
from securehub.store.files import Directory
from securehub.store.journal import JournalStore, Position
from securehub.store.records import Record
from securehub.store.worker import Done, Job
from securehub.trying import Tried, try_out

T = TypeVar("T")


class CannotWrite(Exception):
    """The disk has not taken it; the text says why."""


class Offline:
    """
    A store without a reactor, and without anybody who listens.

    @ivar is_first_start: whether nothing has ever been written to it.

    @param directory: held by the caller.
    @param records: those of all services.

    @raise CannotWrite: the disk is full.
    """

    def __init__(self, directory: Directory, clock: Clock, records: Iterable[type[Record]]) -> None:
        self._timers = Timers()
        self._store = JournalStore(directory, _AtOnce(), self._timers, clock, records, _NoGate(), _Nobody())
        self.is_first_start = not self._store.open().number
        self._refuse_trouble()

    def transact(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """
        @raise CannotWrite: nothing of it is on the disk.
        """
        result = _finished(self._store.transact(rule, *args, **kwargs))
        self._timers.advance(0)
        self._refuse_trouble()
        return result

    def read(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        return _finished(self._store.read(rule, *args, **kwargs))

    def attempt(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """What a rule would return; nothing of it stays."""
        try:
            _finished(self._store.transact(try_out, rule, *args, **kwargs))
        except Tried as tried:
            result: T = tried.result
            return result
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._store.close()
        self._timers.advance(0)

    def _refuse_trouble(self) -> None:
        if self._store.trouble is not None:
            raise CannotWrite(self._store.trouble)


class LookingDisk(RealDisk):
    """A disk on which nothing is changed: what is written goes nowhere."""

    def create(self, name: str) -> Any:
        return _Nowhere()

    def open(self, name: str) -> Any:
        return _Nowhere()

    def rename(self, name: str, new_name: str) -> None:
        pass

    def remove(self, name: str) -> None:
        pass


class _AtOnce:
    """A worker that has done what it is given when it is given it."""

    def run(self, job: Job, done: Done) -> None:
        try:
            result, fault = job(), None
        except Exception as error:
            result, fault = None, error
        done(result, fault)

    def stop(self) -> None:
        pass


class _NoGate:
    """Nothing is shown before it is on the disk."""

    position: Position | None = None

    def settled(self, position: Position) -> None:
        pass

    def lost(self, position: Position) -> None:
        pass


class _Nobody:
    """Whoever comes later sees what there is."""

    def prepare(self, announced: Sequence[tuple[str, Event]]) -> None:
        pass

    def deliver(self, prepared: Any) -> None:
        pass


class _Nowhere:
    def write(self, content: bytes) -> None:
        pass

    def sync(self) -> None:
        pass

    def truncate(self, size: int) -> None:
        pass

    def close(self) -> None:
        pass


def _finished(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("the store of a hub that does not run waits for nothing")

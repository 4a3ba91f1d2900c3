"""
A store and all around it, in memory and in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from twisted.internet import task

from securehub.clock import Clock
from securehub.event import Event
from securehub.store.age import generation
from securehub.store.journal import JournalStore, Position
from securehub.store.records import Record
from securehub.store.transaction import Transaction
from tests.disk import MemoryDirectory, StepWorker
from tests.times import BEGIN

T = TypeVar("T")

LIFETIME = 100
SPAN = generation(LIFETIME)
"""Seconds that a generation of L{Receipt}s lasts."""

FULL = OSError(28, "No space left on device")
FIRST = "journal-000000000000000-0001.jsonl"
"""The first segment of every journal."""

ONE, TWO = bytes(32), bytes(range(32))
"""Keys under which it may be sealed."""


class Room(Record, frozen=True):
    """A parent, by name."""

    collection: ClassVar[str] = "room"

    topic: str = ""
    seq: int = 0


class Message(Record, frozen=True):
    """A record beneath a room."""

    collection: ClassVar[str] = "message"

    text: str


class Receipt(Record, frozen=True):
    """A record that vanishes by itself."""

    collection: ClassVar[str] = "receipt"
    lifetime: ClassVar[int | None] = LIFETIME

    text: str


class Said(Event, frozen=True):
    """An event of a commit."""

    method: ClassVar[str] = "test.said"

    seq: int
    words: str = ""

    def text(self) -> str:
        return f"{self.seq}: {self.words}"


RECORDS = (Room, Message, Receipt)


class RecordingGate:
    """
    A gate that keeps a list.

    @ivar settlements: each position that was settled or lost, with which of the two, in order.
    """

    def __init__(self) -> None:
        self.position: Position | None = None
        self.settlements: list[tuple[str, Position]] = []

    def settled(self, position: Position) -> None:
        self.settlements.append(("settled", position))

    def lost(self, position: Position) -> None:
        self.settlements.append(("lost", position))

    def outcome(self, position: Position | None) -> str | None:
        """What became of a position; None if that is open."""
        if position is None:
            return "settled"
        return next((outcome for outcome, other in self.settlements if other is position), None)


class RecordingAnnouncer:
    """
    An announcer that keeps a list.

    @ivar heard: channels and events that were delivered.
    @ivar fault: what encoding an event raises, if anything.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[str, Event]] = []
        self.fault: Exception | None = None

    def prepare(self, announced: Sequence[tuple[str, Event]]) -> Any:
        if self.fault is not None:
            raise self.fault
        return list(announced)

    def deliver(self, prepared: Any) -> None:
        self.heard += prepared


class Setting:
    """
    A store that is open, and its disk, worker, clocks and gate.

    @param wall: when the wall clock starts, in seconds since L{BEGIN}.
    @param options: more for the store.
    """

    def __init__(
        self,
        make_store: Callable[..., JournalStore] = JournalStore,
        disk: MemoryDirectory | None = None,
        records: Iterable[type[Record]] = RECORDS,
        wall: float = 0.0,
        **options: Any,
    ) -> None:
        self._make_store = make_store
        self._options = options
        self.records = tuple(records)
        self.disk = disk or MemoryDirectory()
        self.time = task.Clock()
        self.wall = wall
        self.worker = StepWorker()
        self.gate = RecordingGate()
        self.announcer = RecordingAnnouncer()
        self.clock = Clock(self.now, self.time.seconds)
        self.store = make_store(self.disk, self.worker, self.time, self.clock, self.records, self.gate, self.announcer, **options)
        self.found = self.store.open()

    def now(self) -> datetime:
        """What the wall clock says."""
        return BEGIN + timedelta(seconds=self.wall + self.time.seconds())

    def transact(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Run a rule; nothing is synced by that alone."""
        return at_once(self.store.transact(rule, *args, **kwargs))

    def read(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        return at_once(self.store.read(rule, *args, **kwargs))

    def turn(self) -> None:
        """One turn of the reactor: what gathered is given to the worker."""
        self.time.advance(0)

    def step(self) -> None:
        """A turn, and the worker does one job."""
        self.turn()
        self.worker.step()

    def settle(self) -> None:
        """Go on until nothing is left to do at this moment."""
        self.turn()
        while self.worker.jobs:
            self.worker.step()
            self.turn()

    def close(self) -> None:
        """Close the store in peace."""
        closed: list[object] = []
        self.store.close().addBoth(closed.append)
        self.settle()
        assert closed == [None], closed

    def reopened(self, *, records: Iterable[type[Record]] | None = None, after: float = 0.0) -> Setting:
        """Close, and open another store on what is left."""
        self.close()
        return self.followed(self.disk, records=records, after=after)

    def crashed(self, *, records: Iterable[type[Record]] | None = None, after: float = 0.0) -> Setting:
        """Pull the plug, and open another store on what is left."""
        return self.followed(self.disk.crashed(), records=records, after=after)

    def followed(self, disk: MemoryDirectory, *, records: Iterable[type[Record]] | None = None, after: float = 0.0) -> Setting:
        """
        Open another store.

        @param after: how much later it is by the wall clock.
        """
        wall = self.wall + self.time.seconds() + after
        return Setting(self._make_store, disk, self.records if records is None else records, wall, **self._options)

    def live(self, seconds: float) -> None:
        """Let time pass, of which all counts, as there is a commit every now and then."""
        step = 500.0
        while seconds > 0:
            self.time.advance(min(step, seconds))
            seconds -= step
            self.put("passing", Room())
            self.settle()

    def put(self, key: str, record: Record) -> None:
        """A commit with one record."""
        self.transact(put, key, record)

    def say(self, count: int) -> None:
        """So many commits, each of them settled: messages in the lobby."""
        for number in range(count):
            self.transact(say, "lobby", f"hello {number}")
            self.settle()

    def get(self, record: type[Record], key: str) -> Any:
        return self.read(get, record, key)

    def topics(self) -> dict[str, str]:
        """All rooms with their topics."""
        return {key: room.topic for key, room in self.read(everything, Room)}


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that does not wait."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits")


def put(tx: Transaction, *pairs: Any) -> None:
    """
    @param pairs: keys and records in turn.
    """
    for key, record in zip(pairs[::2], pairs[1::2], strict=True):
        tx.put(key, record)


def get(tx: Any, record: type[Record], key: str) -> Any:
    return tx.get(record, key)


def everything(tx: Any, record: type[Record], prefix: str = "", **bounds: Any) -> list[tuple[str, Any]]:
    return list(tx.scan(record, prefix, **bounds))


def say(tx: Transaction, room: str, words: str) -> int:
    """Put a message beneath a room, and announce it."""
    found = tx.get(Room, room) or Room()
    seq = found.seq + 1
    tx.put(room, Room(found.topic, seq))
    tx.put(f"{room}/{seq:06d}", Message(words))
    tx.announce(room, Said(seq, words))
    return seq

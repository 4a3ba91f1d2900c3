"""
The journal store: all records in memory, every commit a line of a chained journal, synced in groups.

A rule is applied in memory at once, so that the next can go on; its outputs leave the hub only when its position is settled (see
L{securehub.gate}). While one sync runs in the worker, the commits that happen meanwhile gather for the next one. So the latency of the disk
does not bound the number of commits a second.

When a write or a sync fails, everything that was not synced is undone, newest first, and whatever waited for it is told that it is lost.
Nothing about that file is believed any more: the store goes on in a new segment from the last synced number, as soon as the disk lets it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from securehub.clock import Clock
from securehub.event import Event
from securehub.refusals import Unavailable
from securehub.store import archive, lines, snapshot
from securehub.store.age import LONG_AGO, Age, generation
from securehub.store.collection import PARTS, Collection, ExpiringCollection
from securehub.store.files import TEMPORARY, Directory
from securehub.store.keys import Keys, wrapped
from securehub.store.layout import journal_bytes, snapshot_name
from securehub.store.records import Record, decoder, encoder, forms, parents
from securehub.store.recovery import AnyCollection, Collections, Recovered, recover
from securehub.store.transaction import MAX_BYTES, MAX_RECORDS, Place, Places, ReadTransaction, Transaction
from securehub.store.worker import Worker
from securehub.store.writer import SEGMENT_BYTES, Writer

_log = Logger()
_T = TypeVar("_T")

MAX_UNSYNCED = 16 * 1024 * 1024
"""Bytes of lines that may gather behind a slow disk before writes are refused: some 40,000 commits."""

RETRY_SECONDS = 1.0
"""How often a store that cannot write tries to begin a new segment."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that mean that there is no room, or none for the hub's user; they may pass by themselves."""

UNTIDY = 1_024
"""
Changes after which the collections are asked to put new keys in order; not at each, because there are many collections, and few have new
keys.
"""

SNAPSHOT_AFTER = 1_000
"""Commits since the last snapshot that make a new one worth its time at a clean stop; replaying fewer takes milliseconds."""


class Position:
    """
    A point in the journal. Opaque: one can wait for it, and nothing else.

    @ivar waiting: what the gate keeps back until it is settled.
    @ivar told: likewise, the events for listeners.
    """

    __slots__ = ("told", "waiting")

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.told: list[Any] = []


class _Batch:
    """
    What is written and synced at once.

    @ivar position: where the journal is when that is done.
    @ivar group: its lines.
    @ivar undo: place, key and old record of one change after the other, flat. A tuple for each would keep the garbage collector busy with
        hundreds of thousands.
    @ivar size: bytes of its lines.
    """

    __slots__ = ("group", "position", "size", "undo")

    def __init__(self, at: datetime, synced: int, number: int) -> None:
        self.position = Position()
        self.group = lines.Group(at, synced, number)
        self.undo: list[Any] = []
        self.size = 0

    def take_back(self) -> None:
        """Undo its changes, newest first."""
        undo = self.undo
        while undo:
            old, key, place = undo.pop(), undo.pop(), undo.pop()
            place.replace(key, old)


class Gate(Protocol):
    """
    Keeps outputs back until they may be seen.

    @ivar position: what outputs made now have to wait for, None if everything is settled; kept up to date by the store.
    """

    position: Position | None

    def settled(self, position: Position) -> None: ...
    def lost(self, position: Position) -> None: ...


class Announcer(Protocol):
    """Takes the events of commits to listeners."""

    def prepare(self, announced: Sequence[tuple[str, Event]]) -> Any:
        """Encode events. If anything is wrong with them, this fails, before the commit."""

    def deliver(self, prepared: Any) -> None: ...


class JournalStore:
    """
    Records in a state directory.

    @param records: the record classes that the services use.
    @param reactor: for timers.
    @param segment_bytes: of the journal, before another segment begins.

    @ivar writer: where its commits go; only jobs of the worker may use it.
    """

    def __init__(
        self,
        directory: Directory,
        worker: Worker,
        reactor: IReactorTime,
        clock: Clock,
        records: Iterable[type[Record]],
        gate: Gate,
        announcer: Announcer,
        *,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._directory = directory
        self._worker = worker
        self._reactor = reactor
        self._clock = clock
        self._gate = gate
        self._announcer = announcer
        self._records = list(records)
        self._forms = forms(self._records)
        self._places: Places = {}
        self._reading = ReadTransaction(self._places)
        self._collections = Collections()
        self._expiring: list[ExpiringCollection] = []
        self._untidy = 0
        self._age = Age()
        self._next_expiry = LONG_AGO
        self._drawn: dict[str, int] = {}
        self._segment_bytes = segment_bytes
        self.writer = Writer(directory, Recovered(Collections()), {}, segment_bytes)
        self._number = self._synced = self._snapshot_number = 0
        self._gathering: _Batch | None = None
        self._in_flight: _Batch | None = None
        self._trouble: str | None = None
        self._closed = False
        self._drained: list[Deferred[None]] = []

    def open(self) -> Recovered:
        """
        Read the state directory and begin a new segment. If the disk is full and there is something to read, this is done without the
        new segment, as if the disk had become full a moment later.

        @raise CannotStart: see L{recover}.
        @raise OSError: the new segment cannot be written.
        """
        found = recover(self._directory, partial(collections_for, self._records), self._forms)
        self._collections = found.collections
        self._expiring = [each for each in found.collections.values() if isinstance(each, ExpiringCollection)]
        for cls in self._records:
            self._places[cls] = Place(found.collections[cls.collection], encoder(cls), decoder(cls), cls.collection)
        self._drawn = found.drawn
        self._forms = found.forms | self._forms
        self._number = self._synced = found.number
        self._snapshot_number = found.number - found.replayed
        self._clock.not_before(found.at)
        self._age = found.age
        self.writer = Writer(self._directory, found, self._forms, self._segment_bytes)
        self.writer.size = journal_bytes(self._directory)
        try:
            self.writer.begin(self._clock.now())
        except OSError as fault:
            if fault.errno not in FULL or not found.number:
                raise
            _log.error("The journal cannot be written: {fault}. Nothing can be changed until it can.", fault=fault)
            self._stop_writing(fault)
        return found

    @property
    def number(self) -> int:
        """The number of the newest commit, synced or not."""
        return self._number

    @property
    def synced(self) -> int:
        """The number of the newest commit that is on the disk."""
        return self._synced

    @property
    def keys(self) -> Keys:
        """The keys under which it is sealed."""
        return self._directory.keys

    @property
    def head(self) -> str:
        """The hash of the journal's newest synced line."""
        return self.writer.head.decode()

    @property
    def spans(self) -> dict[str, int]:
        """Seconds that a generation of records lasts, by collection, for those that expire."""
        return {cls.collection: generation(cls.lifetime) for cls in self._records if cls.lifetime is not None}

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written now, or None."""
        return self._trouble

    @property
    def unsynced_bytes(self) -> int:
        """Bytes of lines that are not on the disk yet."""
        return sum(batch.size for batch in (self._in_flight, self._gathering) if batch is not None)

    @property
    def journal_bytes(self) -> int:
        """The size of the journal, of all its segments together."""
        return self.writer.size

    def counts(self) -> dict[str, int]:
        """The number of records in each collection."""
        return {name: len(collection) for name, collection in sorted(self._collections.items())}

    def vanishing(self, record: type[Record], start: str) -> Iterator[list[str]]:
        """
        The keys that begin with a text, of records that vanish by themselves, so that they can be deleted before that. They come a part at
        a time; take each part in a turn of its own, because looking at all at once would be a pause that everybody feels.
        """
        collection = self._collections[record.collection]
        assert isinstance(collection, ExpiringCollection), record
        return (collection.beginning(start, part) for part in range(PARTS))

    async def transact(self, rule: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """
        Run C{rule(tx, ...)} in a transaction that is serial with all others.

        @return: what the rule returned. Only the gate knows when it may be shown.

        @raise Unavailable: nothing can be written now; the rule was not run.
        """
        if self._trouble is not None or self._closed:
            self._refuse()
        gathering = self._gathering
        if gathering is not None and gathering.size > MAX_UNSYNCED:
            self._refuse()
        tx = Transaction(self._places, self._drawn)
        result = rule(tx, *args, **kwargs)
        if tx.staged or tx.announced or tx.drawn:
            self._commit(tx)
        return result

    async def read(self, rule: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Run C{rule(tx, ...)}, which only looks, on one consistent state."""
        return rule(self._reading, *args, **kwargs)

    def change_keys(self, keys: Keys) -> Deferred[None]:
        """
        From now on, seal under the first of these keys; the others may be needed to read older files. Commits need not wait for it.

        @return: fires when the journal goes on in a new segment; fails with OSError if that cannot be written. Then the next commits
            try again.
        """
        changed: Deferred[None] = Deferred()

        def done(_: object, fault: BaseException | None) -> None:
            if fault is not None:
                changed.errback(fault)
            else:
                changed.callback(None)

        self._worker.run(partial(self.writer.change_keys, keys, self._clock.now()), done)
        return changed

    def drain(self) -> Deferred[None]:
        """
        Take no more writes.

        @return: fires when all that was committed is synced, or undone.
        """
        self._closed = True
        drained: Deferred[None] = Deferred()
        self._drained.append(drained)
        self._check_drained()
        return drained

    def close(self) -> Deferred[None]:
        """
        Drain, and leave a snapshot if that is worth it.

        @return: fires when nothing is left to do.
        """
        return self.drain().addCallback(lambda _: self._leave_snapshot())

    def _refuse(self) -> NoReturn:
        if self._trouble is not None:
            raise Unavailable("the hub cannot write to its disk now; nothing was changed, try again later")
        if self._closed:
            raise Unavailable("the hub is stopping; nothing was changed")
        raise Unavailable("the hub's disk is too slow now; nothing was changed, try again later")

    def _commit(self, tx: Transaction) -> None:
        """
        Make a transaction part of the journal and of the records.

        Everything that can fail is done before the first record is touched.
        """
        staged = tx.staged
        size = sum(map(len, filter(None, staged.values())))
        assert len(staged) <= MAX_RECORDS and size <= MAX_BYTES, f"too large a transaction: {len(staged)} records, {size} bytes"
        prepared = self._announcer.prepare(tx.announced) if tx.announced else None
        at = self._clock.now()
        if at >= self._next_expiry:
            self._next_expiry = self._age.advance(at, self._expiring)
        batch = self._gathering or self._gather(at)
        number = self._number + 1
        batch.size += batch.group.add(tx.changes(), tx.drawn, number, at)
        self._number = number
        undo = batch.undo
        for (place, key), raw in staged.items():
            undo += place, key, place.replace(key, raw)
        if tx.drawn:
            self._drawn.update(tx.drawn)
        if prepared:
            self._announcer.deliver(prepared)

    def _gather(self, at: datetime) -> _Batch:
        self._gathering = batch = _Batch(at, self._synced, self._number)
        self._gate.position = batch.position
        if self._in_flight is None:
            # Not at once: other commits in this turn of the reactor share the sync.
            self._reactor.callLater(0, self._submit)
        return batch

    def _submit(self) -> None:
        batch = self._gathering
        if batch is None or self._in_flight is not None or self._trouble is not None:
            return
        self._in_flight, self._gathering = batch, None
        self._worker.run(partial(self.writer.append, batch.group), partial(self._written, batch))

    def _written(self, batch: _Batch, _: object, fault: BaseException | None) -> None:
        if fault is not None:
            self._roll_back(fault)
            return
        self._in_flight = None
        self._synced = batch.group.number
        self._gate.position = self._gathering.position if self._gathering is not None else None
        # The disk first: it works on the next group while the outputs of this one are written.
        self._submit()
        self._gate.settled(batch.position)
        self._untidy += len(batch.undo) // 3
        if self._untidy >= UNTIDY:
            self._untidy = 0
            for collection in self._collections.values():
                collection.tidy()
        self._check_drained()

    def _roll_back(self, fault: BaseException) -> None:
        """Undo everything that was not synced, newest first, and tell those who waited for it."""
        lost = [batch for batch in (self._in_flight, self._gathering) if batch is not None]
        for batch in reversed(lost):
            batch.take_back()
        count = self._number - self._synced
        self._number = self._synced
        self._in_flight = self._gathering = self._gate.position = None
        self._stop_writing(fault)
        _log.error(
            "The journal could not be written: {fault}. {count} commits, of which nobody was told, are undone.", fault=fault, count=count
        )
        for batch in lost:
            self._gate.lost(batch.position)
        self._check_drained()

    def _stop_writing(self, fault: BaseException) -> None:
        self._trouble = str(fault) or type(fault).__name__
        if not self._closed:
            self._reactor.callLater(RETRY_SECONDS, self._begin_again)

    def _begin_again(self) -> None:
        """Try to go on in a new segment; what became of the tail of the old one no longer matters."""
        if self._closed:
            return
        self._worker.run(partial(self.writer.begin, self._clock.now()), self._begun)

    def _begun(self, _: object, fault: BaseException | None) -> None:
        if fault is not None:
            self._stop_writing(fault)
            return
        self._trouble = None
        _log.info("The journal can be written again; it goes on after commit {number}.", number=self._number)

    def _check_drained(self) -> None:
        if self._in_flight is None and self._gathering is None:
            drained, self._drained = self._drained, []
            for each in drained:
                each.callback(None)

    def _leave_snapshot(self) -> Deferred[None]:
        left: Deferred[None] = Deferred()

        def done(_: object, fault: BaseException | None) -> None:
            if fault is not None:
                _log.warn("No snapshot was left ({fault}); the next start replays the journal.", fault=fault)
            left.callback(None)

        worthwhile = self._number - self._snapshot_number >= SNAPSHOT_AFTER
        self._worker.run(self._write_snapshot if worthwhile else partial(self.writer.end, self._clock.now()), done)
        left.addCallback(lambda _: self._worker.stop())
        return left

    def _write_snapshot(self) -> None:
        number, serial, at = self._number, self.writer.serial, self._clock.now()
        head = snapshot.Head(lines.FORMAT, number, serial, self.head, at, self._forms, self._drawn, self._age)
        name = snapshot_name(self._number)
        self._directory.prepare(name, wrapped(snapshot.chunks(head, self._collections.values()), self._directory.keys))
        snapshot.check(snapshot.stored(self._directory, name + TEMPORARY))
        self._directory.put_in_place(name)
        archive.put_away(self._directory)


def collections_for(records: Iterable[type[Record]]) -> Collections:
    """Empty collections for the records of these classes."""
    return Collections((cls.collection, _collection_for(cls)) for cls in records)


def _collection_for(cls: type[Record]) -> AnyCollection:
    if cls.lifetime is None:
        return Collection(cls.collection, scanned=cls.scanned, parents=parents(cls))
    return ExpiringCollection(cls.collection, generation(cls.lifetime))

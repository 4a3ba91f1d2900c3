"""
Upkeep: the daemon's part in keeping its files few.

Now and then it looks at the files. When much has gathered in closed segments, it lets a child process fold them (L{securehub.store.fold}),
puts the new snapshot in place, and puts away what that replaces (L{securehub.store.archive}). All that touches files runs in the store's
worker, between two groups of commits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from securehub.clock import Clock
from securehub.store import archive, lines, snapshot
from securehub.store.files import Directory
from securehub.store.fold import Folded, Order, Spans
from securehub.store.keys import NoKey
from securehub.store.layout import files_of_a_start, journal_bytes, segment_names, serial_of, snapshot_name, snapshot_names
from securehub.store.lines import Damaged
from securehub.store.rotation import current_name, key_of
from securehub.store.worker import Worker
from securehub.store.writer import Writer

if TYPE_CHECKING:
    from twisted.python.failure import Failure

_log = Logger()

LOOK_SECONDS = 10.0
"""How often it looks. Several segments may have filled up meanwhile; they are folded together."""

FOLD_AGE = timedelta(days=1)
"""How old a closed segment may become before it is folded, however small it is: so what was erased leaves the snapshots, too."""

AGAIN_SECONDS = 3600.0
"""After a fold that failed. The cause seldom passes at once, and another fold costs as much again."""


MOST_BYTES = 256 * 1024 * 1024
"""The most that is folded at once, because the child holds all changes in memory. If more has gathered, further folds follow."""


class NoRoom(Exception):
    """A fold would fill the disk; the text says how much is missing."""


class Folding(Protocol):
    """Folds beside the daemon."""

    def fold(self, order: Order) -> Deferred[Folded | None]: ...

    def stop(self) -> Deferred[None]:
        """End what is being done at once; fires when nothing of it runs any more."""


class Store(Protocol):
    """
    What upkeep needs of a store.

    @ivar spans: how long generations of its records last.
    """

    @property
    def writer(self) -> Writer: ...
    @property
    def spans(self) -> Spans: ...


class Upkeep:
    """
    Keeps the files of a store few.

    @param segment_bytes: how much has to gather in closed segments at least.
    @param percent: and how much that is, of the newest snapshot, before it is folded.
    @param archive_days: gives for how long segments are kept, which may change.

    @ivar trouble: why nothing is folded although it is time; empty if all is well.
    """

    def __init__(
        self,
        store: Store,
        directory: Directory,
        worker: Worker,
        reactor: IReactorTime,
        clock: Clock,
        folding: Folding,
        *,
        segment_bytes: int,
        percent: int,
        archive_days: Callable[[], int],
    ) -> None:
        self._store = store
        self._directory = directory
        self._worker = worker
        self._reactor = reactor
        self._clock = clock
        self._folding = folding
        self._least = segment_bytes
        self._percent = percent
        self._days = archive_days
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor
        self._works = False
        self._stopped = False
        self._not_before = 0.0
        self._keys: dict[str, str | None] = {}
        self._doubt = archive.Doubt()
        self._doubts = False
        self.trouble = ""

    def start(self) -> None:
        self._loop.start(LOOK_SECONDS, now=False)

    def stop(self) -> Deferred[None]:
        """
        Begin nothing new, and end what is being folded.

        @return: fires when the files are the store's alone again.
        """
        self._stopped = True
        if self._loop.running:
            self._loop.stop()
        return self._folding.stop() if self._works else succeed(None)

    def _look(self) -> None:
        if self._works:
            return
        self._works = True
        may_fold = self._reactor.seconds() >= self._not_before
        self._in_worker(partial(self._tidy, self._clock.now(), self._clock.wall(), may_fold), self._looked)

    def _tidy(self, now: datetime, wall: datetime, may_fold: bool) -> int | None:
        """
        In the worker: everything that needs no child.

        @param wall: the time as it is. So nothing is removed early because a commit has a time in the future.

        @return: see L{fold_until}.
        """
        archive.sweep(self._directory)
        self._store.writer.turn_page(now)
        self._prune(wall, self._days())
        if not may_fold:
            return None
        try:
            serial = self._fold_for_the_key(now) if self._has_other_keys() else self._fold_until(now)
        except NoRoom as lack:
            if not self.trouble:
                _log.warn("The journal is not folded: {lack}.", lack=str(lack))
            self.trouble = str(lack)
            return None
        if serial is None:
            self.trouble = ""
        return serial

    def _prune(self, wall: datetime, days: int) -> None:
        """In the worker: remove from the archive what is old, unless the clock may have been set forward by mistake."""
        old = archive.over(self._directory, wall, days)
        oldest = next(old, None)
        leap = self._doubt.about(self._directory, wall, self._clock.passing())
        doubts = oldest is not None and leap is not None
        if oldest is not None and not doubts:
            for name in chain((oldest,), old):
                archive.remove(self._directory, name)
                _log.info("{name} has been in the archive for {days} days, and is removed.", name=name, days=days)
        if doubts and not self._doubts:
            _log.warn(
                "clock-ahead: by the clock, no file of the journal was begun for {leap} days. Should the clock be wrong, set it right: in "
                "{doubt} days what is old by it is removed from the archive.",
                leap=leap and leap.days,
                doubt=archive.DOUBT.days,
            )
        self._doubts = doubts

    def _fold_until(self, now: datetime, *, at_once: bool = False) -> int | None:
        names = [name for name, key in self._keys_of().items() if key is not None]
        return fold_until(self._directory, names, self._store.writer.serial, now, self._least, self._percent, at_once=at_once)

    def _has_other_keys(self) -> bool:
        """In the worker: whether a file that a start may read is sealed under another key than new ones are."""
        return not {None, current_name(self._directory.keys)}.issuperset(self._keys_of().values())

    def _keys_of(self) -> dict[str, str | None]:
        """
        In the worker: the names of the keys of files that a start may read; None for a file without a whole first line, which was
        never begun. First lines never change, so each is read once.
        """
        known = self._keys
        self._keys = {name: known[name] if name in known else key_of(self._directory, name) for name in files_of_a_start(self._directory)}
        return self._keys

    def _fold_for_the_key(self, now: datetime) -> int | None:
        """
        In the worker: fold, however little it is, so that the old key is no longer needed for a start. First what is closed; then, for the
        second of the snapshots, what has been committed since.
        """
        serial = self._fold_until(now, at_once=True)
        if serial is None and self._store.writer.has_commits:
            self._store.writer.begin(now)
            serial = self._fold_until(now, at_once=True)
        return serial

    def _looked(self, serial: int | None) -> None:
        if serial is None or self._stopped:
            self._works = False
            return
        folded = maybeDeferred(self._folding.fold, Order(serial, self._store.spans, current_name(self._directory.keys)))
        folded.addCallbacks(self._folded, self._not_folded)

    def _folded(self, folded: Folded | None) -> None:
        if folded is None or self._stopped:
            self._works = False
            return
        self._in_worker(partial(self._adopt, folded), self._adopted)

    def _not_folded(self, failure: Failure) -> None:
        fault: Any = failure.value
        self._failed(fault)

    def _adopt(self, folded: Folded) -> Folded:
        """In the worker: put a snapshot that is known to be whole in place, and put away what it makes old."""
        for name in folded.damaged:
            self._directory.rename(name, f"{name}.damaged")
        self._directory.put_in_place(snapshot_name(folded.number))
        self._store.writer.snapshot = folded.digest
        archive.put_away(self._directory)
        self._store.writer.size = journal_bytes(self._directory)
        self._keys.pop(snapshot_name(folded.number), None)
        return folded

    def _adopted(self, folded: Folded) -> None:
        self._works = False
        self.trouble = ""
        for name in folded.damaged:
            _log.error("{name} was found damaged, is called {name}.damaged now, and no longer used.", name=name)
        _log.info("The journal is folded into a snapshot up to commit {number}.", number=folded.number)

    def _failed(self, fault: BaseException) -> None:
        self._works = False
        if self._stopped or self._reactor.seconds() < self._not_before:
            # The operator has been told already what is wrong, and when the next try is.
            return
        self._not_before = self._reactor.seconds() + AGAIN_SECONDS
        self.trouble = str(fault).rstrip(".") or type(fault).__name__
        _log.error(
            "The journal could not be folded, and is as it was: {fault}. The next try is in {minutes:.0f} minutes.",
            fault=self.trouble,
            minutes=AGAIN_SECONDS / 60,
        )

    def _in_worker(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def done(result: Any, fault: BaseException | None) -> None:
            if fault is None:
                then(result)
            else:
                self._failed(fault)

        self._worker.run(job, done)


def fold_until(
    directory: Directory, names: list[str], serial: int, now: datetime, least: int, percent: int, *, at_once: bool = False
) -> int | None:
    """
    Whether folding closed segments is worth what it costs: reading the newest snapshot, and writing it anew.

    @param names: of snapshots and segments that were ever begun.
    @param serial: of the segment that is written to.
    @param least: bytes that have to be there at least.
    @param percent: bytes that have to be there, in percent of the newest snapshot's.
    @param at_once: fold whatever there is.

    @return: the serial of the segment before which to fold all; None if not yet.

    @raise NoRoom: the disk has no room for that.
    """
    covered, number, size = _newest(directory, names)
    later = [name for name in segment_names(names) if covered < serial_of(name) <= serial]
    if len(later) < 2 or lines.header(next(directory.lines(later[-1]), b"")).after == number:
        return None
    sizes = list(map(directory.size, later[:-1]))
    begun = lines.header(next(directory.lines(later[0]), b"")).at
    if sum(sizes) < max(least, size * percent // 100) and now - begun < FOLD_AGE and not at_once:
        return None
    taken = next((place for place, total in enumerate(accumulate(sizes), 1) if total >= MOST_BYTES), len(sizes))
    _refuse_to_fill(directory, size + sum(sizes[:taken]) + least)
    return serial_of(later[taken])


def _newest(directory: Directory, names: list[str]) -> tuple[int, int, int]:
    """
    Serial, number and bytes of the newest snapshot, all 0 if there is none. One that cannot be read is skipped, as the fold will skip it.
    """
    for name in reversed(snapshot_names(names)):
        with suppress(Damaged, NoKey):
            head = snapshot.read_head(next(snapshot.stored(directory, name), b""))
            return head.serial, head.number, directory.size(name)
    return 0, 0, 0


def _refuse_to_fill(directory: Directory, needed: int) -> None:
    """A fold that filled the disk would keep the journal from being written."""
    room = directory.room()
    if room < needed:
        raise NoRoom(f"the disk has room for {room} bytes, and {needed} are needed")

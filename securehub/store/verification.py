"""
Verification: does a state directory, or a backup, hold what was once written, and does that make sense?

It checks every line of the journal, every snapshot, the snapshots against the journal, that every record can be read, and what the services
state about their records at every commit (that the books balance, say). It reports the first fault by file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, Protocol

import msgspec

from securehub.store import lines, snapshot
from securehub.store.chain import Broken, Journal, Link
from securehub.store.files import Directory
from securehub.store.keys import FileKey, NoKey
from securehub.store.layout import number_of, snapshot_names
from securehub.store.lines import Damaged
from securehub.store.records import Record, decoder


class Invariant(Protocol):
    """
    Something that is true of the records after every commit. A service names the class of each in C{invariants}.
    """

    def change(self, collection: str, key: str, record: bytes | None) -> None:
        """A record was put, or deleted (None)."""

    def complaint(self) -> str | None:
        """After each commit: what is wrong, or None."""


class Verified(NamedTuple):
    """
    A directory without fault.

    @ivar commits: the number of the last commit.
    @ivar head: the hash of the last line.
    @ivar segments: how many there are.
    @ivar snapshots: how many there are.
    @ivar records: how many there are; None if they were not looked at.
    @ivar notes: what is not a fault, but should be known.
    """

    commits: int
    head: str
    segments: int
    snapshots: int
    records: int | None
    notes: list[str]


def verify(
    directory: Directory,
    records: Iterable[type[Record]],
    invariants: Iterable[Callable[[], Invariant]],
    *,
    until: int | None = None,
    whole: bool = True,
) -> Verified:
    """
    @param until: the last commit that is to be looked at; None for all.
    @param whole: keep all records in memory, as a daemon does, to compare snapshots with the journal and to read each record.

    @raise Broken: the first fault.
    @raise NoKey: the newest records are sealed under a key that is not there. Of what is older, and sealed under such a key, bytes and
        chain are checked.
    @raise FileNotFoundError: a file has gone meanwhile; try again.
    """
    return _Verification(directory, records, list(invariants), until, whole).run()


class _Verification:
    """
    @ivar _known: whether the records at this point of the journal are known: not while what came before is missing, or sealed under a key
        that is gone.
    @ivar _lack: why the last such file could not be read.
    @ivar _unread: the files of which only bytes and chain could be checked.
    """

    def __init__(
        self,
        directory: Directory,
        records: Iterable[type[Record]],
        invariants: Sequence[Callable[[], Invariant]],
        until: int | None,
        whole: bool,
    ) -> None:
        self._directory = directory
        self._until = until
        self._classes = {cls.collection: cls for cls in records}
        self._makers = invariants
        self._whole = whole
        self._lack: NoKey | None = None
        self._unread: list[str] = []
        self._known = False
        self._records: dict[str, dict[str, bytes]] = {}
        self._invariants = [make() for make in invariants]
        self._pending: tuple[str, bytes] | None = None

    def run(self) -> Verified:
        journal = Journal(self._directory, self._until)
        names = {number_of(name): name for name in snapshot_names(self._directory.names())}
        snapshots = {number: name for number, name in names.items() if self._until is None or number <= self._until}
        waiting = dict(snapshots)
        key: FileKey | None = None
        number, heads = -1, journal.heads
        for link in journal.walk():
            if link.number != number:
                self._check_hash(heads)
            if link.line == 1:
                self._known = self._known or not link.number
                key = self._key_of(link)
            else:
                self._commit(link, key)
            number, heads = link.number, journal.heads
            if number in waiting:
                self._snapshot(waiting.pop(number), number)
        self._check_hash(heads)
        for number, name in sorted(waiting.items()):
            if journal.segments and number > journal.number:
                raise Broken(name, 0, f"it is of commit {number}, and the journal ends at {journal.number}")
            # It is older than the oldest line; or there is no journal, but only the newest snapshot.
            self._snapshot(name, number, alone=self._known or number != max(waiting))
        if self._lack is not None and not self._known:
            raise NoKey(f"{self._unread[-1]}: {self._lack}")
        found = self._read_all() if self._whole else None
        if self._unread:
            journal.notes.append(f"{len(self._unread)} files were checked without being read, the last {self._unread[-1]}: {self._lack}")
        return Verified(journal.number, journal.head.decode(), journal.segments, len(snapshots), found, journal.notes)

    def _forget(self) -> None:
        """Begin anew: the records are not known."""
        self._known = False
        self._invariants = [make() for make in self._makers]
        self._records = {}

    def _key_of(self, link: Link) -> FileKey | None:
        """The key of a segment; None if it is plain, or if the key is gone: then only its bytes and chain are checked."""
        if not link.header.key:
            return None
        try:
            return self._directory.keys.for_file(link.header.key, link.header.salt)
        except NoKey as lack:
            self._note(link.file, lack)
            self._forget()
            return None

    def _note(self, name: str, lack: NoKey) -> None:
        self._lack = lack
        self._unread.append(name)

    def _commit(self, link: Link, key: FileKey | None) -> None:
        if not self._known:
            return
        try:
            for collection, name, raw in lines.commit(link.content, key).changes:
                record = bytes(raw)
                self._change(collection, name, None if record == b"null" else record)
        except Damaged as damage:
            raise Broken(link.file, link.line, str(damage)) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Broken(link.file, link.line, f"it holds a record that cannot be read: {error}") from None
        self._ask(link.file, link.line)

    def _change(self, collection: str, key: str, record: bytes | None) -> None:
        for invariant in self._invariants:
            invariant.change(collection, key, record)
        if not self._whole:
            return
        records = self._records.setdefault(collection, {})
        if record is None:
            records.pop(key, None)
        else:
            records[key] = record

    def _ask(self, file: str, line: int) -> None:
        for invariant in self._invariants:
            if complaint := invariant.complaint():
                raise Broken(file, line, complaint)

    def _snapshot(self, name: str, number: int, *, alone: bool = False) -> None:
        """
        Check a snapshot at its point of the journal; if nothing is known yet, begin with its records.

        @param alone: only in itself, because there is nothing to compare it with.
        """
        begins = not self._known and not alone
        found: dict[str, dict[str, bytes]] = {}
        try:
            content = snapshot.stored(self._directory, name)
            first = next(content, b"")
            head = snapshot.read_head(first)
            if head.number != number:
                raise Damaged(f"it is of commit {head.number}")
            for row, _ in snapshot.rows(first, content):
                if begins:
                    self._change(row.collection, row.key, bytes(row.record))
                elif self._whole and not alone:
                    found.setdefault(row.collection, {})[row.key] = bytes(row.record)
        except NoKey as lack:
            self._check_unread(name, lack)
            return
        except FileNotFoundError:
            # The daemon has a newer one meanwhile. If this one was the first, there is nothing to go on with.
            if begins:
                raise
            return
        except Damaged as damage:
            raise Broken(name, 0, str(damage)) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Broken(name, 0, f"it holds a record that cannot be read: {error}") from None
        if alone:
            return
        self._pending = name, head.hash.encode()
        if begins:
            self._known = True
            self._ask(name, 0)
        elif self._whole:
            self._compare(name, found)

    def _check_unread(self, name: str, lack: NoKey) -> None:
        if damage := snapshot.damage(self._directory, name, lack):
            raise Broken(name, 0, str(damage))
        self._note(name, lack)

    def _compare(self, name: str, found: dict[str, dict[str, bytes]]) -> None:
        for collection in sorted({*found, *self._records}):
            cls = self._classes.get(collection)
            if cls is not None and cls.lifetime is not None:
                continue  # They vanish by themselves, and no line says when.
            ours, theirs = self._records.get(collection, {}), found.get(collection, {})
            for key in sorted({*ours, *theirs} if ours != theirs else ()):
                if ours.get(key) != theirs.get(key):
                    raise Broken(name, 0, f"{collection} {key!r} is not what the journal says")

    def _check_hash(self, heads: set[bytes]) -> None:
        """A snapshot names the line at which it was made."""
        if self._pending is not None:
            (name, head), self._pending = self._pending, None
            if head not in heads:
                raise Broken(name, 0, "it names another hash than the journal has at its commit")

    def _read_all(self) -> int:
        """Read each record, as this version knows its form."""
        for collection, key, raw in _rows(self._records):
            cls = self._classes.get(collection)
            if cls is None:
                continue
            try:
                _decoder(cls)(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
                raise Broken(collection, 0, f"the record {key!r} cannot be read: {error}") from None
        return sum(map(len, self._records.values()))


_decoder = cache(decoder)


def _rows(records: dict[str, dict[str, bytes]]) -> Iterator[tuple[str, str, bytes]]:
    for collection, found in records.items():
        for key, raw in found.items():
            yield collection, key, raw

"""
Folding: closed segments of the journal and the snapshot before them become a new snapshot.

It reads only what nobody writes to any more, and changes nothing that is there: what it leaves is a file under a temporary name, read
back and found whole. So it can run beside the daemon, and end at any point.

Only what has changed is held in memory; the rest of the old snapshot passes through, line by line.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from securehub.store import snapshot
from securehub.store.collection import PARTS, SHIFT, ExpiringCollection
from securehub.store.files import TEMPORARY, Directory
from securehub.store.keys import NoKey, wrapped
from securehub.store.layout import snapshot_name, snapshot_names
from securehub.store.lines import Damaged
from securehub.store.recovery import Recovered, recovered, replay_closed, snapshot_head

Spans = dict[str, int]
"""Seconds that a generation lasts (L{ExpiringCollection}), by collection, for those that expire."""


class Order(msgspec.Struct, frozen=True):
    """
    What is to be folded.

    @ivar serial: of a segment that has begun; those before it are folded.
    @ivar key: the name of the key under which the daemon seals new files, empty if it leaves them plain. The place of the keys may already
        have another one in front, to which the daemon has not changed yet.
    """

    serial: int
    spans: Spans
    key: str


class Folded(msgspec.Struct, frozen=True):
    """
    What came of it.

    @ivar number: of the last commit that the new snapshot covers; its name is made of that.
    @ivar damaged: snapshots that were found damaged, and passed over.
    """

    number: int
    digest: str
    damaged: list[str] = []


class NotWritten(Exception):
    """What was written cannot be read back: the disk does not do what it claims."""


def fold(directory: Directory, order: Order) -> Folded | None:
    """
    Prepare a new snapshot.

    @return: None if there was nothing to fold.

    @raise CannotStart: the journal is damaged in a way that stops a start, too.
    @raise NoKey: the newest snapshot is sealed under a key that is not there, or the new one is to be.
    @raise NotWritten: see there.
    @raise OSError: the disk failed.
    """
    damaged: list[str] = []
    for name in reversed(snapshot_names(directory.names())):
        try:
            content = snapshot.stored(directory, name)
            first = next(content, b"")
            return _fold(directory, order, damaged, snapshot.read_head(first), snapshot.rows(first, content))
        except (NoKey, Damaged) as fault:
            if snapshot.damage(directory, name, fault) is None:
                raise
            damaged.append(name)
    return _fold(directory, order, damaged, None, iter(()))


def _fold(
    directory: Directory, order: Order, damaged: list[str], base: snapshot.Head | None, rows: Iterator[tuple[snapshot.Row, bytes]]
) -> Folded | None:
    changes: Any = _Changes(order.spans)
    state = Recovered(changes) if base is None else recovered(base, changes)
    if state.serial >= order.serial:
        return None
    replay_closed(directory, order.serial, state)
    if not state.replayed:
        return None
    head = snapshot_head(state)
    name = snapshot_name(state.number)
    directory.prepare(name, wrapped(snapshot.sealed(head, changes.over(rows)), directory.keys.under(order.key)))
    return Folded(state.number, _read_back(directory, name, head), damaged)


def _read_back(directory: Directory, name: str, written: snapshot.Head) -> str:
    """The digest of a snapshot that was prepared."""
    try:
        found, digest = snapshot.check(snapshot.stored(directory, name + TEMPORARY))
    except Damaged as damage:
        raise NotWritten(f"{name} was written, and is not whole: {damage}") from None
    if found != written:
        raise NotWritten(f"{name} was written, and is another one")
    return digest


class _Changed:
    """What was put and deleted in a collection."""

    def __init__(self) -> None:
        self.parts: list[dict[str, bytes | None]] = [{} for _ in range(PARTS)]

    def drop(self, key: str) -> None:
        self.parts[hash(key) >> SHIFT][key] = None

    def hides(self, old: snapshot.Row) -> bool:
        """Whether an old record has been deleted or replaced."""
        return old.key in self.parts[hash(old.key) >> SHIFT]

    def rows(self, name: bytes) -> Iterator[bytes]:
        for key, raw in sorted(chain.from_iterable(part.items() for part in self.parts)):
            if raw is not None:
                yield snapshot.row(name, key, raw)


class _ChangedExpiring(ExpiringCollection):
    """Likewise, of records that expire."""

    def __init__(self, name: str, span: int) -> None:
        super().__init__(name, span)
        self._dropped: set[str] = set()

    def drop(self, key: str) -> None:
        super().drop(key)
        self._dropped.add(key)

    def hides(self, old: snapshot.Row) -> bool:
        """As L{_Changed.hides}, or because it has lived long enough."""
        return old.began < (self._generation - 1) * self.span or old.key in self._dropped or self.get(old.key) is not None

    def rows(self, name: bytes) -> Iterator[bytes]:
        for began, key, raw in sorted(self.items()):
            yield snapshot.row(name, key, raw, began)


class _Changes(dict[str, "_Changed | _ChangedExpiring"]):
    """What was changed since a snapshot, by collection."""

    def __init__(self, spans: Spans) -> None:
        super().__init__({name: _ChangedExpiring(name, span) for name, span in spans.items()})

    def __missing__(self, name: str) -> _Changed:
        found = self[name] = _Changed()
        return found

    def over(self, rows: Iterator[tuple[snapshot.Row, bytes]]) -> Iterator[bytes]:
        """The lines of a snapshot, with these changes made."""
        for old, line in rows:
            if not self[old.collection].hides(old):
                yield line
        for name, changed in sorted(self.items()):
            yield from changed.rows(msgspec.json.encode(name))

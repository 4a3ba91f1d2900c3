"""
The end of the journal: where commits become lines.

It runs in the worker, so the reactor pays nothing for chaining, and need not know about files or hashes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from securehub.store import lines
from securehub.store.files import Appender, Directory
from securehub.store.keys import FileKey, Keys
from securehub.store.layout import segment_name
from securehub.store.recovery import Recovered

SEGMENT_BYTES = 64 * 1024 * 1024
"""Bytes of a segment before the next one begins, unless a setting says otherwise."""

SEGMENT_AGE = timedelta(days=1)
"""For how long a segment is written to. Only closed segments can be folded and put away, and erased texts go with them."""


class Writer:
    """
    Appends commits to the newest segment, each line hanging on the one before; begins another one when it is full or old.

    @param found: what is there. The writer goes on from its last commit and line, in a new segment.
    @param forms: collections and their records' forms, see L{securehub.store.records.forms}.
    @param full: bytes of a segment after which the next one begins.

    @ivar head: the hash of the newest line that is synced.
    @ivar serial: of the segment that is written to; all before it are closed.
    @ivar snapshot: the digest of the newest snapshot, which each header states.
    @ivar size: bytes of all segments outside of the archive, as far as they are synced.
    """

    def __init__(self, directory: Directory, found: Recovered, forms: dict[str, int], full: int) -> None:
        self._directory = directory
        self._number = found.number
        self._forms = forms
        self._full = full
        self._segment: Appender | None = None
        self._filled = 0
        self._counting = lines.Counting(found.serial)
        self._previous = found.extent
        self._begun = datetime.min
        self._key: FileKey | None = None
        self.serial = found.serial
        self.head = found.head
        self.snapshot = found.snapshot
        self.size = 0

    def begin(self, at: datetime) -> None:
        """
        Begin a new segment, and let go of the old one, of which only what was synced counts.

        @raise OSError: it cannot be written. Nothing more is written to the old one either: the new one may be there after all.
        """
        self._let_go()
        self.serial += 1
        content, head = lines.seal(self._header(at), self.head)
        self._segment = self._directory.create(segment_name(self._number, self.serial), content)
        self._counting = lines.Counting(self.serial)
        self._counting.add(content)
        self._filled, self._begun, self.head = 0, at, head
        self.size += len(content)

    def _let_go(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None
            self._previous = self._counting.extent

    def change_keys(self, keys: Keys, at: datetime) -> None:
        """
        Go on in a new segment, which is sealed under the first of these keys.

        @raise OSError: see L{begin}.
        """
        self._directory.keys = keys
        self.begin(at)

    def append(self, group: lines.Group) -> None:
        """
        Write a group and sync it.

        @raise OSError: it failed, and none of the group counts.
        """
        if self._segment is None or self._is_done(group.at):
            self.begin(group.at)
        assert self._segment is not None
        head = self.head
        content = []
        for body in self._bodies(group):
            line, head = lines.chained(body, head)
            content.append(line)
        written = b"".join(content)
        self._segment.append(written)
        self._counting.add(written)
        self._filled += len(written)
        self.size += len(written)
        self._number = group.number
        self.head = head

    def _bodies(self, group: lines.Group) -> list[bytes]:
        key = self._key
        if key is None:
            return group.bodies
        first = group.number - len(group.bodies) + 1
        return [lines.sealed(body, number, group.synced, key) for number, body in enumerate(group.bodies, first)]

    def _header(self, at: datetime) -> lines.Header:
        """The first line of the next segment, and the key of what follows it."""
        self._key = None
        if not self._directory.keys.current:
            return lines.Header(lines.FORMAT, self._number, at, self._forms, self.snapshot, previous=self._previous)
        name, salt, self._key = self._directory.keys.for_new_file()
        return lines.Header(lines.NEWEST_FORMAT, self._number, at, self._forms, self.snapshot, name, salt, self._previous)

    def turn_page(self, at: datetime) -> None:
        """
        Begin a new segment if there is something in this one and it is old or full, though nobody commits anything.

        @raise OSError: it cannot be written, or is not where a start would look for it; the next group begins a new one, or fails.
        """
        try:
            self._directory.refuse_moved()
        except OSError:
            self._let_go()
            raise
        if self._segment is not None and self._is_done(at):
            self.begin(at)

    def end(self, at: datetime) -> None:
        """
        Write no more. A last segment without commits states that everything before it was synced. So even damage at the very end is
        recognized, and not taken for a line that a crash cut short.

        @raise OSError: it cannot be written; the end then looks as after a crash.
        """
        if self._filled:
            self.begin(at)

    @property
    def has_commits(self) -> bool:
        """Whether anything has been written to this segment."""
        return self._segment is not None and self._filled > 0

    def _is_done(self, at: datetime) -> bool:
        return self._filled >= self._full or (self._filled > 0 and at - self._begun >= SEGMENT_AGE)

"""
The chain from end to end: every line of the journal that counts, in order, each checked against the one before.

What counts is what a start would believe (L{securehub.store.recovery}); but a start begins at the newest snapshot, and this at the oldest
line, the archive included. It only looks: a daemon may go on writing meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from securehub.store import lines
from securehub.store.files import Directory
from securehub.store.keys import NoKey
from securehub.store.layout import ARCHIVE, number_of, segment_paths, serial_of, snapshot_names
from securehub.store.lines import Damaged
from securehub.store.snapshot import Head, read_head, stored


class Broken(Exception):
    """
    Something is not as it was written.

    @ivar file: its name.
    @ivar line: counted from 1; 0 for the file as a whole.
    """

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(f"{file}, line {line}: {why}" if line else f"{file}: {why}")
        self.file = file
        self.line = line


class Link(NamedTuple):
    """
    One line that fits.

    @ivar file: the name of its segment, without a folder.
    @ivar line: its place in there, from 1.
    @ivar content: its bytes.
    @ivar header: that of the segment, which is what the first line says.
    @ivar number: of the commit; of the last one before, for a header.
    @ivar head: its hash.
    """

    file: str
    line: int
    content: bytes
    header: lines.Header
    number: int
    head: bytes


class _Segment(NamedTuple):
    file: str
    path: str
    header: lines.Header


class Journal:
    """
    The journal of a directory, as it is found now.

    @param until: the number of the last commit to look at, if a daemon goes on writing; None for all.

    @ivar number: of the last commit that was walked over.
    @ivar begins: the number of the commit before the oldest line; what was before has been removed.
    @ivar head: the hash of the last line.
    @ivar heads: all hashes that the next header may hang on: those of the last commit and of all headers since.
    @ivar segments: how many were walked over.
    @ivar notes: what is not a fault, but should be known.
    @ivar trusted: whether the lines can be checked from the first one on, because it is the beginning, or a snapshot says what came before.
    """

    def __init__(self, directory: Directory, until: int | None = None) -> None:
        self._directory = directory
        self._until = until
        self.number = self.begins = 0
        self.head = lines.FIRST_HASH
        self.segments = 0
        self.notes: list[str] = []
        self.trusted = True
        self.heads = {lines.FIRST_HASH}

    def walk(self) -> Iterator[Link]:
        """
        All lines that count.

        @raise Broken: one does not fit.
        @raise FileNotFoundError: a file has gone meanwhile.
        """
        segments = list(self._segments())
        counted: lines.Counting | None = None
        for segment, following in pairwise([*segments, None]):
            assert segment is not None
            self.segments += 1
            before, counted = counted, lines.Counting(serial_of(segment.file))
            for link in self._walk_segment(segment, following.header.after if following else None, first=self.segments == 1):
                if link.line == 1 and before is not None:
                    _compare(before, link)
                counted.add(link.content)
                yield link
        if not segments:
            self._take_snapshot()
        if self._until is not None and self.number < self._until:
            raise Broken(segments[-1].file if segments else "journal", 0, f"ends at commit {self.number}, but {self._until} was synced")

    def _segments(self) -> Iterator[_Segment]:
        """Those that were ever begun, in the order in which they were written."""
        for name, path in segment_paths(self._directory).items():
            try:
                begun = lines.begun(self._lines(name, path))
            except Damaged as damage:
                raise Broken(name, 1, str(damage)) from None
            if begun is None:
                self.notes.append(f"{name} was never begun")
                continue
            _, header = begun
            if header.format > lines.NEWEST_FORMAT:
                raise Broken(name, 1, f"it has format {header.format}; this SecureHub reads up to {lines.NEWEST_FORMAT}")
            if self._until is None or header.after <= self._until:
                yield _Segment(name, path, header)

    def _lines(self, name: str, path: str) -> Iterator[bytes]:
        """A segment's lines, even if the daemon has put it away meanwhile."""
        try:
            return self._directory.lines(path)
        except FileNotFoundError:
            return self._directory.lines(f"{ARCHIVE}/{name}")

    def _walk_segment(self, segment: _Segment, end: int | None, *, first: bool) -> Iterator[Link]:
        content = self._lines(segment.file, segment.path)
        line = next(content, b"")
        if first:
            self._find_beginning(segment, line)
        elif segment.header.after != self.number:
            raise Broken(segment.file, 1, f"it begins after commit {segment.header.after}, and the journal before it ends at {self.number}")
        self.head = self._head_of(segment, line)
        self.heads.add(self.head)
        yield Link(segment.file, 1, line, segment.header, self.number, self.head)
        for place, line in enumerate(content, 2):
            if self.number in (end, self._until):
                return
            try:
                head = lines.check(line, self.head)
            except Damaged as damage:
                self._cut(segment, place, damage, [line, *content], end)
                return
            try:
                number = lines.number_of(line)
            except Damaged as damage:
                raise Broken(segment.file, place, str(damage)) from None
            if number != self.number + 1:
                raise Broken(segment.file, place, f"it has number {number} where {self.number + 1} is expected")
            self.number, self.head, self.heads = number, head, {head}
            yield Link(segment.file, place, line, segment.header, number, head)
        if end is not None and self.number < end:
            raise Broken(segment.file, 0, f"it ends at commit {self.number}, but {end} was synced")

    def _take_snapshot(self) -> None:
        """What was imported has no journal before its first start."""
        for _, head in snapshot_heads(self._directory):
            if self._until is not None and head.number > self._until:
                break
            self.number, self.head = head.number, head.hash.encode()
            self.heads = {self.head}

    def _find_beginning(self, segment: _Segment, line: bytes) -> None:
        """If what came before the first segment has been removed, a snapshot says on what that hangs, or it is taken on trust."""
        self.number = self.begins = segment.header.after
        if not self.number and lines.below(line, self.heads):
            return
        genesis = self.heads
        self.heads = {head.hash.encode() for _, head in snapshot_heads(self._directory) if head.number == self.number}
        if not lines.below(line, self.heads):
            if not self.number:
                self.heads = genesis
                return
            if not any(number_of(name) >= self.number for name in snapshot_names(self._directory.names())):
                raise Broken(segment.file, 1, f"it begins after commit {self.number}, and neither journal nor snapshot has what was before")
            self.trusted = False
            self.notes.append(f"what was before commit {self.number} has been removed; the first line of {segment.file} is taken on trust")

    def _head_of(self, segment: _Segment, line: bytes) -> bytes:
        """The hash of a segment's first line, if that hangs on what came before."""
        # What has been removed may have had several lines on which a segment of that number can hang: headers that no commit followed.
        if lines.below(line, self.heads) is None and (self.trusted or self.number != self.begins):
            raise Broken(segment.file, 1, "it does not hang on the journal before it")
        return line[lines.HASH]

    def _cut(self, segment: _Segment, place: int, damage: Damaged, rest: Iterable[bytes], end: int | None) -> None:
        """Decide about a damaged line, as a start would."""
        synced = end if end is not None else max(*map(lines.stated, rest), self._until or 0)
        if synced > self.number:
            raise Broken(segment.file, place, f"{damage}; commit {self.number + 1} was synced, as up to {synced} were")
        self.notes.append(f"{segment.file} is cut at line {place} ({damage}); nothing from there on was ever acknowledged")


def _compare(before: lines.Counting, link: Link) -> None:
    """
    Compare a segment with what the first line of the next one states. It may state another segment, if there is one in between that the
    daemon did not know of when it began the next.

    @raise Broken: it states something else.
    """
    found, stated = before.extent, link.header.stated
    if stated and stated.serial == found.serial and stated != found:
        raise Broken(link.file, 1, f"it states other bytes of segment {found.serial} than are there, where each line is whole")


def snapshot_heads(directory: Directory) -> list[tuple[str, Head]]:
    """
    The names and heads of all snapshots whose heads can be read, the oldest first.
    """
    found = []
    for name in snapshot_names(directory.names()):
        try:
            found.append((name, read_head(next(stored(directory, name), b""))))
        except (Damaged, NoKey):
            continue
    return found

"""
The end of the journal: where commits become lines.

It runs in the worker. So what chaining costs is paid once for a group, and the reactor need not know about files or hashes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from securehub.store import line as lines
from securehub.store.files import Appender, Directory
from securehub.store.recovery import segment_name


class Writer:
    """
    Appends commits to the newest segment, each line hanging on the one before.

    @param serial: of the newest segment that is there.
    @param head: the hash of its last line.
    @param size: bytes of all segments that are there.

    @ivar head: the hash of the newest line that is synced.
    @ivar size: bytes of all segments, as far as they are synced.
    """

    def __init__(self, directory: Directory, serial: int, head: bytes, size: int = 0) -> None:
        self._directory = directory
        self._segment: Appender | None = None
        self.serial = serial
        self.head = head
        self.size = size

    def begin(self, after: int, at: datetime, forms: dict[str, int], snapshot: str | None = None) -> None:
        """
        Begin a new segment, and let go of the old one: what became of its tail is no longer of interest.

        @param after: the number of the last synced commit.
        @param snapshot: the digest of the snapshot from which the daemon started, if from one.

        @raise OSError: it cannot be written.
        """
        self.serial += 1
        content, head = lines.seal(lines.Header(lines.FORMAT, after, at, forms, snapshot), self.head)
        segment = self._directory.create(segment_name(after, self.serial), content)
        if self._segment is not None:
            self._segment.close()
        self._segment, self.head = segment, head
        self.size += len(content)

    def append(self, commits: Iterable[lines.Commit]) -> None:
        """
        Write a group and sync it.

        @raise OSError: it failed, and none of the group counts.
        """
        assert self._segment is not None
        head = self.head
        content = []
        for commit in commits:
            line, head = lines.seal(commit, head)
            content.append(line)
        group = b"".join(content)
        self._segment.append(group)
        self.head = head
        self.size += len(group)

"""
The end of the journal: where commits become lines.

It runs in the worker. So what chaining costs is paid once for a group, and the reactor need not know about files or hashes.
"""

from __future__ import annotations

from datetime import datetime

from securehub.store import line as lines
from securehub.store.files import Appender, Directory
from securehub.store.keys import FileKey, Keys
from securehub.store.recovery import segment_name


class Writer:
    """
    Appends commits to the newest segment, each line hanging on the one before.

    @param serial: of the newest segment that is there.
    @param head: the hash of its last line.
    @param size: bytes of all segments that are there.

    @ivar head: the hash of the newest line that is synced.
    @ivar number: of the newest commit that is synced.
    @ivar size: bytes of all segments, as far as they are synced.
    """

    def __init__(self, directory: Directory, serial: int, head: bytes, size: int = 0) -> None:
        self._directory = directory
        self._segment: Appender | None = None
        self._key: FileKey | None = None
        self.serial = serial
        self.head = head
        self.number = 0
        self.size = size
        self._forms: dict[str, int] = {}

    def begin(self, after: int, at: datetime, forms: dict[str, int], snapshot: str | None = None) -> None:
        """
        Begin a new segment, and let go of the old one: what became of its tail is no longer of interest.

        @param after: the number of the last synced commit.
        @param snapshot: the digest of the snapshot from which the daemon started, if from one.

        @raise OSError: it cannot be written. Nothing more is written to the old one either: the new one may be there after all.
        """
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        self.serial += 1
        self.number, self._forms = after, forms
        header, self._key = lines.Header(lines.FORMAT, after, at, forms, snapshot), None
        if self._directory.keys.current:
            name, salt, self._key = self._directory.keys.for_new_file()
            header = lines.Header(lines.NEWEST_FORMAT, after, at, forms, snapshot, name, salt)
        content, head = lines.seal(header, self.head)
        self._segment = self._directory.create(segment_name(after, self.serial), content)
        self.head = head
        self.size += len(content)

    def change_keys(self, keys: Keys, at: datetime) -> None:
        """
        Go on in a new segment, which is sealed under the first of these keys.

        @raise OSError: see L{begin}.
        """
        self._directory.keys = keys
        self.begin(self.number, at, self._forms)

    def append(self, commits: list[lines.Commit]) -> None:
        """
        Write a group and sync it.

        @raise OSError: it failed, and none of the group counts.
        """
        if self._segment is None:
            self.begin(self.number, commits[0].at, self._forms)
        assert self._segment is not None
        head = self.head
        content = []
        for commit in commits:
            line, head = lines.seal(commit, head, self._key)
            content.append(line)
        group = b"".join(content)
        self._segment.append(group)
        self.number, self.head = commits[-1].n, head
        self.size += len(group)

"""
The files of a store: how a name and a content get onto the disk so that they survive.

The journal store needs only a few recipes: make a file that grows, append to it, put a whole file in place of another, and put a file away.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from securehub.store.disk import Disk, File, RealDisk
from securehub.store.keys import PLAIN, Keys

TEMPORARY = ".new"
"""Ends the name of a file that is not whole yet."""

_PIECE = 1024 * 1024
GENTLE_BYTES = 8 * _PIECE
"""The most that is written before a sync, if others wait for the same disk: their syncs may have to wait for all of it."""


class Appender:
    """
    A file that grows at its end.

    @param size: what it has, all of it synced.
    """

    def __init__(self, file: File, size: int) -> None:
        self._file = file
        self._size = size

    def append(self, content: bytes) -> None:
        """
        Write at the end and sync; on return the content survives a power cut.

        @raise OSError: it failed. As far as the disk allows, nothing of the content is left in the file.
        """
        try:
            self._file.write(content)
            self._file.sync()
        except OSError:
            # What is undone in memory must not be there at the next start. A file can be made shorter even on a full disk.
            with suppress(OSError):
                self._file.truncate(self._size)
                self._file.sync()
            raise
        self._size += len(content)

    def close(self) -> None:
        self._file.close()


class Directory:
    """
    A directory of files, as the journal store uses it.

    @ivar keys: those under which journal and snapshots are sealed.
    """

    def __init__(self, disk: Disk, keys: Keys = PLAIN) -> None:
        self._disk = disk
        self.keys = keys

    def hold(self) -> None:
        """
        Keep all other daemons out, until this one ends, however it ends. Unfinished files of a killed one are removed.

        @raise InUse: another one is there.
        """
        self._disk.hold()
        for name in self._disk.names():
            if name.endswith(TEMPORARY):
                self._disk.remove(name)

    def release(self) -> None:
        self._disk.release()

    def refuse_moved(self) -> None:
        """
        @raise OSError: it is held, but another one is in its place now, or nothing.
        """
        self._disk.refuse_moved()

    def names(self, folder: str = "") -> list[str]:
        return self._disk.names(folder)

    def size(self, name: str) -> int:
        """In bytes."""
        return self._disk.size(name)

    def room(self) -> int:
        """How many bytes more the disk takes, as far as it can tell."""
        return self._disk.room()

    def lines(self, name: str) -> Iterator[bytes]:
        return self._disk.lines(name)

    def sync(self, name: str) -> None:
        """Sync a file that somebody else may have written; on a read-only file system there is nothing to sync."""
        try:
            file = self._disk.open(name)
        except OSError as fault:
            if fault.errno == errno.EROFS:
                return
            raise
        try:
            file.sync()
        finally:
            file.close()

    def create(self, name: str, content: bytes) -> Appender:
        """Make a new file; on return it is on the disk under its name."""
        file = self._disk.create(name)
        try:
            file.write(content)
            file.sync()
            self._disk.sync_names()
        except BaseException:
            file.close()
            with suppress(OSError):
                self._disk.remove(name)
            raise
        return Appender(file, len(content))

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Put a whole file under its name, or leave what was there: never half of it."""
        self.prepare(name, chunks)
        self.put_in_place(name)

    def prepare(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a whole file, under a name that nobody looks for; on return its content is on the disk."""
        temporary = name + TEMPORARY
        with suppress(FileNotFoundError):
            self._disk.remove(temporary)
        file = self._disk.create(temporary)
        try:
            try:
                unsynced = 0
                for piece in _pieces(chunks):
                    file.write(piece)
                    unsynced += len(piece)
                    if unsynced >= GENTLE_BYTES:
                        file.sync()
                        unsynced = 0
                file.sync()
            finally:
                file.close()
        except BaseException:
            with suppress(OSError):
                self._disk.remove(temporary)
            raise

    def put_in_place(self, name: str) -> None:
        """Give a file that was prepared its name; on return that is on the disk."""
        temporary = name + TEMPORARY
        try:
            self._disk.rename(temporary, name)
        except BaseException:
            with suppress(OSError):
                self._disk.remove(temporary)
            raise
        self._disk.sync_names()

    def rename(self, name: str, new_name: str) -> None:
        """Give a file another name; on return that is on the disk."""
        self._disk.rename(name, new_name)
        self._disk.sync_names()

    def put_away(self, names: Iterable[str], folder: str) -> None:
        """Move files into a folder. After a crash each is in one of the two places."""
        moved = False
        for name in names:
            self._disk.rename(name, f"{folder}/{name}")
            moved = True
        if moved:
            # The new place first: if the file system writes the two separately, one copy too many is better than none.
            self._disk.sync_names(folder)
            self._disk.sync_names()

    def remove(self, name: str) -> None:
        """Take a file away; it need not be there. After a crash it may be there again."""
        with suppress(FileNotFoundError):
            self._disk.remove(name)

    def sync_names(self, folder: str = "") -> None:
        """Wait until moves and removals there are on the disk."""
        self._disk.sync_names(folder)


class RealDirectory(Directory):
    """
    A directory of the file system.

    @ivar path: where it is.
    """

    def __init__(self, path: Path, keys: Keys = PLAIN) -> None:
        super().__init__(RealDisk(path), keys)
        self.path = path


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about a megabyte."""
    gathered: list[bytes] = []
    size = 0
    for chunk in chunks:
        gathered.append(chunk)
        size += len(chunk)
        if size >= _PIECE:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
    if gathered:
        yield b"".join(gathered)

"""
The files of a store: how a name and a content get onto the disk so that they survive.

Three recipes are all that the journal store needs: make a file that grows, append to it, and put a whole file in place of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from securehub.store.disk import Disk, File, RealDisk
from securehub.store.keys import PLAIN, Keys

TEMPORARY = ".new"
"""Ends the name of a file that is not whole yet."""

_PIECE = 1024 * 1024


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
            # What is undone in memory must not be there at the next start. Shorter, a file can be made on a full disk, too.
            with suppress(OSError):
                self._file.truncate(self._size)
                self._file.sync()
            raise
        self._size += len(content)

    def close(self) -> None:
        self._file.close()


class Directory:
    """
    A flat directory of files, as the journal store uses it.

    @ivar keys: those under which journal and snapshots are sealed.
    """

    def __init__(self, disk: Disk, keys: Keys = PLAIN) -> None:
        self._disk = disk
        self.keys = keys

    def hold(self) -> None:
        """
        Keep all other daemons out, until this one ends in whatever way. What a killed one had begun to write as a whole is taken away.

        @raise InUse: another one is there.
        """
        self._disk.hold()
        for name in self._disk.names():
            if name.endswith(TEMPORARY):
                self._disk.remove(name)

    def release(self) -> None:
        self._disk.release()

    def names(self, folder: str = "") -> list[str]:
        return self._disk.names(folder)

    def size(self, name: str) -> int:
        """In bytes."""
        return self._disk.size(name)

    def lines(self, name: str) -> Iterator[bytes]:
        return self._disk.lines(name)

    def sync(self, name: str) -> None:
        """Sync a file that somebody else may have written."""
        file = self._disk.open(name)
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
        temporary = name + TEMPORARY
        with suppress(FileNotFoundError):
            self._disk.remove(temporary)
        file = self._disk.create(temporary)
        try:
            try:
                for piece in _pieces(chunks):
                    file.write(piece)
                file.sync()
            finally:
                file.close()
            self._disk.rename(temporary, name)
        except BaseException:
            with suppress(OSError):
                self._disk.remove(temporary)
            raise
        self._disk.sync_names()

    def remove(self, name: str) -> None:
        """Take a file away; it need not be there."""
        with suppress(FileNotFoundError):
            self._disk.remove(name)


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

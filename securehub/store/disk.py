"""
The disk: all that the store asks of the operating system.

Each call is one call of the system, or nearly so, and each may fail. L{securehub.store.files}, on top of this, has the recipes for making
something that survives; tests have a disk that loses, tears and reorders what was not synced.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class InUse(Exception):
    """Another daemon works on this state directory."""


class File(Protocol):
    """An open file, written at its end."""

    def write(self, content: bytes) -> None:
        """
        @raise OSError: it failed; some of the content may be in the file.
        """

    def sync(self) -> None:
        """
        Wait until all that was written is on the disk; its name need not be.

        @raise OSError: it failed. Nobody can tell whether a later sync would help, so nothing may depend on one.
        """

    def truncate(self, size: int) -> None: ...
    def close(self) -> None: ...


class Disk(Protocol):
    """A directory of files, some of them put away in folders below it: C{folder/name}. All calls may raise OSError."""

    def names(self, folder: str = "") -> list[str]:
        """What is in the directory, or in a folder of it, which need not be there."""

    def size(self, name: str) -> int:
        """In bytes."""

    def room(self) -> int:
        """How many bytes more the disk takes, as far as it can tell."""

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file, each with the LF that ends it; the last one may lack it."""

    def create(self, name: str) -> File:
        """
        @raise FileExistsError: the name is taken.
        """

    def open(self, name: str) -> File:
        """
        @raise FileNotFoundError: there is no such file.
        """

    def rename(self, name: str, new_name: str) -> None:
        """
        Give a file another name, replacing the file that has it: at every moment, and after a crash, one of the two has that name. The
        folder of the new name is made if it is not there.
        """

    def remove(self, name: str) -> None:
        """
        @raise FileNotFoundError: there is no such file.
        """

    def sync_names(self, folder: str = "") -> None:
        """Wait until the names in the directory, or in a folder of it, are on the disk."""

    def hold(self) -> None:
        """
        Keep all other daemons out, until this one ends, however it ends.

        @raise InUse: another one is there.
        """

    def release(self) -> None: ...

    def refuse_moved(self) -> None:
        """
        @raise OSError: it is held, but another one is in its place now, or nothing.
        """


class RealFile:
    """A file of the file system."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        if sys.platform == "darwin":  # fsync there stops at the drive's cache (man 2 fsync)
            fcntl.fcntl(self._descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(self._descriptor)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        os.close(self._descriptor)


class RealDisk:
    """
    A directory of the file system, made (mode 0700) if it is not there. What is made in it is readable only by its owner.

    While it is held, nothing is made, renamed or removed in another directory that somebody has put in its place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held: int | None = None

    def names(self, folder: str = "") -> list[str]:
        try:
            return sorted(os.listdir(self._path / folder))
        except FileNotFoundError:
            return []

    def size(self, name: str) -> int:
        return os.stat(self._path / name).st_size

    def room(self) -> int:
        found = os.statvfs(self._path)
        return found.f_bavail * found.f_frsize

    def lines(self, name: str) -> Iterator[bytes]:
        return open(self._path / name, "rb", buffering=1024 * 1024)

    def create(self, name: str) -> RealFile:
        self.refuse_moved()
        return RealFile(os.open(self._path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600))

    def open(self, name: str) -> RealFile:
        return RealFile(os.open(self._path / name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))

    def rename(self, name: str, new_name: str) -> None:
        self.refuse_moved()
        folder = (self._path / new_name).parent
        if folder != self._path and not folder.exists():
            folder.mkdir(mode=0o700)
        os.rename(self._path / name, self._path / new_name)

    def remove(self, name: str) -> None:
        self.refuse_moved()
        os.unlink(self._path / name)

    def sync_names(self, folder: str = "") -> None:
        descriptor = os.open(self._path / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def hold(self) -> None:
        held = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            raise InUse(f"another SecureHub is running on the state directory {self._path}") from None
        self._held = held

    def release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def refuse_moved(self) -> None:
        if self._held is not None and not self._is_held(self._held):
            raise OSError(errno.ESTALE, "it was moved while it was in use, or its lock was removed", str(self._path))

    def _is_held(self, held: int) -> bool:
        try:
            return os.path.samestat(os.fstat(held), os.stat(self._path / "lock"))
        except (FileNotFoundError, NotADirectoryError):
            return False

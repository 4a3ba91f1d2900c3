"""
The state directory: the only place that touches the disk on behalf of the store.

The journal asks for little: make a file and sync it with its directory entry, append and sync, read lines, write a whole file atomically.
Tests have a directory of their own behind the same interface, which forgets what was not synced and fails when it is told to.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class InUse(Exception):
    """Another daemon works on this state directory."""


class Appender(Protocol):
    """A file that grows at its end."""

    def append(self, content: bytes) -> None:
        """
        Write at the end and sync; on return the content survives a power cut.

        @raise OSError: it failed. As far as the disk allows, nothing of the content is left in the file.
        """

    def close(self) -> None: ...


class Directory(Protocol):
    """A flat directory of files, as the journal store uses it."""

    def names(self) -> list[str]: ...
    def size(self, name: str) -> int: ...
    def lines(self, name: str) -> Iterator[bytes]: ...
    def sync(self, name: str) -> None: ...
    def create(self, name: str, content: bytes) -> Appender: ...
    def write(self, name: str, chunks: Iterable[bytes]) -> None: ...
    def remove(self, name: str) -> None: ...


def _sync_file(descriptor: int) -> None:
    if sys.platform == "darwin":  # fsync there stops at the drive's cache (man 2 fsync)
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


class RealAppender:
    """
    A file opened for appending.

    @param size: what it has, all of it synced.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size

    def append(self, content: bytes) -> None:
        try:
            _write_all(self._descriptor, content)
            _sync_file(self._descriptor)
        except OSError:
            # What is undone in memory must not be there at the next start. Shorter, a file can be made on a full disk, too.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
                _sync_file(self._descriptor)
            raise
        self._size += len(content)

    def close(self) -> None:
        os.close(self._descriptor)


class RealDirectory:
    """
    A directory of the file system, made (mode 0700) if it is not there, and held by one daemon at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held: int | None = None

    def hold(self) -> None:
        """
        Keep all other daemons out, until this one ends in whatever way. What a killed one had begun to write as a whole is taken away.

        @raise InUse: another one is there.
        """
        held = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            raise InUse(f"another SecureHub is running on the state directory {self.path}") from None
        self._held = held
        for leftover in self.path.glob("*.new"):
            leftover.unlink()

    def release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def names(self) -> list[str]:
        return sorted(os.listdir(self.path))

    def size(self, name: str) -> int:
        return (self.path / name).stat().st_size

    def lines(self, name: str) -> Iterator[bytes]:
        return open(self.path / name, "rb", buffering=1024 * 1024)

    def sync(self, name: str) -> None:
        """Sync a file that somebody else may have written."""
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CLOEXEC)
        try:
            _sync_file(descriptor)
        finally:
            os.close(descriptor)

    def create(self, name: str, content: bytes) -> RealAppender:
        """Make a new file; on return it is on the disk under its name."""
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, content)
            _sync_file(descriptor)
            self._sync_entries()
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                (self.path / name).unlink()
            raise
        return RealAppender(descriptor, len(content))

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Put a whole file under its name, or leave what was there: never half of it."""
        temporary = self.path / f"{name}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb", buffering=1024 * 1024) as file:
                file.writelines(chunks)
                file.flush()
                _sync_file(file.fileno())
            os.rename(temporary, self.path / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._sync_entries()

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def _sync_entries(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]

"""
A disk that does its worst.

What was not synced may survive a crash, or not, page by page and name by name: lost, torn in the middle, zeroed, or there although what
was written before it is not. Every call may fail, and the machine may stop in the middle of any. All of it comes from a seed.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator

from securehub.store.files import Directory
from securehub.store.keys import PLAIN, Keys

PAGE = 64
"""Bytes that the disk takes at a time. Real ones take 512 or 4,096; with fewer more goes wrong."""


class Crash(BaseException):
    """The machine stops. Nobody can catch this and go on."""


class Killed(BaseException):
    """A process is ended; the machine goes on."""


class _Inode:
    """
    What a name stands for.

    @ivar cache: what whoever reads it sees.
    @ivar stable: what surely survives.
    @ivar poisoned: pages that a failed sync has dropped; no later one writes them.
    """

    def __init__(self, content: bytes = b"") -> None:
        self.cache = bytearray(content)
        self.stable = bytes(content)
        self.poisoned: set[int] = set()


class SimulatedDisk:
    """
    See L{securehub.store.disk.Disk}.

    @param fault_rate: how many of the calls fail.
    @param crash_at: the call in the middle of which the machine stops.

    @ivar calls: how many there were.
    @ivar stopped: whether the machine has stopped; then nobody's call is carried out, not even one to tidy up.
    """

    syncs_files = True
    syncs_names = True

    def __init__(
        self, chance: random.Random, files: dict[str, bytes] | None = None, *, fault_rate: float = 0.0, crash_at: int | None = None
    ) -> None:
        self.chance = chance
        self.fault_rate = fault_rate
        self.crash_at = crash_at
        self.calls = 0
        self.stopped = False
        self._inodes = {name: _Inode(content) for name, content in (files or {}).items()}
        self._stable = dict(self._inodes)
        self._pending: list[tuple[str, str, _Inode | None]] = []

    def files(self) -> dict[str, bytes]:
        """What is to be seen now."""
        return {name: bytes(inode.cache) for name, inode in self._inodes.items()}

    def after_crash(self) -> dict[str, bytes]:
        """What is there when the machine comes back; another try may give another answer."""
        chance = self.chance
        names = dict(self._stable)
        in_order = chance.random() < 0.5
        applied = chance.randint(0, len(self._pending))
        for place, (name, old_name, inode) in enumerate(self._pending):
            if place >= applied if in_order else chance.random() < 0.5:
                continue
            if inode is None:
                names.pop(name, None)
            else:
                names[name] = inode
                if old_name and names.get(old_name) is inode:
                    del names[old_name]
        return {name: self._survives(inode) for name, inode in names.items()}

    def _survives(self, inode: _Inode) -> bytes:
        """What is left of a file: each page that was not synced goes its own way, and so does the size."""
        chance = self.chance
        cache, stable = bytes(inode.cache), inode.stable
        if cache == stable:
            return stable
        size = chance.choice([len(stable), len(cache), chance.randint(min(len(stable), len(cache)), max(len(stable), len(cache)))])
        content = b""
        for begin in range(0, size, PAGE):
            end = min(begin + PAGE, size)
            old, new = _page(stable, begin, end), _page(cache, begin, end)
            fate = chance.choice(["new", "new", "old", "torn", "zeros"])
            if old == new or fate == "new":
                content += new
            elif fate == "torn":
                cut = chance.randint(0, end - begin)
                content += new[:cut] + old[cut:]
            elif fate == "zeros" and begin >= len(stable):
                content += bytes(end - begin)
            else:
                content += old
        return content

    def call(self, *, writes: bool = True) -> bool:
        """
        A call of the system is about to be carried out.

        @param writes: whether it may fail; reads are left alone.

        @return: whether the machine stops in the middle of it.

        @raise OSError: it fails.
        """
        if self.stopped:
            raise Crash
        self.calls += 1
        if self.calls == self.crash_at:
            self.stopped = True
            return True
        if writes and self.chance.random() < self.fault_rate:
            code = self.chance.choice([errno.EIO, errno.ENOSPC])
            raise OSError(code, os.strerror(code))
        return False

    def _change(self, name: str, old_name: str, inode: _Inode | None) -> None:
        """Carry out, or in a crash perhaps not, a change of names."""
        crashes = self.call()
        if not crashes or self.chance.random() < 0.5:
            if inode is None:
                del self._inodes[name]
            else:
                self._inodes[name] = inode
                if old_name:
                    del self._inodes[old_name]
            self._pending.append((name, old_name, inode))
        if crashes:
            raise Crash

    def names(self, folder: str = "") -> list[str]:
        split = (name.rpartition("/") for name in self._inodes)
        return sorted(name for parent, _, name in split if parent == folder)

    def size(self, name: str) -> int:
        return len(self._inodes[name].cache)

    def room(self) -> int:
        return 1 << 40

    def lines(self, name: str) -> Iterator[bytes]:
        return iter(bytes(self._inodes[name].cache).splitlines(keepends=True)) if name in self._inodes else _missing(name)

    def create(self, name: str) -> SimulatedFile:
        if name in self._inodes:
            raise FileExistsError(name)
        inode = _Inode()
        self._change(name, "", inode)
        return SimulatedFile(self, name, inode)

    def open(self, name: str) -> SimulatedFile:
        if name not in self._inodes:
            raise FileNotFoundError(name)
        return SimulatedFile(self, name, self._inodes[name])

    def rename(self, name: str, new_name: str) -> None:
        self._change(new_name, name, self._inodes[name])

    def remove(self, name: str) -> None:
        if name not in self._inodes:
            raise FileNotFoundError(name)
        self._change(name, "", None)

    def sync_names(self, folder: str = "") -> None:
        """As where a journal keeps names: those of all folders at once."""
        crashes = self.call()
        if self.syncs_names and (not crashes or self.chance.random() < 0.5):
            self._stable = dict(self._inodes)
            self._pending.clear()
        if crashes:
            raise Crash

    def hold(self) -> None:
        """There is one daemon at a time here."""

    def release(self) -> None:
        """There is one daemon at a time here."""

    def refuse_moved(self) -> None:
        """Nobody moves it."""

    def may_sync(self, name: str) -> bool:
        """Whether a sync of that file does what it should; a disk that lies is for testing the tests."""
        return self.syncs_files


class SimulatedFile:
    """See L{securehub.store.disk.File}."""

    def __init__(self, disk: SimulatedDisk, name: str, inode: _Inode) -> None:
        self._disk = disk
        self._name = name
        self._inode = inode

    def write(self, content: bytes) -> None:
        disk, inode = self._disk, self._inode
        try:
            crashes = disk.call()
        except OSError:
            self._add(content[: disk.chance.randint(0, len(content))])
            raise
        self._add(content[: disk.chance.randint(0, len(content))] if crashes else content)
        if crashes:
            raise Crash
        assert inode.cache.endswith(content)

    def _add(self, content: bytes) -> None:
        begin = len(self._inode.cache)
        self._inode.cache += content
        self._inode.poisoned.difference_update(range(begin // PAGE, len(self._inode.cache) // PAGE + 1))

    def sync(self) -> None:
        disk, inode = self._disk, self._inode
        try:
            crashes = disk.call()
        except OSError:
            # The system takes the pages for clean from now on, be they on the disk or not.
            pages = range(len(inode.stable) // PAGE, len(inode.cache) // PAGE + 1)
            inode.poisoned.update(page for page in pages if disk.chance.random() < 0.5)
            raise
        if crashes:
            inode.stable = disk._survives(inode)
            raise Crash
        if disk.may_sync(self._name):
            inode.stable = b"".join(
                _page(inode.stable if begin // PAGE in inode.poisoned else inode.cache, begin, min(begin + PAGE, len(inode.cache)))
                for begin in range(0, len(inode.cache), PAGE)
            )

    def truncate(self, size: int) -> None:
        crashes = self._disk.call()
        if not crashes or self._disk.chance.random() < 0.5:
            del self._inode.cache[size:]
        if crashes:
            raise Crash

    def close(self) -> None:
        """Closing writes nothing."""


class SimulatedDirectory(Directory):
    """
    The directory of a store on a simulated disk.

    @ivar disk: the disk.
    """

    def __init__(self, disk: SimulatedDisk, keys: Keys = PLAIN) -> None:
        super().__init__(disk, keys)
        self.disk = disk


def _page(content: bytes | bytearray, begin: int, end: int) -> bytes:
    """A part of a file, with zeros where it does not reach."""
    return bytes(content[begin:end]).ljust(end - begin, b"\0")


def _missing(name: str) -> Iterator[bytes]:
    raise FileNotFoundError(name)

"""
A disk in memory, and a worker without a thread.

The disk forgets what was not synced and fails when it is told to; the worker does the next job when it is told to. So a test says to the
byte and to the step what went wrong, and nothing takes time.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable, Iterator

from twisted.internet.interfaces import IReactorTime

from securehub.store.files import TEMPORARY
from securehub.store.keys import PLAIN, Keys
from securehub.store.worker import Done, Job

ALL = frozenset({"append", "create", "rename", "sync", "write"})


class MemoryDirectory:
    """
    The directory of a store (see L{securehub.store.files.Directory}).

    @ivar files: what is to be seen under each name now, be it synced or not. A test may change it to damage a file; L{settle} puts that
        on the disk.
    @ivar space: how many bytes more it says that it takes.
    @ivar moved: whether it is not where it was.
    @ivar done: what was done, as pairs of operation and name, failures included.
    """

    def __init__(self, files: dict[str, bytes] | None = None, keys: Keys = PLAIN) -> None:
        self.keys = keys
        self.files: dict[str, bytes] = dict(files or {})
        self._stable: dict[str, bytes] = dict(self.files)
        self.done: list[tuple[str, str]] = []
        self._fault: OSError | None = None
        self._faulty: frozenset[str] = ALL
        self._times: int | None = None
        self._kept = 0
        self.space = 1 << 40
        self.moved = False

    def fail(self, fault: OSError, *, times: int | None = 1, on: Iterable[str] = ALL, kept: int | None = 0) -> None:
        """
        Let operations fail.

        @param times: the next so many; None for every one until L{heal}.
        @param on: which kinds of operation.
        @param kept: how many bytes of what was to be written survive a crash all the same; None for all of them.
        """
        self._fault, self._times, self._faulty = fault, times, frozenset(on)
        self._kept = 1 << 62 if kept is None else kept

    def heal(self) -> None:
        """Fail no more."""
        self._fault = None

    def crashed(self) -> MemoryDirectory:
        """What is there after a power cut at this moment: what was synced, and of failed writes what is said to survive."""
        return MemoryDirectory(self._stable, self.keys)

    def settle(self) -> None:
        """Make what is to be seen now survive."""
        self._stable = dict(self.files)

    def names(self, folder: str = "") -> list[str]:
        split = (name.rpartition("/") for name in self.files)
        return sorted(name for parent, _, name in split if parent == folder)

    def size(self, name: str) -> int:
        return len(self.files[name])

    def room(self) -> int:
        return self.space

    def lines(self, name: str) -> Iterator[bytes]:
        if name not in self.files:
            raise FileNotFoundError(name)
        return _lines(self.files[name])

    def refuse_moved(self) -> None:
        if self.moved:
            raise OSError(errno.ESTALE, "it was moved")

    def create(self, name: str, content: bytes) -> MemoryAppender:
        self.refuse_moved()
        if name in self.files:
            raise FileExistsError(name)
        self.files[name] = b""
        self.sync_names()
        self.grow("create", name, content)
        return MemoryAppender(self, name)

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        self.prepare(name, chunks)
        self.put_in_place(name)

    def prepare(self, name: str, chunks: Iterable[bytes]) -> None:
        content = b"".join(chunks)
        self._meet_fault("write", name)
        self.files[name + TEMPORARY] = self._stable[name + TEMPORARY] = content

    def put_in_place(self, name: str) -> None:
        self.rename(name + TEMPORARY, name)

    def rename(self, name: str, new_name: str) -> None:
        self._meet_fault("rename", name)
        for files in (self.files, self._stable):
            files[new_name] = files.pop(name)
        self.sync_names()

    def put_away(self, names: Iterable[str], folder: str) -> None:
        for name in names:
            self.rename(name, f"{folder}/{name}")

    def sync(self, name: str) -> None:
        """Make what is to be seen of a file survive."""
        self._meet_fault("sync", name)
        self._stable[name] = self.files[name]

    def remove(self, name: str) -> None:
        """As on a real disk, the name may come back after a crash, until a file is made or written."""
        self.files.pop(name, None)

    def sync_names(self, folder: str = "") -> None:
        self._stable = {each: self._stable.get(each, b"") for each in self.files}

    def grow(self, operation: str, name: str, content: bytes) -> None:
        """Add to a file, and sync it unless that is to fail."""
        self.files[name] += content
        try:
            self._meet_fault(operation, name)
        except OSError:
            self._stable[name] += content[: self._kept]
            raise
        self._stable[name] += content

    def _meet_fault(self, operation: str, name: str) -> None:
        self.done.append((operation, name))
        if self._fault is None or operation not in self._faulty:
            return
        fault = self._fault
        if self._times is not None:
            self._times -= 1
            if not self._times:
                self.heal()
        raise fault


class MemoryAppender:
    """
    A file of a L{MemoryDirectory} that grows.

    @ivar closed: whether it was closed.
    """

    def __init__(self, directory: MemoryDirectory, name: str) -> None:
        self._directory = directory
        self.name = name
        self.closed = False

    def append(self, content: bytes) -> None:
        assert not self.closed, f"{self.name} is closed"
        self._directory.grow("append", self.name, content)

    def close(self) -> None:
        self.closed = True


def _lines(content: bytes) -> Iterator[bytes]:
    """Lines as a file gives them: ended by LF alone, whatever else a damaged one holds."""
    begin = 0
    while begin < len(content):
        end = content.find(b"\n", begin) + 1 or len(content)
        yield content[begin:end]
        begin = end


class StepWorker:
    """
    A worker (see L{securehub.store.worker.Worker}) without a thread.

    @param automatic: a reactor, such as L{task.Clock}, in whose next turn each job is done; without it jobs wait for L{step}.

    @ivar jobs: what waits.
    @ivar stopped: whether it was told to stop.
    """

    def __init__(self, automatic: IReactorTime | None = None) -> None:
        self._reactor = automatic
        self.jobs: deque[tuple[Job, Done]] = deque()
        self.stopped = False

    def run(self, job: Job, done: Done) -> None:
        assert not self.stopped, "the worker has stopped"
        self.jobs.append((job, done))
        if self._reactor is not None:
            self._reactor.callLater(0, self.step)

    def stop(self) -> None:
        self.stopped = True

    def step(self) -> None:
        """Do the job that has waited longest, and tell what became of it."""
        job, done = self.jobs.popleft()
        try:
            result, fault = job(), None
        except Exception as error:
            result, fault = None, error
        done(result, fault)

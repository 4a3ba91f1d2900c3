"""
A child process that folds, in a test: it takes its turns with the daemon, one call of the disk at a time, and may be killed at any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Semaphore, Thread
from typing import Any

from twisted.internet.defer import Deferred, succeed

from securehub.store.disk import Disk, File
from securehub.store.files import Directory
from securehub.store.fold import Folded, Order, fold
from securehub.store.keys import PLAIN, Keys
from tests.store.simulated import Crash, Killed


class _Turns:
    """
    Something that runs in a thread of its own, but never at the same time as its owner.

    @ivar over: whether it has ended.
    @ivar result: what came of it then, or what it raised.
    """

    def __init__(self, job: Callable[[], Any]) -> None:
        self._job = job
        self._theirs = Semaphore(0)
        self._ours = Semaphore(0)
        self._killed = False
        self.over = False
        self.result: Any = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._theirs.acquire()
        try:
            self.result = Killed() if self._killed else self._job()
        except BaseException as fault:
            self.result = fault
        self.over = True
        self._ours.release()

    def wait(self) -> None:
        """In the thread: let the owner go on until it gives the next turn."""
        if not self._killed:
            self._ours.release()
            self._theirs.acquire()
        if self._killed:
            raise Killed

    def step(self) -> None:
        """Give it a turn."""
        self._theirs.release()
        self._ours.acquire()
        if self.over:
            self._thread.join()

    def kill(self) -> None:
        """Let it do nothing more."""
        if not self.over:
            self._killed = True
            self.step()


class _Waiting:
    """A disk, or a file of it, that waits for a turn before every call."""

    def __init__(self, beneath: Disk | File, wait: Callable[[], None]) -> None:
        self._beneath = beneath
        self._wait = wait

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._beneath, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._wait()
            found = method(*args, **kwargs)
            return _Waiting(found, self._wait) if name in ("create", "open") else found

        return call

    def lines(self, name: str) -> Iterator[bytes]:
        self._wait()
        beneath: Any = self._beneath
        return iter(beneath.lines(name))


class FoldingBeside:
    """
    Folds on the same disk; see L{securehub.store.upkeep.Folding}.

    @param keys: gives those that are needed to read and write what is sealed.

    @ivar finished: how many snapshots it has prepared.
    """

    def __init__(self, disk: Disk, keys: Callable[[], Keys] = lambda: PLAIN) -> None:
        self._disk = disk
        self._keys = keys
        self._turns: _Turns | None = None
        self._deferred: Deferred[Any] = Deferred()
        self.finished = 0

    def fold(self, order: Order) -> Deferred[Folded | None]:
        disk: Any = _Waiting(self._disk, lambda: turns.wait())
        turns = self._turns = _Turns(lambda: fold(Directory(disk, self._keys()), order))
        self._deferred = Deferred()
        return self._deferred

    def step(self) -> None:
        """
        Let it make the next call.

        @raise Crash: the machine stopped in the middle of that.
        """
        if self._turns is not None:
            self._turns.step()
            if self._turns.over:
                self._finish()

    def kill(self) -> None:
        """End it, without its having a say."""
        if self._turns is not None:
            self._turns.kill()
            self._finish()

    def stop(self) -> Deferred[None]:
        self.kill()
        return succeed(None)

    def _finish(self) -> None:
        turns, self._turns = self._turns, None
        assert turns is not None
        if isinstance(turns.result, Crash):
            raise turns.result
        if isinstance(turns.result, Killed):
            turns.result = OSError("the child was killed")
        if isinstance(turns.result, BaseException):
            self._deferred.errback(turns.result)
        else:
            self.finished += turns.result is not None
            self._deferred.callback(turns.result)

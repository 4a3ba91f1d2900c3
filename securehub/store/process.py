"""
Processes beside the daemon, as it sees them: how one is begun, what it says, how it ends.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol

if TYPE_CHECKING:
    from twisted.python.failure import Failure

NICENESS = 10

_MOST = 64 * 1024
"""How many bytes of a process's output and of its complaints are kept."""


class Ended(NamedTuple):
    """
    How a process has ended.

    @ivar status: its exit status; None if a signal has ended it.
    @ivar output: what it said.
    @ivar complaint: the last line of its complaints.
    @ivar how: in words.
    """

    status: int | None
    output: bytes
    complaint: str
    how: str


class Process(ProcessProtocol):
    """
    A process of ours that runs, or has ended.

    @ivar ended: fires with L{Ended}.
    """

    def __init__(self) -> None:
        self.ended: Deferred[Ended] = Deferred()
        self._killed: Deferred[None] = Deferred()
        self._over = False
        self._output = self._complaints = b""

    def outReceived(self, data: bytes) -> None:
        self._output = (self._output + data)[-_MOST:]

    def errReceived(self, data: bytes) -> None:
        self._complaints = (self._complaints + data)[-_MOST:]

    def processEnded(self, reason: Failure) -> None:
        self._over = True
        complaint = self._complaints.decode(errors="replace").strip().rpartition("\n")[2]
        self.ended.callback(Ended(getattr(reason.value, "exitCode", None), self._output, complaint, reason.getErrorMessage()))
        self._killed.callback(None)

    def kill(self) -> Deferred[None]:
        """
        End it at once.

        @return: fires when nothing of it runs any more.
        """
        if not self._over:
            assert self.transport is not None
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess("KILL")
        return self._killed


def begin(reactor: Any, module: str, *arguments: str) -> Process:
    """
    Run a module of ours in a process of its own.

    @raise OSError: no process can be begun.
    """
    process = Process()
    command = [sys.executable, "-P", "-m", module, *arguments]
    # With the daemon's environment, in which the key may be, and its import path. In the daemon's directory: then Twisted need not fork,
    # which would copy the tables of all its memory.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    reactor.spawnProcess(process, sys.executable, command, env=environment)
    return process


def give_way() -> None:
    """In such a process: give way to those who wait for the daemon."""
    with suppress(OSError):  # A service manager may forbid it.
        os.nice(NICENESS)

"""
What is done beside the daemon: tools of the store, each in a process of its own, with a lower priority.

Copying and checking all that was ever written takes minutes of somebody's processor; the daemon's is not the one. The processes are the
C{securehub store} command, as an operator could give it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol

from securehub import config
from securehub.store import backup, drill, keys
from securehub.store.chain import Broken

if TYPE_CHECKING:
    from twisted.python.failure import Failure

_MOST = 64 * 1024
"""Bytes of what a tool says that are kept."""


class Last(msgspec.Struct, frozen=True):
    """
    What the directory of backups tells.

    @ivar backup: the newest one; None if there is none.
    @ivar drill: what came of the last drill; None if there was none.
    """

    backup: backup.Backup | None
    drill: drill.Drill | None


class Beside(Protocol):
    """Whoever does it."""

    def run(self, tool: str, *arguments: str) -> Deferred[dict[str, Any]]:
        """Run a tool; fires with what it says, which always has a C{status}."""

    def last(self) -> Last: ...

    def keys(self) -> keys.Keys:
        """
        The keys as they are now where the setting says.

        @raise NoKey: there is none.
        """

    def stop(self) -> None:
        """End what runs."""


class Processes:
    """Runs each tool in a process."""

    def __init__(self, reactor: Any, settings: Mapping[str, Any]) -> None:
        self._reactor = reactor
        self._settings = settings
        self._backups = config.backups(settings)
        self._running: set[_Tool] = set()

    def run(self, tool: str, *arguments: str) -> Deferred[dict[str, Any]]:
        """See L{Beside.run}."""
        state, key = str(self._settings["state"]), self._settings["seal_key"]
        command = [sys.executable, "-P", "-m", "securehub.commandline", "store", tool, "--json", "--gently", "--state", state, "--key", key]
        if tool in ("backup", "drill", "keys"):
            command += ["--backups", str(self._backups)]
        process = _Tool()
        # With the daemon's environment, in which the key may be, and what it has imported from. In its own directory: then Twisted need
        # not fork, which would copy the tables of all its memory.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self._reactor.spawnProcess(process, sys.executable, [*command, *arguments], env=environment)
        except OSError as fault:
            return succeed({"refused": f"no process can be begun: {fault.strerror}", "status": 2})
        self._running.add(process)

        def ended(said: dict[str, Any]) -> dict[str, Any]:
            self._running.discard(process)
            return said

        return process.ended.addCallback(ended)

    def last(self) -> Last:
        """See L{Beside.last}."""
        newest = None
        # A disk for backups that is away or damaged does not keep a hub from starting.
        with suppress(Broken, OSError):
            found = backup.backups(self._backups)
            newest = backup.read_list(found[-1]) if found else None
        return Last(newest, drill.last(self._backups))

    def keys(self) -> keys.Keys:
        """See L{Beside.keys}."""
        return keys.find(self._settings["seal_key"], beside=self._settings["state"])

    def stop(self) -> None:
        """See L{Beside.stop}."""
        for process in self._running:
            process.kill()


class _Tool(ProcessProtocol):
    """
    A process and what it says.

    @ivar ended: fires with what it said in the end.
    """

    def __init__(self) -> None:
        self.ended: Deferred[dict[str, Any]] = Deferred()
        self._output = self._complaints = b""

    def outReceived(self, data: bytes) -> None:
        self._output = (self._output + data)[-_MOST:]

    def errReceived(self, data: bytes) -> None:
        self._complaints = (self._complaints + data)[-_MOST:]

    def processEnded(self, reason: Failure) -> None:
        try:
            said: dict[str, Any] = msgspec.json.decode(self._output, type=dict[str, Any])
        except msgspec.MsgspecError:
            complaint = self._complaints.decode(errors="replace").strip().rpartition("\n")[2]
            said = {"refused": complaint or f"the tool ended without a word ({reason.getErrorMessage()})", "status": 2}
        self.ended.callback(said)

    def kill(self) -> None:
        assert self.transport is not None
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

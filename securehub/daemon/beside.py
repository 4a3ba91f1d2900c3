"""
What is done beside the daemon: tools of the store, each in a process of its own, with a lower priority.

Copying and checking everything that was ever written takes minutes, which must not be the daemon's. The processes are the C{securehub
store} command, as an operator could give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred, succeed

from securehub import config
from securehub.program import CANNOT
from securehub.store import backup, drill, keys
from securehub.store.chain import Broken
from securehub.store.process import Ended, Process, begin


class Last(msgspec.Struct, frozen=True):
    """
    What the directory of backups says.

    @ivar backup: the newest one; None if there is none.
    @ivar drill: what came of the last drill; None if there was none.
    """

    backup: backup.Backup | None
    drill: drill.Drill | None


class Beside(Protocol):
    """What runs the tools."""

    def run(self, tool: str, *arguments: str) -> Deferred[dict[str, Any]]:
        """Run a tool; fires with what it says, which always has a C{status}."""

    def last(self) -> Last: ...

    def keys(self) -> keys.Keys:
        """
        The keys that are now in the place that the setting names.

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
        self._running: set[Process] = set()

    def run(self, tool: str, *arguments: str) -> Deferred[dict[str, Any]]:
        """See L{Beside.run}."""
        state, key = str(self._settings["state"]), self._settings["seal_key"]
        options = ["--json", "--gently", "--state", state, "--key", key]
        if tool in ("backup", "drill", "keys"):
            options += ["--backups", str(self._backups)]
        try:
            process = begin(self._reactor, "securehub.commandline", "store", tool, *options, *arguments)
        except OSError as fault:
            return succeed({"refused": f"no process can be begun: {fault.strerror}", "status": CANNOT})
        self._running.add(process)

        def told(ended: Ended) -> dict[str, Any]:
            self._running.discard(process)
            return _said(ended)

        return process.ended.addCallback(told)

    def last(self) -> Last:
        """See L{Beside.last}."""
        newest = None
        # A missing or damaged disk for backups does not keep a hub from starting.
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


def _said(ended: Ended) -> dict[str, Any]:
    try:
        said: dict[str, Any] = msgspec.json.decode(ended.output, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {"refused": ended.complaint or f"the tool ended without a word ({ended.how})", "status": CANNOT}
    return said

"""
Whoever does what is done beside the daemon, without a process: it says what a test lets it say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed

from securehub.daemon.beside import Last
from securehub.store.backup import Backup
from securehub.store.drill import Drill
from securehub.store.keys import PLAIN, Keys
from securehub.store.rotation import Use


class MemoryBeside:
    """
    See L{securehub.daemon.beside.Beside}.

    @ivar asked: which tools were asked for, with their arguments.
    @ivar says: what a tool says in place of that it did well.
    @ivar waits: whether tools take their time, until L{finish}.
    @ivar found_keys: what C{keys} finds.
    @ivar stopped: whether it was told to end what runs.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._backup: Backup | None = None
        self._drill: Drill | None = None
        self._waiting: list[tuple[Deferred[dict[str, Any]], dict[str, Any]]] = []
        self.asked: list[tuple[str, ...]] = []
        self.says: dict[str, dict[str, Any]] = {}
        self.waits = False
        self.found_keys: Keys | Exception = PLAIN
        self.stopped = False

    def run(self, tool: str, *arguments: str) -> Deferred[dict[str, Any]]:
        self.asked.append((tool, *arguments))
        # By way of JSON, as from a process.
        said = msgspec.json.decode(
            msgspec.json.encode(self.says.get(tool) or getattr(self, f"_{tool}_well")(*arguments)), type=dict[str, Any]
        )
        if not self.waits:
            return succeed(said)
        waiting: Deferred[dict[str, Any]] = Deferred()
        self._waiting.append((waiting, said))
        return waiting

    def finish(self) -> None:
        """Let the tool that has run longest end."""
        waiting, said = self._waiting.pop(0)
        waiting.callback(said)

    def last(self) -> Last:
        return Last(self._backup, self._drill)

    def keys(self) -> Keys:
        if isinstance(self.found_keys, Exception):
            raise self.found_keys
        return self.found_keys

    def stop(self) -> None:
        self.stopped = True

    def _backup_well(self, *arguments: str) -> dict[str, Any]:
        commits = int(arguments[arguments.index("--until") + 1])
        self._backup = Backup(1, "0", self._now(), commits, "3f6d", {})
        path = f"/backups/backup-{self._now():%Y%m%dT%H%M%SZ}-{commits}"
        return {"backup": path, "at": self._now(), "commits": commits, "head": "3f6d", "bytes": 4711, "status": 0}

    def _drill_well(self) -> dict[str, Any]:
        if self._backup is None:
            self._drill = Drill(self._now(), "", False, "there is no backup", 0, 0.1)
        else:
            self._drill = Drill(self._now(), "backup", True, "", self._backup.number, 0.1)
        return {**msgspec.structs.asdict(self._drill), "status": 0}

    def _verify_well(self, *arguments: str) -> dict[str, Any]:
        return {"commits": int(arguments[1]), "head": "3f6d", "status": 0}

    def _keys_well(self, *arguments: str) -> dict[str, Any]:
        return {"keys": [msgspec.structs.asdict(Use("", True, True, journal=1))], "status": 0}

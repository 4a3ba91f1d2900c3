"""
Safekeeping: backups, drills and verification while the hub runs, on demand and by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from twisted.logger import Logger

from securehub.clock import Clock
from securehub.daemon.beside import Beside
from securehub.refusals import Conflict, Unavailable
from securehub.store.journal import JournalStore
from securehub.store.keys import Keys, NoKey, name_of

_log = Logger()


class Checked(msgspec.Struct, frozen=True):
    """
    What was checked, and what came of it.

    @ivar commits: up to which commit.
    @ivar why: what is wrong, if anything is.
    @ivar notes: what is not a fault, but should be known.
    """

    at: datetime
    passed: bool
    commits: int
    why: str
    notes: tuple[str, ...] = ()


class Safekeeping:
    """
    Makes and checks backups, and verifies the store.

    @ivar backup_at: when the newest backup was made; None if there is none.
    @ivar no_backup: why the last one could not be made; empty if it could.
    @ivar not_removed: which old backup could not be removed when the last one was made, and why; empty if all could.
    @ivar drill: what came of the last drill; None if there was none.
    @ivar verified: what came of the last verification since the start.
    """

    look_seconds = 600.0
    """How often to look whether a backup is due."""

    def __init__(self, store: JournalStore, clock: Clock, settings: Mapping[str, Any], beside: Beside | None) -> None:
        self._store = store
        self._clock = clock
        self._beside = beside
        self._hours = timedelta(hours=settings["backup_hours"])
        self._kept = settings["backups_kept"]
        self._settings = settings
        self._busy: str | None = None
        self._started = clock.passing()
        self.backup_at: datetime | None = None
        self.no_backup = ""
        self.not_removed = ""
        self.drill: Checked | None = None
        self.verified: Checked | None = None
        if beside is not None:
            last = beside.last()
            if last.backup is not None:
                self.backup_at = last.backup.at
            if last.drill is not None:
                self.drill = Checked(last.drill.at, last.drill.passed, last.drill.number, last.drill.why)

    @property
    def overdue(self) -> bool:
        """Whether two backups should have been made by now, and none was; after a start, the hub has its first two looks to make one."""
        seconds = self._clock.passing() - self._started
        return bool(self._hours) and seconds >= 2 * self.look_seconds and self._has_none_since(2 * self._hours)

    def books_balance(self) -> bool | None:
        """What the last drill or verification said of the books; None if there was none, or it did not get that far."""
        looks = [look for look in (self.drill, self.verified) if look is not None]
        newest = max(looks, key=lambda look: look.at, default=None)
        if newest is not None and newest.passed:
            return True
        return False if newest is not None and "do not balance" in newest.why else None

    async def back_up(self) -> dict[str, Any]:
        """
        Make a backup of all that is on the disk at this moment, and remove the oldest one.

        @raise Conflict: something else runs, or what is to be backed up is damaged.
        @raise Unavailable: it cannot be written.
        """
        said = await self._run("backup", "--until", str(self._store.synced), "--kept", str(self._kept))
        self.no_backup = "" if not said["status"] else str(said.get("bad") or said.get("refused"))
        if said["status"]:
            raise _refusal("no backup was made", said)
        self.backup_at = msgspec.convert(said["at"], datetime)
        _log.info("Backup {path} was made, up to commit {commits}.", path=said["backup"], commits=said["commits"])
        self.not_removed = said.get("not_removed", "")
        if self.not_removed:
            _log.error("An old backup could not be removed: {fault}.", fault=self.not_removed)
        return said

    async def drill_newest(self) -> Checked:
        """
        Open the newest backup, and note what came of it.

        @raise Conflict: something else runs.
        @raise Unavailable: it could not be done.
        """
        said = await self._run("drill")
        if "passed" not in said:
            raise _refusal("there was no drill", said)
        self.drill = drill = Checked(msgspec.convert(said["at"], datetime), said["passed"], said["number"], said["why"])
        if drill.passed:
            _log.info("A drill has opened the newest backup, up to commit {commits}: it is whole.", commits=drill.commits)
        else:
            _log.error("A drill has failed: {why}.", why=drill.why)
        return drill

    async def verify(self) -> Checked:
        """
        Check all that is on the disk at this moment.

        @raise Conflict: something else runs.
        @raise Unavailable: it could not be done.
        """
        until = self._store.synced
        said = await self._run("verify", "--until", str(until))
        if said["status"] and "bad" not in said:
            raise _refusal("nothing was verified", said)
        self.verified = Checked(self._clock.wall(), not said["status"], until, said.get("bad", ""), tuple(said.get("notes", ())))
        if said["status"]:
            _log.error("What is kept is damaged: {why}.", why=self.verified.why)
        return self.verified

    def prepare_key(self) -> Callable[[], Awaitable[str]]:
        """
        Look for a new key in the place that the setting names.

        @return: seals what comes from then on under it, and returns its name; raises Unavailable if the disk takes no new segment.

        @raise Conflict: there is none, or it is not a new one.
        """
        try:
            found = self._asked().keys()
        except NoKey as lack:
            raise Conflict(str(lack)) from None
        if not found.current:
            raise Conflict("the setting seal_key names no key; sealing begins and ends with a restart")
        if found.current == self._store.keys.current:
            raise Conflict(f"the key {name_of(found.current)} is the one that is used; put a new one in front of it")
        if self._store.keys.current not in found.older:
            raise Conflict(f"behind the new key, keep {name_of(self._store.keys.current)}, which opens what is there")
        return partial(self._change_keys, found)

    async def _change_keys(self, keys: Keys) -> str:
        try:
            await self._store.change_keys(keys)
        except OSError as fault:
            raise Unavailable(f"the disk takes no new segment: {fault.strerror}") from None
        _log.info("The journal goes on under the key {name}.", name=name_of(keys.current))
        return name_of(keys.current)

    async def list_keys(self) -> list[dict[str, Any]]:
        """
        What each key is needed for, see L{securehub.store.rotation.Use}.

        @raise Conflict: something else runs.
        @raise Unavailable: it could not be done.
        """
        said = await self._run("keys", "--archive-days", str(self._settings["archive_days"]))
        if said["status"]:
            raise _refusal("the keys cannot be listed", said)
        found: list[dict[str, Any]] = said["keys"]
        return found

    async def keep(self) -> None:
        """Make a backup and drill it, if it is time for that."""
        if self._beside is None or not self._hours or self._busy is not None:
            return
        if self._has_none_since(self._hours):
            try:
                await self.back_up()
                await self.drill_newest()
            except (Conflict, Unavailable) as refusal:
                _log.error("{refusal}.", refusal=str(refusal))

    def _has_none_since(self, hours: timedelta) -> bool:
        """
        Whether no backup was made for that long, by the clock as it is, because the tools know no other time. A backup from that far in the
        future, made when the clock was wrong, counts as none.
        """
        return self.backup_at is None or abs(self._clock.wall() - self.backup_at) >= hours

    def stop(self) -> None:
        """End what runs beside."""
        if self._beside is not None:
            self._beside.stop()

    def _asked(self) -> Beside:
        if self._beside is None:
            raise Unavailable("this hub has nobody beside it who could do that")
        return self._beside

    async def _run(self, tool: str, *arguments: str) -> dict[str, Any]:
        beside = self._asked()
        if self._busy is not None:
            raise Conflict(f"a {self._busy} is under way; try again when it is done")
        self._busy = tool
        try:
            return await beside.run(tool, *arguments)
        finally:
            self._busy = None


def _refusal(what: str, said: dict[str, Any]) -> Conflict | Unavailable:
    if "bad" in said:
        return Conflict(f"{what}: {said['bad']}")
    return Unavailable(f"{what}: {said.get('refused')}")

"""
How safe it is what the hub keeps: the books, the chain, backups and drills.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.logger import Logger

from securehub.reply import Listing, Reply, Row
from securehub.services.ledger import books
from securehub.store.transaction import Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub

_log = Logger()

FEW_ACCOUNTS = 20_000
"""So many can be added up in passing, within some 20 ms. Beyond that, the last drill or verification has to do."""

HOUR = 3600.0


class Backup(Reply, frozen=True):
    """A backup that was made."""

    backup: str
    at: datetime
    commits: int
    head: str
    bytes: int


class Checked(Reply, frozen=True):
    """
    What was found when a backup was checked.

    @ivar commits: up to which one.
    @ivar why: what is wrong.
    """

    at: datetime
    passed: bool
    commits: int
    why: str


class Verified(Reply, frozen=True):
    """
    What was found when everything on the disk was checked.

    @ivar notes: what is no fault, but should be known.
    """

    at: datetime
    passed: bool
    commits: int
    why: str
    notes: tuple[str, ...]


class Head(Reply, frozen=True):
    """The newest commit that is on the disk, and the hash of the journal's newest line."""

    commits: int
    head: str


class Key(Reply, frozen=True):
    """The name of the key under which the journal goes on."""

    key: str

    def status(self) -> str:
        return f"What is new is sealed under {self.key}."


class KeyRow(Row, frozen=True):
    """
    What a key is needed for.

    @ivar key: its name; empty for what is not sealed.
    @ivar current: whether the newest of the journal's files is sealed under it, and so the next ones, until the key is changed.
    @ivar there: whether the hub has it.
    @ivar snapshots: how many are sealed under it.
    @ivar journal: how many of the journal's files outside of the archive.
    @ivar archive: how many in the archive.
    @ivar gone_at: when the last of the journal's files will have been in the archive for its days.
    @ivar backups: how many backups need it.
    """

    key: str
    current: bool
    there: bool
    snapshots: int
    journal: int
    archive: int
    gone_at: datetime | None
    backups: int


def agree(tx: Transaction) -> None:
    """Change the key. No record says which it is; but who had it changed is kept, as for all that admins do."""


class Health(Reply, frozen=True):
    """
    In one line, whether something has to be done.

    @ivar well: whether nothing has to.
    @ivar troubles: what has to.
    @ivar balanced: whether the sum over all accounts is zero; null if nobody has looked.
    @ivar last_backup: null if there is none.
    @ivar last_drill: null if there was none.
    @ivar drill_passed: what came of it.
    """

    well: bool
    troubles: list[str]
    balanced: bool | None
    commits: int
    head: str
    journal_bytes: int
    last_backup: datetime | None
    last_drill: datetime | None
    drill_passed: bool | None
    line: str

    def lines(self) -> list[str]:
        return [self.line]


class Safety:
    """Answers to all of that."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.operations = hub.operations
        self.safekeeping = hub.safekeeping
        self.upkeep = hub.upkeep
        self.prepare_key = hub.safekeeping.prepare_key
        hub.chores.every(hub.safekeeping.look_seconds, hub.safekeeping.keep)
        hub.chores.hourly(self.log)

    async def told(self) -> dict[str, Any]:
        """What C{admin.status} tells of it."""
        kept = self.safekeeping
        return {
            "balanced": await self._balanced(),
            "last_backup": kept.backup_at,
            "last_drill": kept.drill and kept.drill.at,
            "drill_passed": kept.drill and kept.drill.passed,
        }

    async def health(self) -> Health:
        told = await self.told()
        store = self.store
        troubles = self._troubles(told)
        line = ", ".join(
            [
                f"unwell: {'; '.join(troubles)}" if troubles else "well",
                {None: "books unseen", True: "books balance", False: "books wrong"}[told["balanced"]],
                f"commit {store.synced}",
                f"head {store.head[:16]}",
                f"journal {store.journal_bytes / 1e6:.1f} MB",
                f"backup {self._ago(told['last_backup'])}",
                f"drill {self._ago(told['last_drill'])}",
            ]
        )
        return Health(
            well=not troubles,
            troubles=troubles,
            commits=store.synced,
            head=store.head,
            journal_bytes=store.journal_bytes,
            line=line,
            **told,
        )

    async def log(self) -> None:
        """Leave the health line in the log."""
        health = await self.health()
        (_log.info if health.well else _log.error)("Health: {line}", line=health.line)

    async def back_up(self) -> Backup:
        said = await self.safekeeping.back_up()
        assert self.safekeeping.backup_at is not None
        return Backup(said["backup"], self.safekeeping.backup_at, said["commits"], said["head"], said["bytes"])

    async def drill(self) -> Checked:
        found = await self.safekeeping.drill_newest()
        return Checked(found.at, found.passed, found.commits, found.why)

    async def verify(self) -> Verified:
        found = await self.safekeeping.verify()
        return Verified(found.at, found.passed, found.commits, found.why, found.notes)

    async def list_keys(self) -> Listing[KeyRow]:
        return Listing([msgspec.convert(found, KeyRow) for found in await self.safekeeping.list_keys()])

    def head(self) -> Head:
        return Head(self.store.synced, self.store.head)

    async def _balanced(self) -> bool | None:
        if self.store.counts().get("account", 0) > FEW_ACCOUNTS:
            return self.safekeeping.books_balance()
        return await self.store.read(books.balance)

    def _troubles(self, told: dict[str, Any]) -> list[str]:
        kept = self.safekeeping
        found = []
        if self.store.trouble is not None:
            found.append(f"the disk takes no writes ({self.store.trouble})")
        if told["balanced"] is False:
            found.append("the books do not balance")
        for what, look in (("drill", kept.drill), ("verification", kept.verified)):
            if look is not None and not look.passed:
                found.append(f"the last {what} failed ({look.why})")
        if self.upkeep and self.upkeep.trouble:
            found.append(f"the journal is not folded ({self.upkeep.trouble})")
        if kept.no_backup:
            found.append(f"the last backup failed ({kept.no_backup})")
        if kept.overdue:
            found.append("a backup is overdue")
        if kept.not_removed:
            found.append(f"an old backup cannot be removed ({kept.not_removed})")
        if certificate := self.operations.certificate_trouble():
            found.append(certificate)
        return found

    def _ago(self, at: datetime | None) -> str:
        if at is None:
            return "never"
        hours = round((self.clock.wall() - at).total_seconds() / HOUR)
        long = f"{abs(hours)} h" if abs(hours) < 48 else f"{abs(hours) / 24:.0f} days"
        return f"{long} ago" if hours >= 0 else f"{long} ahead of the clock"

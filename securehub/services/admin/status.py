"""
How the hub is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING

from msgspec.structs import replace

from securehub import __version__
from securehub.help import WIDTH
from securehub.reply import Reply
from securehub.services.admin.safety import Safety

if TYPE_CHECKING:
    from securehub.hub import Hub


class Status(Reply, frozen=True):
    """
    How the hub is doing. Figures of the last minute are of the time since the start if that is shorter.

    @ivar uptime: seconds since the start.
    @ivar connections: how many are open.
    @ivar sessions: how many of them are logged in; the operator's are not counted.
    @ivar handshakes: how many have not finished their TLS handshake.
    @ivar turned_away: connections that were not let in since the start.
    @ivar sent_away: strangers who had to make room since the start.
    @ivar commits: the number of the newest commit.
    @ivar commits_per_second: over the last minute.
    @ivar head: the hash of the journal's newest synced line.
    @ivar writable: whether what writes is taken now.
    @ivar trouble: why it is not.
    @ivar hashing: passwords that wait to be hashed.
    @ivar unsynced_bytes: of commits that wait for the disk.
    @ivar queued_bytes: of replies and events that wait for the disk, or for peers to read.
    @ivar loop_delay_p99_ms: how late timers were in the last minute, the latest hundredth left out.
    @ivar loop_delay_max_ms: how late the latest was.
    @ivar memory_bytes: what the process has in memory.
    @ivar journal_bytes: the size of the journal's files.
    @ivar balanced: whether the sum over all accounts is zero; null if nobody has looked.
    @ivar last_backup: when it was made; null if there is none.
    @ivar last_drill: when the newest backup was opened; null if it was not.
    @ivar drill_passed: what came of that.
    @ivar certificate_days: how long the certificate is still good; null if that is not known.
    @ivar records: how many there are, by collection.
    """

    version: str
    uptime: int
    connections: int
    sessions: int
    handshakes: int
    turned_away: int
    sent_away: int
    commits: int
    commits_per_second: float
    head: str
    writable: bool
    trouble: str | None
    hashing: int
    unsynced_bytes: int
    queued_bytes: int
    loop_delay_p99_ms: float
    loop_delay_max_ms: float
    memory_bytes: int | None
    journal_bytes: int
    balanced: bool | None
    last_backup: datetime | None
    last_drill: datetime | None
    drill_passed: bool | None
    certificate_days: int | None
    records: dict[str, int]

    def lines(self) -> Iterable[str]:
        there = replace(self, records={name: count for name, count in self.records.items() if count})
        *others, records = super(Status, there).lines()
        indent = " " * (max(map(len, Status.__struct_fields__)) + 2)
        return [*others, *wrap(records, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)]


class Gauges:
    """All that C{admin.status} is read from."""

    def __init__(self, hub: Hub, safety: Safety) -> None:
        self.safety = safety
        self.store = hub.store
        self.hashing = hub.hashing
        self.sessions = hub.sessions
        self.doorkeeper = hub.doorkeeper
        self.vitals = hub.vitals
        self.operations = hub.operations
        self.count_connections = hub.count_connections
        self.seconds = hub.reactor.seconds
        self.started = self.seconds()

    async def read(self) -> Status:
        store, sessions, vitals = self.store, self.sessions.values(), self.vitals
        return Status(
            version=__version__,
            uptime=int(self.seconds() - self.started),
            connections=self.count_connections(),
            sessions=sum(each.user is not None and not each.operator for each in sessions),
            handshakes=self.doorkeeper.unfinished,
            turned_away=self.doorkeeper.turned_away,
            sent_away=self.doorkeeper.sent_away,
            commits=store.number,
            commits_per_second=vitals.commits_per_second,
            head=store.head,
            writable=store.trouble is None,
            trouble=store.trouble,
            hashing=self.hashing.waiting,
            unsynced_bytes=store.unsynced_bytes,
            queued_bytes=sum(each.queued for each in sessions),
            loop_delay_p99_ms=vitals.late_ms(0.99),
            loop_delay_max_ms=vitals.late_ms(1),
            memory_bytes=self.operations.memory_bytes(),
            journal_bytes=store.journal_bytes,
            **await self.safety.told(),
            certificate_days=self.operations.certificate_days(),
            records=store.counts(),
        )

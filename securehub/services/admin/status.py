"""
How the hub is.
"""

from __future__ import annotations

from securehub.reply import Reply


class Status(Reply, frozen=True):
    """
    How the hub is.

    @ivar uptime: seconds since the start.
    @ivar connections: how many are open.
    @ivar commits: the number of the newest commit.
    @ivar head: the hash of the journal's newest synced line.
    @ivar writable: whether what writes is taken now.
    @ivar trouble: why it is not.
    @ivar hashing: passwords that wait to be hashed.
    @ivar records: how many there are, by collection.
    """

    version: str
    uptime: int
    connections: int
    commits: int
    head: str
    writable: bool
    trouble: str | None
    hashing: int
    records: dict[str, int]

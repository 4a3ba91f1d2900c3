"""
The age of records that vanish by themselves.

Only the times of commits decide it, and no pause between two of them counts for more than an hour. The journal cannot tell a clock that was
set forward from a long time in which nothing happened; so neither makes anything old that a client may still ask for. A start that replays
the journal comes to the same age as the hub that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from securehub.store.collection import Collection, ExpiringCollection

LONG_AGO = datetime.fromtimestamp(0, UTC)

MOST = 60 * 60
"""Seconds that a pause counts for at most."""

_LOOK = 10 * 60
"""Seconds after which time is counted at the latest; the time between two counts is one pause."""


def generation(lifetime: int) -> int:
    """
    How long a generation lasts (L{ExpiringCollection}).

    @param lifetime: of its records, in seconds. They have this even if the clock is set forward meanwhile, which takes L{MOST} of it.
    """
    return lifetime + MOST


class Age(msgspec.Struct):
    """
    @ivar seconds: that have counted since the hub's first commit, or since the epoch if that was long ago.
    @ivar looked: when they were counted last.
    """

    seconds: float = 0
    looked: datetime = LONG_AGO

    def advance(self, at: datetime, collections: Iterable[Collection | ExpiringCollection]) -> datetime:
        """
        Count the time since the last look, and let go what has lived long enough, a little at a time.

        @param at: of a commit; no earlier than that of the one before.

        @return: the time from which on a commit has to call this again.
        """
        self.seconds += min((at - self.looked).total_seconds(), MOST)
        self.looked = at
        pauses = [each.expire(self.seconds) for each in collections if isinstance(each, ExpiringCollection)]
        return at + timedelta(seconds=min([*pauses, _LOOK]))


def age_of_older(at: datetime) -> Age:
    """
    For snapshots of versions that went by the clock alone, and named generations by it.

    @param at: of the snapshot.

    @return: two days less than that, so that nothing of theirs goes before its time.
    """
    return Age(at.timestamp() - 2 * 24 * 60 * 60, at)

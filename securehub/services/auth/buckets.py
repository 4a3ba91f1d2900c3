"""
Buckets of tokens: what may be done so often, and then only after a wait.

Tokens come back with time. When a bucket is empty, all that is done is followed by a wait, each twice as long as the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from math import inf
from typing import Any, NamedTuple

FIRST_WAIT_SECONDS = 5.0
"""What follows the first beyond the tokens: no more than a person needs to look for the right password."""

MOST_BUCKETS = 20_000
"""Of each kind; 250 bytes each."""

LOOKED_AT = 8
"""Of so many buckets the fullest makes room for a new one; those that have been emptied cannot be washed away by many new ones."""


class Rate(NamedTuple):
    """
    How often something may be done.

    @ivar tokens: so often without a wait.
    @ivar seconds: until one token comes back. The wait grows up to this, so in the long run it is done once in this time.
    """

    tokens: int
    seconds: float


class _Bucket:
    """
    @ivar taken: tokens that have not come back yet, at the moment at which the last was taken.
    @ivar at: that moment.
    @ivar until: before this moment there is no other.
    """

    __slots__ = ("at", "taken", "until")

    def __init__(self) -> None:
        self.taken = 0.0
        self.at = self.until = -inf


class Buckets:
    """
    Buckets of one kind, by key; one that has all its tokens is not kept.

    @param rate: asked for anew each time.
    @param seconds: a monotonic clock.
    @param most: how many are kept at most.
    """

    def __init__(self, rate: Callable[[], Rate], seconds: Callable[[], float], most: int = MOST_BUCKETS) -> None:
        self._rate = rate
        self._seconds = seconds
        self._most = most
        self._buckets: dict[Any, _Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, key: object) -> float:
        """Seconds until the next time; 0 if that is now."""
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else max(0.0, bucket.until - self._seconds())

    def take(self, key: object) -> None:
        """Note that it was done."""
        now, rate = self._seconds(), self._rate()
        # The one that was used last stands last, so those that are full again are found in front.
        bucket = self._buckets.pop(key, None) or _Bucket()
        bucket.taken = self._left(bucket, now) + 1
        bucket.at = now
        beyond = bucket.taken - rate.tokens
        if beyond > 0:
            bucket.until = now + min(rate.seconds, FIRST_WAIT_SECONDS * 2.0 ** min(beyond - 1, 60))
        if len(self._buckets) >= self._most:
            self._make_room(now)
        self._buckets[key] = bucket

    def _left(self, bucket: _Bucket, now: float) -> float:
        """The tokens that have not come back yet."""
        return max(0.0, bucket.taken - (now - bucket.at) / self._rate().seconds)

    def _make_room(self, now: float) -> None:
        looked_at = [(self._left(bucket, now), key) for key, bucket in islice(self._buckets.items(), LOOKED_AT)]
        least = min(range(len(looked_at)), key=lambda index: looked_at[index][0])
        for index, (left, key) in enumerate(looked_at):
            bucket = self._buckets.pop(key)
            if index != least and left:
                self._buckets[key] = bucket

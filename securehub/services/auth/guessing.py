"""
How often somebody may guess, and who has to wait.

A try that failed takes a token out of a bucket, and tokens come back with time. When a bucket is empty every further failure is followed
by a wait, each twice as long as the one before. There is a bucket for each account, whether there is such an account or not, and one
for each network. But whoever comes from a network from which the member has logged in before has a bucket of their own, so no
stranger can lock a member out (docs/decisions/0041-guessing.md).

Only failures count. The buckets are in memory alone, and there are only so many of them.

A command that compares a secret does it within a L{Trial}::

    with guessing.trial(username, session.address, known):
        ...                     # BadCredentials that leaves here is a failure; whatever else happens is none

"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from math import ceil, inf
from types import TracebackType
from typing import Any, NamedTuple

from securehub.networks import origin
from securehub.refusals import BadCredentials, RateLimited

FIRST_WAIT_SECONDS = 5.0
"""What follows the first failure beyond the tokens: no more than a person needs to look for the right password."""

MOST_BUCKETS = 20_000
"""Of each kind; 250 bytes each."""

LOOKED_AT = 8
"""Of so many buckets the fullest makes room for a new one; those with many failures cannot be washed away by many new ones."""


class Rate(NamedTuple):
    """
    How much may fail.

    @ivar tokens: failures without a wait.
    @ivar seconds: until one token comes back. The wait grows up to this, so in the long run there is one failure in this time.
    """

    tokens: int
    seconds: float


class _Bucket:
    """
    @ivar failures: those that are not made good by time yet, at the moment of the last.
    @ivar at: that moment.
    @ivar until: before this moment nobody may try.
    """

    __slots__ = ("at", "failures", "until")

    def __init__(self) -> None:
        self.failures = 0.0
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
        """Seconds until the next try; 0 if it may be made now."""
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else max(0.0, bucket.until - self._seconds())

    def fail(self, key: object) -> None:
        """Note a try that has failed."""
        now, rate = self._seconds(), self._rate()
        # The one that failed last stands last, so those that are full again are found in front.
        bucket = self._buckets.pop(key, None) or _Bucket()
        bucket.failures = self._left(bucket, now) + 1
        bucket.at = now
        beyond = bucket.failures - rate.tokens
        if beyond > 0:
            bucket.until = now + min(rate.seconds, FIRST_WAIT_SECONDS * 2.0 ** min(beyond - 1, 60))
        if len(self._buckets) >= self._most:
            self._make_room(now)
        self._buckets[key] = bucket

    def _left(self, bucket: _Bucket, now: float) -> float:
        """The failures that time has not made good yet."""
        return max(0.0, bucket.failures - (now - bucket.at) / self._rate().seconds)

    def _make_room(self, now: float) -> None:
        looked_at = [(self._left(bucket, now), key) for key, bucket in islice(self._buckets.items(), LOOKED_AT)]
        least = min(range(len(looked_at)), key=lambda index: looked_at[index][0])
        for index, (left, key) in enumerate(looked_at):
            bucket = self._buckets.pop(key)
            if index != least and left:
                self._buckets[key] = bucket


class Guessing:
    """
    Who may try, and who has to wait.

    @param account: for one account, from everywhere but its known networks; and from each address in those.
    @param network: for one network, whatever the account.
    @param trust_loopback: tells whether this machine has no bucket as a network.
    """

    def __init__(
        self,
        account: Callable[[], Rate],
        network: Callable[[], Rate],
        seconds: Callable[[], float],
        *,
        trust_loopback: Callable[[], bool],
    ) -> None:
        self._accounts = Buckets(account, seconds)
        self._networks = Buckets(network, seconds)
        self._trust_loopback = trust_loopback

    def trial(self, username: str | None, address: str, known: Sequence[str] = ()) -> Trial:
        """
        A try, which is about to be made.

        @param username: whose account; None if that does not matter, as for a token, which is a name and a secret in one.
        @param address: from where.
        @param known: the networks from which this member has logged in before.
        """
        network, place, loopback = origin(address)
        if network in known:
            # To whoever only guesses this looks like the account's bucket, which is why it has the same rate.
            return Trial(network, (self._accounts, (username, place)))
        counted: list[tuple[Buckets, object]] = []
        if username is not None:
            counted.append((self._accounts, (username, None)))
        if not (loopback and self._trust_loopback()):
            counted.append((self._networks, network))
        return Trial(network, *counted)


class Trial:
    """
    A try, in a C{with} statement: it is not begun while one of its buckets has to wait, and counted if it ends with BadCredentials.

    @ivar network: from where.
    """

    def __init__(self, network: str, *counted: tuple[Buckets, object]) -> None:
        self.network = network
        self._counted = counted

    def check(self) -> None:
        """
        Once more before something expensive, in case that others have failed in the meantime.

        @raise RateLimited: so much has failed that this has to wait; which of the buckets it was is not told.
        """
        seconds = max((buckets.wait(key) for buckets, key in self._counted), default=0.0)
        if seconds > 0:
            retry_after = ceil(seconds)
            raise RateLimited(f"too many tries have failed; try again in {retry_after} s", retry_after)

    def fail(self) -> None:
        """Count a failure."""
        for buckets, key in self._counted:
            buckets.fail(key)

    def __enter__(self) -> Trial:
        self.check()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if isinstance(error, BadCredentials):
            self.fail()

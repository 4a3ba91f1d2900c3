"""
How often somebody may guess, and who has to wait.

A try that failed takes a token out of a bucket (L{securehub.services.auth.buckets}). There is one for each account, whether there is such
an account or not, and one for each network. But whoever comes from a network from which the member has logged in before has a bucket of
their own, so no stranger can lock a member out (docs/decisions/0041-guessing.md).

Only failures count. The buckets are in memory alone, and there are only so many of them.

A command that compares a secret does it within a L{Trial}::

    with guessing.trial(username, session.address, known):
        ...                     # BadCredentials that leaves here is a failure; whatever else happens is none

"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from types import TracebackType

from securehub.origins import origin
from securehub.refusals import BadCredentials, RateLimited
from securehub.services.auth.buckets import Buckets, Rate


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
            buckets.take(key)

    def __enter__(self) -> Trial:
        self.check()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if isinstance(error, BadCredentials):
            self.fail()

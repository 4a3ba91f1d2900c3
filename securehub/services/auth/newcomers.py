"""
How many members come from one network, where whoever likes may become one.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from securehub.origins import origin
from securehub.refusals import RateLimited
from securehub.services.auth.buckets import Buckets, Rate


class Newcomers:
    """
    Who may become a member, and who has to wait.

    @param network: how many of one network.
    @param seconds: a monotonic clock.
    @param trust_loopback: tells whether those from this machine are not counted.
    """

    def __init__(self, network: Callable[[], Rate], seconds: Callable[[], float], *, trust_loopback: Callable[[], bool]) -> None:
        self._networks = Buckets(network, seconds)
        self._trust_loopback = trust_loopback

    def check(self, address: str) -> None:
        """
        @raise RateLimited: so many have come from there that the next has to wait.
        """
        seconds = self._networks.wait(origin(address).network)
        if seconds > 0:
            retry_after = ceil(seconds)
            raise RateLimited(
                f"many new members have come from your network; try again in {retry_after} s, or ask for an invitation", retry_after
            )

    def count(self, address: str) -> None:
        """One has come from there."""
        network, _, loopback = origin(address)
        if not (loopback and self._trust_loopback()):
            self._networks.take(network)

"""
How many become members from one network.
"""

from twisted.internet.task import Clock as Time
from twisted.trial.unittest import SynchronousTestCase

from securehub.refusals import RateLimited
from securehub.services.auth.buckets import Rate
from securehub.services.auth.newcomers import Newcomers


class NewcomersTests(SynchronousTestCase):
    """L{Newcomers}; see also tests/conversations/newcomers.txt."""

    def setUp(self) -> None:
        self.time = Time()
        self.trust_loopback = True
        self.newcomers = Newcomers(lambda: Rate(1, 60), self.time.seconds, trust_loopback=lambda: self.trust_loopback)

    def come(self, *addresses: str) -> None:
        for address in addresses:
            self.newcomers.check(address)
            self.newcomers.count(address)

    def test_networks(self) -> None:
        """Each network for itself, with all addresses in it."""
        self.come("192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")
        for full in ("192.0.2.3", "2001:db8::3"):
            self.assertRaises(RateLimited, self.newcomers.check, full)
        for other in ("198.51.100.2", "2001:db8:0:1::2"):
            self.newcomers.check(other)

    def test_loopback(self) -> None:
        """This machine is no network, unless it is not trusted."""
        self.come(*["127.0.0.1"] * 10)
        self.trust_loopback = False
        self.come(*["127.0.0.1"] * 2)
        self.assertRaises(RateLimited, self.newcomers.check, "127.0.0.1")

    def test_forgotten(self) -> None:
        """After a while they may come as before."""
        self.come(*["192.0.2.1"] * 2)
        self.time.advance(120)
        self.come(*["192.0.2.1"] * 2)
        self.assertRaises(RateLimited, self.newcomers.check, "192.0.2.1")

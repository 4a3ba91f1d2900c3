"""
A wall clock that somebody has set back.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from securehub.clock import Clock
from tests.authenticator import code, identity
from tests.tools import logged
from tests.world import BEGIN, PASSWORD, World

HOUR = timedelta(hours=1)


class ClockTests(SynchronousTestCase):
    """The later of now and the last time that was told."""

    def setUp(self) -> None:
        self.time = BEGIN
        self.clock = Clock(lambda: self.time)

    def test_set_back(self) -> None:
        """Then times stand still until it is as late again."""
        self.assertEqual(self.clock.now(), BEGIN)
        self.time = BEGIN - HOUR
        self.assertEqual((self.clock.now(), self.clock.behind()), (BEGIN, HOUR))
        self.time = BEGIN + HOUR
        self.assertEqual((self.clock.behind(), self.clock.now()), (timedelta(), BEGIN + HOUR))

    def test_not_before(self) -> None:
        """What a record has holds; one from long before changes nothing."""
        self.clock.not_before(BEGIN + HOUR)
        self.clock.not_before(BEGIN - HOUR)
        self.assertEqual(self.clock.now(), BEGIN + HOUR)


class SetBackTests(SynchronousTestCase):
    """Times of records never go back, so they stand still; whoever runs the hub has to know."""

    def setUp(self) -> None:
        self.logged = logged(self)
        self.world = World()
        self.world.member("alice")

    def said(self, skew: float) -> list[str | None]:
        """What a start says of the clock, which is off by so many seconds."""
        self.logged.clear()
        self.world.skew = skew
        self.world.restart()
        return [formatEvent(event) for event in self.logged if str(event["log_format"]).startswith("clock-behind")]

    def test_behind(self) -> None:
        (line,) = self.said(-7200)
        self.assertRegex(str(line), r"^clock-behind: the last commit is of \S+, 120 minutes from now; until then times stand still")

    def test_right(self) -> None:
        """Nor is it worth a word that a clock was put right by seconds."""
        for skew in (0, 100, 60):
            self.assertEqual(self.said(skew), [])

    def test_what_others_say_by_their_clocks(self) -> None:
        """While times stand still, the codes of a phone and client certificates are good all the same."""
        laptop = identity("laptop", self.world.now())
        alice = self.world.connect(certificate=laptop)
        alice.ask(f"LOGIN alice {PASSWORD}")
        secret = alice.call("auth.otp_setup")["result"]["secret"]
        alice.call("auth.otp_confirm", code=code(secret, self.world.now()))
        self.world.skew = 3 * 365 * 24 * 60 * 60
        self.world.member("bob")
        self.world.skew = 60
        phone = self.world.connect()
        self.assertIn("result", phone.call("auth.login", username="alice", password=PASSWORD, otp=code(secret, self.world.now())))
        self.assertIn("result", alice.call("auth.cert_add", password=PASSWORD))
        self.world.skew = 120
        back = self.world.connect(certificate=laptop)
        self.assertIn("result", back.call("auth.login", username="alice", otp=code(secret, self.world.now())))


class PassingTests(SynchronousTestCase):
    """What tells that the clock was set must not be set with it."""

    def test_monotonic(self) -> None:
        """So it is not the reactor's time, which is that of the clock."""
        self.assertIs(Clock().passing, monotonic)

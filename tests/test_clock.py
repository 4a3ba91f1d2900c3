"""
A wall clock that somebody has set back.
"""

from __future__ import annotations

from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.authenticator import code
from tests.world import PASSWORD, World


class SetBackTests(SynchronousTestCase):
    """Times of records never go back, so they stand still; whoever runs the hub has to know."""

    def setUp(self) -> None:
        self.logged: list[LogEvent] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)
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

    def test_codes(self) -> None:
        """Phones show the codes of the right time, and these are good, though the hub's times stand still."""
        alice = self.world.member("bobby")
        secret = alice.call("auth.otp_setup")["result"]["secret"]
        alice.call("auth.otp_confirm", code=code(secret, self.world.now()))
        self.world.skew = 7200
        self.world.member("carol")
        self.world.skew = 60
        client = self.world.connect()
        found = client.call("auth.login", username="bobby", password=PASSWORD, otp=code(secret, self.world.now()))
        self.assertEqual(found["result"]["username"], "bobby")

    def test_right(self) -> None:
        """Nor is it worth a word that a clock was put right by seconds."""
        for skew in (0, 100, 60):
            self.assertEqual(self.said(skew), [])

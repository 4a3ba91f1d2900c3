"""
What an operator reads in the log of what people do.
"""

from __future__ import annotations

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from securehub.notices import LINES_A_MINUTE
from tests.tools import logged
from tests.world import PASSWORD, World


class NoticesCase(SynchronousTestCase):
    """A world, and what was logged in it."""

    def setUp(self) -> None:
        self.world = World()
        self.logged = logged(self)

    def said(self) -> list[str]:
        said = [formatEvent(event) for event in self.logged if event["log_namespace"] == "securehub.notices"]
        self.logged.clear()
        return said


class FailedLoginTests(NoticesCase):
    """Who tried to be whom, from where."""

    def test_wrong_password(self) -> None:
        self.world.member("alice")
        stranger = self.world.connect(address="203.0.113.7")
        stranger.ask("LOGIN alice wrong-password")
        self.assertEqual(self.said(), ["login-failed: from 203.0.113.7 (connection 2) as alice"])

    def test_no_member(self) -> None:
        """What was typed for a name may be a password."""
        self.world.connect().ask(f"LOGIN {PASSWORD} {PASSWORD}")
        self.assertEqual(self.said(), ["login-failed: from 127.0.0.1 (connection 1) as nobody who is a member"])

    def test_token(self) -> None:
        alice = self.world.connect()
        token = alice.call("auth.create", username="alice", password=PASSWORD)["result"]["resume"]
        stranger = self.world.connect(address="203.0.113.7")
        stranger.ask(f"RESUME {token}x", "RESUME nonsense")
        self.assertEqual(
            self.said(),
            [
                "login-failed: from 203.0.113.7 (connection 2) as alice",
                "login-failed: from 203.0.113.7 (connection 2) as nobody who is a member",
            ],
        )

    def test_no_login(self) -> None:
        """Who changes their mind has not failed, nor has who gets in."""
        alice = self.world.member("alice")
        alice.ask("LOGOUT", "LOGIN alice", "", f"LOGIN alice {PASSWORD}")
        self.assertEqual(self.said(), [])

    def test_many(self) -> None:
        """A flood is counted after a while, and the count is told when it is over."""
        stranger = self.world.connect()
        for _ in range(LINES_A_MINUTE + 40):
            stranger.ask("RESUME nonsense")
        self.assertEqual(len(self.said()), LINES_A_MINUTE)
        self.world.elapse(61)
        stranger.ask("RESUME nonsense")
        first, second = self.said()
        self.assertEqual(first, "login-failed: 40 more were not logged one by one.")
        self.assertIn("as nobody", second)


class AdminTests(NoticesCase):
    """Who changed what as an admin."""

    def test_told(self) -> None:
        """Who, from where, what, about whom; not what was refused, nor what only looks."""
        self.world.member("alice")
        operator = self.world.operator()
        operator.ask("admin.grant alice admin", "admin.grant zoe admin", "admin.users", "admin.status", "admin.reload")
        said = [f"admin: operator from local: {done}" for done in ("admin.grant alice admin", "admin.reload")]
        self.assertEqual(self.said(), said)

    def test_what_nobody_should_read(self) -> None:
        """Of arguments only who it is about, and which role."""
        self.world.member("alice")
        self.world.operator().ask("admin.password alice a-new-password", "admin.lock alice for a reason of hers")
        self.assertEqual(self.said(), [f"admin: operator from local: admin.{done} alice" for done in ("password", "lock")])

"""
Settings that change while the hub runs.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub import config
from tests.world import PASSWORD, World

DAY = 24 * 3600.0


class Watched(dict[str, Any]):
    """Settings that know which of them were looked up."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.seen.add(name)
        return super().__getitem__(name)


class LiveTests(SynchronousTestCase):
    """Those that are C{live} hold from the next command or connection on."""

    def test_looked_up_each_time(self) -> None:
        """Whoever kept one from the start would not hear of a change."""
        world = World(make_folding=lambda directory: object())
        world.settings = watched = Watched(world.settings)
        world.restart()
        self.assertIn("time_zone", watched.seen)
        self.assertEqual([each.name for each in config.SETTINGS if each.live and each.name in watched.seen], [])

    def test_registration(self) -> None:
        """Newcomers are kept out at once, and what describes the hub says so."""
        world = World()
        bob = world.member("bob")
        described = bob.call("rpc.discover")["result"]
        world.settings["registration"] = "closed"
        self.assertIn("takes no new members", "".join(bob.ask("HELP CREATE")))
        self.assertNotEqual(bob.call("rpc.discover")["result"], described)
        self.assertTrue(world.connect().ask(f"CREATE alice {PASSWORD}")[-1].startswith("ERR forbidden"))

    def test_lifetimes(self) -> None:
        """A login that is older than logins may now be is over within the hour, be it connected or not."""
        world = World()
        alice = world.member("alice")
        world.elapse(4 * DAY)
        world.settings["session_days"] = 3
        world.elapse(3600)
        self.assertIn("this login is 3 days old", "".join(alice.received()))
        self.assertTrue(alice.transport.lost)

    def test_guessing(self) -> None:
        """An operator who sees many guesses can allow fewer."""
        world = World()
        stranger = world.connect(address="203.0.113.7")
        stranger.received()
        guess = "LOGIN alice wrong-password"
        self.assertEqual([line.split()[1] for line in stranger.ask(guess, guess)], ["bad-credentials"] * 2)
        world.settings["account_failures"] = 1
        self.assertEqual([line.split()[1] for line in stranger.ask(guess, guess)], ["bad-credentials", "rate-limited"])

    def test_told(self) -> None:
        """Whoever reloads is told what has to wait for the next start."""
        world = World()
        world.late = ("port", "bank")
        answer = world.operator().ask("admin.reload")[-1]
        self.assertEqual(answer, "OK Reloaded: certificate. From the next start on: port, bank.")

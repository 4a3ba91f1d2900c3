"""
The example service of docs/services.md, as it stands there.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub import service
from tests.world import World

DOCS = Path(__file__).resolve().parent.parent / "docs"
SOURCE = DOCS / "examples" / "dice" / "securehub" / "plugins" / "dice.py"


@cache
def dice() -> Any:
    """The service's class, as a plugin would have it."""
    spec = spec_from_file_location("securehub_example_dice", SOURCE)
    assert spec is not None and spec.loader is not None
    # Structs look up their annotations in the module of that name.
    sys.modules[spec.name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Dice


class DiceTests(SynchronousTestCase):
    """A hub that has one service more."""

    def setUp(self) -> None:
        self.world = World(factories=[*service.find(), dice()])
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")

    def test_manual(self) -> None:
        """docs/services.md shows the whole of it, and of its setup.cfg."""
        manual = (DOCS / "services.md").read_text()
        self.assertIn(f"```python\n{SOURCE.read_text()}```", manual)
        self.assertIn(f"```ini\n{(DOCS / 'examples' / 'dice' / 'setup.cfg').read_text()}```", manual)

    def test_roll(self) -> None:
        """The roll is answered, kept, and told to the witness."""
        (answer,) = self.alice.ask("ROLL 20 bob")
        self.assertRegex(answer, r"^OK Roll 1: ([1-9]|1[0-9]|20) of 20\.$")
        value = answer.split()[3]
        self.assertEqual(self.bob.received(), [f"* alice rolled {value} of 20 (roll 1)."])
        (row,) = self.alice.call("dice.rolls")["result"]["items"]
        self.assertEqual((row["roll"], row["sides"], row["value"]), (1, 20, int(value)))

    def test_key(self) -> None:
        """Nobody rolls again until they like what comes up: the same key has the same roll, after a crash, too."""
        rolled = self.alice.call("dice.roll", sides=1000, key="k1")["result"]
        self.assertEqual(self.alice.call("dice.roll", sides=1000, key="k1")["result"], rolled)
        self.world.restart(crash=True)
        alice = self.world.connect()
        alice.ask("LOGIN alice correct-horse-battery")
        self.assertEqual(alice.call("dice.roll", sides=1000, key="k1")["result"], rolled)

    def test_refused(self) -> None:
        """What cannot be rolled, and in front of whom."""
        self.assertEqual(self.alice.ask("ROLL 1"), ["ERR bad-arguments sides: a die has 2 to 1000 sides, not 1"])
        self.assertEqual(self.alice.ask("ROLL 6 nobody"), ["ERR not-found there is no member nobody"])

    def test_more(self) -> None:
        """A history comes in pages, the newest first."""
        for _ in range(5):
            self.alice.ask("ROLL")
        page = self.alice.call("dice.rolls", limit=3)["result"]
        self.assertEqual(([row["roll"] for row in page["items"]], page["more"]), ([5, 4, 3], True))
        page = self.alice.call("dice.rolls", limit=3, before=3)["result"]
        self.assertEqual([row["roll"] for row in page["items"]], [2, 1])

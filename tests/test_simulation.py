"""
Some stories of a whole hub among all kinds of trouble, and proof that they would tell if something were wrong. See L{tests.simulation}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub import gate
from securehub.store.recovery import CannotStart
from tests.simulation import Result, tell
from tests.store.simulated import SimulatedDisk
from tests.store.test_crashes import NoSync

ALL = "crashes", "stops", "drops", "stalls", "cut", "folds", "clock set", "events", "answered again", "unavailable", "orders"
"""What has to happen somewhere."""


def something_is_wrong(told: Callable[[int], Result]) -> bool:
    """Whether one of a few stories finds it."""
    for seed in range(20):
        try:
            told(seed)
        except (AssertionError, CannotStart):
            return True
    return False


class SimulationTests(SynchronousTestCase):
    """C{python -m tests.simulation} tells as many more as one likes."""

    def test_stories(self) -> None:
        """All is as it should be, whatever happens; and all of it happens."""
        counts: Counter[str] = Counter()
        for seed in range(1_000, 1_016):
            first, second = tell(seed), tell(seed)
            self.assertEqual(first, second, "the same seed tells the same story")
            counts += first.counts
            # What happens in which story changes with every change of the hub.
            if seed >= 1_003 and all(counts[what] for what in ALL):
                break
        for what in ALL:
            self.assertGreater(counts[what], 0, what)
        self.assertNotEqual(tell(1), tell(2))

    def test_a_disk_that_lies(self) -> None:
        """What was acknowledged and never written is missed."""
        self.assertTrue(something_is_wrong(lambda seed: tell(seed, NoSync)))

    def test_an_open_gate(self) -> None:
        """What somebody has seen before it was on the disk is missed."""
        with mock.patch.object(gate.Gate, "position", property(lambda gate: None, lambda gate, value: None), create=True):
            self.assertTrue(something_is_wrong(lambda seed: tell(seed, SimulatedDisk)))

"""
A store whose machine stops in the middle of anything keeps what it has promised; and whoever looks for broken promises finds them.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.store.crashes import play
from tests.store.simulated import SimulatedDisk


class NoSync(SimulatedDisk):
    """A disk that says it has synced, and has not."""

    syncs_files = False


class NoSyncOfSnapshots(SimulatedDisk):
    """So it does with files that are written as a whole."""

    def may_sync(self, name: str) -> bool:
        return not name.endswith(".new")


class NoSyncOfNames(SimulatedDisk):
    """So it does with the directory."""

    syncs_names = False


class Crashes(SynchronousTestCase):
    """Few crashes, so that it takes seconds; .ci/run plays 20,000, and docs/store.md says how to play more."""

    def test_no_violation(self) -> None:
        self.assertEqual(play(300, seed=1_000_000), [])

    def test_finds_faults(self) -> None:
        """What the disk does not do is found out, so the tester can be believed when it finds nothing."""
        for kind in (NoSync, NoSyncOfSnapshots, NoSyncOfNames):
            found = any(play(25, seed, kind) for seed in range(60))
            self.assertTrue(found, kind.__name__)

    def test_same_again(self) -> None:
        """The same seed plays the same crashes."""
        self.assertEqual(play(25, 3, NoSync), play(25, 3, NoSync))

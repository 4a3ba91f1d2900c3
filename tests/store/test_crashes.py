"""
A store whose machine stops in the middle of anything keeps what it has promised; and whoever looks for broken promises finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub.store import fold
from securehub.store.fold import Folded
from securehub.store.layout import segment_names, snapshot_name, snapshot_names
from securehub.store.upkeep import Upkeep
from tests.store.crashes import LIVES, Community, hurry, play
from tests.store.simulated import SimulatedDisk, SimulatedFile


def found_by(played: Callable[[int], list[str]]) -> bool:
    """Whether some seed finds a violation."""
    return any(played(seed) for seed in range(60))


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


class GarbledFile(SimulatedFile):
    """What is read from it is not what was written."""

    def write(self, content: bytes) -> None:
        super().write(content)
        self._inode.cache[-10] ^= 1


class GarblingDisk(SimulatedDisk):
    """So it is with files that are written as a whole."""

    def create(self, name: str) -> SimulatedFile:
        file = super().create(name)
        return GarbledFile(self, name, file._inode) if name.endswith(".new") else file


def adopt_the_wrong_way_round(upkeep: Upkeep, folded: Folded) -> Folded:
    """Removes what is old before what is new is in place."""
    directory = upkeep._directory
    names = directory.names()
    for name in [*snapshot_names(names), *segment_names(names)[:-1]]:
        directory.remove(name)
    directory.put_in_place(snapshot_name(folded.number))
    return folded


class Crashes(SynchronousTestCase):
    """Few crashes, so that it takes seconds; .ci/run plays 20,000, and docs/store.md says how to play more."""

    def test_no_violation(self) -> None:
        self.assertEqual(play(300, seed=1_000_000), [])

    def test_finds_faults(self) -> None:
        """What the disk does not do is found out, so the tester can be believed when it finds nothing."""
        for kind in (NoSync, NoSyncOfSnapshots, NoSyncOfNames):
            self.assertTrue(found_by(lambda seed, kind=kind: play(LIVES, seed, kind)), kind.__name__)

    def test_finds_faults_of_the_fold(self) -> None:
        """So it is with two that a fold might have: old files end too early, and what it has written is not read back."""
        with mock.patch.object(Upkeep, "_adopt", adopt_the_wrong_way_round):
            self.assertTrue(found_by(lambda seed: play(LIVES, seed)))
        self.assertEqual([play(LIVES, seed, GarblingDisk) for seed in range(3)], [[], [], []])
        with mock.patch.object(fold, "_read_back", lambda directory, name, written: "0" * 64):
            self.assertTrue(found_by(lambda seed: play(LIVES, seed, GarblingDisk)))

    def test_all_of_it_is_played(self) -> None:
        """The lives that are played have folds, by children that finish and that do not, and segments that go through the archive."""
        with hurry():
            community = Community(7)
            community.play(40)
        self.assertGreater(community.folds, 5)
        self.assertGreater(len(community.archived), 5)
        self.assertLess(len(community.archive()), len(community.archived))

    def test_same_again(self) -> None:
        """The same seed plays the same crashes."""
        self.assertEqual(play(25, 3, NoSync), play(25, 3, NoSync))

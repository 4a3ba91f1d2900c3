"""
How the process is doing.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securehub.daemon.vitals import BEAT_SECONDS, BEATS, Vitals, memory_bytes


class VitalsTests(SynchronousTestCase):
    """What is late, and how much is done."""

    def setUp(self) -> None:
        self.time = Clock()
        self.commits = 0
        self.vitals = Vitals(self.time, lambda: self.commits)

    def beat(self, late: float = 0.0) -> None:
        self.time.advance(BEAT_SECONDS + late)

    def test_before_the_start(self) -> None:
        self.assertEqual((self.vitals.late_ms(0.99), self.vitals.commits_per_second), (0, 0))
        self.vitals.stop()

    def test_late(self) -> None:
        """The share that was no later."""
        self.vitals.start()
        for number in range(100):
            self.beat(number / 1000)
        self.assertEqual([self.vitals.late_ms(share) for share in (0.01, 0.5, 0.99, 1)], [0, 49, 98, 99])

    def test_in_any_order(self) -> None:
        """And a beat that comes too early is not late."""
        self.vitals.start()
        for late in (0.003, 0.001, 0.002):
            self.beat(late)
        self.time.rightNow -= 1
        self.vitals._beat()
        self.assertEqual([self.vitals.late_ms(share) for share in (0, 0.25, 0.5, 0.75, 1)], [0, 0, 1, 2, 3])

    def test_a_minute(self) -> None:
        """Is what is remembered."""
        self.vitals.start()
        self.beat(5)
        for _ in range(BEATS):
            self.commits += 3
            self.beat()
        self.assertEqual((self.vitals.late_ms(1), self.vitals.commits_per_second), (0, 12))

    def test_commits_that_were_undone(self) -> None:
        """Are not counted backwards."""
        self.commits = 10
        self.vitals.start()
        self.beat()
        self.commits = 5
        self.assertEqual(self.vitals.commits_per_second, 0)

    def test_stop(self) -> None:
        self.vitals.start()
        self.beat()
        self.vitals.stop()
        self.assertEqual(self.time.getDelayedCalls(), [])

    def test_memory(self) -> None:
        """Some megabytes, as a process of Python has."""
        self.assertTrue(5_000_000 < memory_bytes() < 10_000_000_000)

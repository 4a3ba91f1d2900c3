"""
The garbage collector while a hub loads, and after it.
"""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from securehub.daemon.collector import THRESHOLDS, loading


class CollectorTests(SynchronousTestCase):
    """It is as it was after each test."""

    def setUp(self) -> None:
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)

    def test_loading(self) -> None:
        """It rests meanwhile; what was loaded is not looked at any more, and what comes later is."""
        with loading():
            self.assertFalse(gc.isenabled())
            loaded: list[object] = [[]]
        later: list[object] = [[]]
        self.assertTrue(gc.isenabled())
        self.assertEqual(gc.get_threshold(), THRESHOLDS)
        looked_at = {id(each) for each in gc.get_objects()}
        self.assertEqual((id(loaded) in looked_at, id(later) in looked_at), (False, True))

    def test_a_fault(self) -> None:
        """It works again, and nothing is kept back."""
        frozen = gc.get_freeze_count()
        with self.assertRaises(ValueError), loading():
            raise ValueError
        self.assertTrue(gc.isenabled())
        self.assertEqual(gc.get_freeze_count(), frozen)

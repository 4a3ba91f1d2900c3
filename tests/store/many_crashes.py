"""
Twenty thousand crashes, for C{tox -e crashes}: more than the tests have time for. See L{tests.store.crashes}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.store.crashes import play_on_all_cores

CRASHES = 20_000


class ManyCrashes(SynchronousTestCase):
    """The seeds are others than those of the tests."""

    def test_no_violation(self) -> None:
        self.assertEqual(play_on_all_cores(CRASHES, seed=2_000_000), [])

"""
Twenty thousand crashes, and some hundred stories, for C{tox -e crashes}: more than the tests have time for. See L{tests.store.crashes} and
L{tests.simulation}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation import tell_many
from tests.store.crashes import play_on_all_cores

CRASHES = 20_000
STORIES = 200


class ManyCrashes(SynchronousTestCase):
    """The seeds are others than those of the tests."""

    def test_no_violation(self) -> None:
        self.assertEqual(play_on_all_cores(CRASHES, seed=2_000_000), [])

    def test_stories(self) -> None:
        wrong, _ = tell_many(STORIES, seed=2_000)
        self.assertEqual(wrong, [])

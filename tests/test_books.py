"""
Whatever many members do, with crashes in between, the books add up. C{python -m tests.books} plays as much more of it as one likes.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub import session
from tests.books import Play


class BooksTests(SynchronousTestCase):
    """Some thousands of commands; each seed is another story."""

    def play(self, seed: int, count: int) -> Play:
        play = Play(seed)
        play.play(count)
        return play

    def test_books(self) -> None:
        """All sums are zero, what was answered is there and nothing besides, and every account is right in itself."""
        play = self.play(1, 4000)
        self.assertEqual(play.sums(), {"HOURS": "0.00", "JPY": "0", "USD": "0.00"})
        self.assertGreater(play.crashes, 0)

    def test_everything_happens(self) -> None:
        """A play in which hardly anything succeeds, or nothing is refused, would show nothing."""
        play = self.play(2, 3000)
        methods = {method for method, _ in play.outcomes}
        self.assertEqual({method for method in methods if not play.outcomes[method, "ok"]}, set())
        codes = {code for _, code in play.outcomes}
        self.assertLessEqual({"conflict", "forbidden", "insufficient-funds", "limit-exceeded", "not-found", "bad-arguments"}, codes)

    def test_keys(self) -> None:
        """If what is asked again after a crash, because the answer was lost, were done again, the play would tell."""

        def always(tx: Any, key: Any, rule: Any, /, *args: Any, **kwargs: Any) -> Any:
            return rule(tx, *args, **kwargs)

        with mock.patch.object(session, "once", always):
            self.assertRaises(AssertionError, self.play, 1, 4000)

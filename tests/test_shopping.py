"""
Whatever members order, deliver and give back, with crashes in between, receipts are right. C{python -m tests.shopping} plays as much more
of it as one likes.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from securehub import session
from securehub.services.loyalty import cards, promotions
from securehub.services.loyalty.terms import Gain
from securehub.services.orders import escrow, quotes, returns
from tests.books import Play
from tests.shopping import CHOICES, Shopping


def play(seed: int, count: int) -> Play:
    found = Play(seed, make_parts=[Shopping])
    found.play(count)
    return found


class ShoppingTests(SynchronousTestCase):
    """Some thousands of commands."""

    def test_receipts(self) -> None:
        """All is right, and all kinds of things happen, and are refused."""
        found = play(1, 5_000)
        self.assertGreater(found.crashes, 0)
        methods = {method for method, _ in found.outcomes if method.startswith(("orders.", "loyalty."))}
        self.assertEqual({method for method in methods if not found.outcomes[method, "ok"]}, set())
        self.assertGreaterEqual(len(methods), len(CHOICES) - 1)
        refused = {code for method, code in found.outcomes if method.startswith("orders.")}
        self.assertLessEqual({"conflict", "forbidden", "insufficient-funds", "out-of-stock", "not-found", "bad-arguments"}, refused)


class FaultTests(SynchronousTestCase):
    """If something went wrong with an order, the play would tell."""

    def missed(self, place: Any, name: str, fault: Any, told: str, count: int = 2_000) -> None:
        with mock.patch.object(place, name, fault):
            self.assertRegex(str(self.assertRaises(AssertionError, play, 1, count)), told)

    def test_goods(self) -> None:
        """What comes back, or is not confirmed in time, is not put on stock."""
        self.missed(returns, "restock", lambda tx, before, after: None, "in stock, and")
        self.missed(quotes, "put_back", lambda tx, lines: None, "in stock, and")

    def test_money(self) -> None:
        """What is refunded is not paid back; what was held stays so; what was not is paid out."""
        self.missed(returns, "pay_back", lambda tx, number, order, *args, **kwargs: (order, None), "was moved, and it says")
        self.missed(escrow, "free", lambda tx, number, order, units: replace(order, hold=None), "Hold")

    def test_points(self) -> None:
        """What was returned or cancelled leaves its points on the card."""
        take_back = cards.take_back

        def leave(tx: Any, customer: str, gain: Gain, *args: Any, **kwargs: Any) -> Any:
            return take_back(tx, customer, replace(gain, earned=0), *args, **kwargs)

        self.missed(cards, "take_back", leave, "points, and orders say")

    def test_codes(self) -> None:
        """Cancelled orders keep their uses of a code."""
        self.missed(promotions, "give_back", lambda *args: None, "was used .* times, and orders say")

    def test_keys(self) -> None:
        """What is asked again after a crash, because the answer was lost, is done again."""

        def always(tx: Any, key: Any, rule: Any, /, *args: Any, **kwargs: Any) -> Any:
            return rule(tx, *args, **kwargs)

        self.missed(session, "once", always, "there or acknowledged, and not both|in stock, and", 6_000)

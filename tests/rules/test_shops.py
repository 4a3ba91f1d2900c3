"""
Whatever happens in shops, stock, money, points and budgets agree with the orders' history.
"""

from __future__ import annotations

from collections import Counter

from tests.rules.setting import Rules
from tests.rules.shops import MOVES, Shops


class RandomShops(Rules):
    """Shops that are kept at random, on a store that distrusts its rules."""

    def test_history_agrees(self) -> None:
        done: Counter[str] = Counter()
        for seed in range(6):
            super().setUp()
            shops = Shops(seed, self.do, self.ask, self.at)
            shops.play(250)
            done += shops.done
        for move in MOVES:
            self.assertGreater(done[move.__name__], 3, f"{move.__name__} is hardly ever possible, so this says little: {done}")

"""
The programme as long as nobody has set another.
"""

from __future__ import annotations

from securehub.money import Currency
from securehub.services.loyalty.records import Programme, Reward, Tier


def usual_programme(money: Currency) -> Programme:
    """
    A point for each 1.00, two rewards, three tiers; no order is free.

    @param money: the hub's currency.
    """
    one = 10**money.digits
    rewards = tuple(Reward(f"off{amount}", f"{money.text(amount * one)} off", cost, amount * one) for amount, cost in ((5, 100), (10, 180)))
    tiers = (Tier("bronze", 0, 100), Tier("silver", 500 * one, 110), Tier("gold", 2_000 * one, 125))
    return Programme(money.code, money.digits, one, rewards=rewards, tiers=tiers)

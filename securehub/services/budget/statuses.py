"""
The four things that a report says about a bucket. Programs compare these texts: they are part of the protocol.
"""

from __future__ import annotations

from securehub.money import Currency

WITHIN = "Within recommended budget"
MEETING = "Meeting or exceeding savings goal"


def spending(actual: int, recommended: int, money: Currency) -> str:
    """What is said about needs and wants; both in units."""
    return over_budget(actual - recommended, money) if actual > recommended else WITHIN


def saving(actual: int, recommended: int, money: Currency) -> str:
    """What is said about savings; both in units."""
    return f"Below recommended savings by {money.priced(recommended - actual)}" if actual < recommended else MEETING


def over_budget(units: int, money: Currency) -> str:
    return f"Over budget by {money.priced(units)}"

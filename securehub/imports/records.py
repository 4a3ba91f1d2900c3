"""
What has been imported already, so that nothing is imported twice.
"""

from __future__ import annotations

from typing import ClassVar

from securehub.store.records import Record


class Brought(Record, frozen=True):
    """
    What a member brought along from other programs, by username. Whoever has this came by an import.

    @ivar first_month: that of the first item of the budget manager's history, such as C{2025-01}; empty if there was none.
    @ivar months: how many items of it are entered.
    @ivar orders: how many orders the ordering service had counted.
    @ivar accounts: the bank's numbers of the accounts whose balances were booked.
    """

    collection: ClassVar[str] = "brought"
    scanned: ClassVar[bool] = False

    first_month: str = ""
    months: int = 0
    orders: int = 0
    accounts: tuple[str, ...] = ()

"""
What the ledger keeps: accounts, who has which, transfers, and their entries on both sides.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from securehub.money import Currency, currency
from securehub.store.records import Record, number_key

CASH = "@cash"
"""The world outside: what is paid in comes from here, what is paid out goes here."""

BROUGHT = "@import"
"""What members had in other programs: what they bring along comes from here."""


class Account(Record, frozen=True):
    """
    What every payment reads and writes of an account, by its number.

    @ivar owner: a username, or the name of a counterpart such as C{@cash}.
    @ivar digits: the decimals of its currency.
    @ivar balance: in units; what is held is in it.
    @ivar held: units that are reserved and cannot be spent.
    @ivar floor: below this balance no payment may take it; None for counterparts, which may fall without bound.
    @ivar entries: how many entries it has; they count up from 1.
    @ivar watched: whether watchers are told of its movements.
    @ivar ceiling: above this balance no payment may take it; None for no such limit.
    @ivar limited: whether it has limits of its own for what may be paid from it.
    """

    collection: ClassVar[str] = "account"

    owner: str
    currency: str
    digits: int = 2
    balance: int = 0
    held: int = 0
    floor: int | None = 0
    entries: int = 0
    watched: bool = False
    ceiling: int | None = None
    limited: bool = False

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)


class Title(Record, frozen=True):
    """What stays as it was when an account was opened, by its number."""

    collection: ClassVar[str] = "title"
    scanned: ClassVar[bool] = False

    name: str
    opened: datetime


class Wallet(Record, frozen=True):
    """
    The accounts of an owner, by username, in the order in which they were opened.

    @ivar accounts: number and currency of each.
    @ivar watched: whether watchers are told of the movements of all of them.
    """

    collection: ClassVar[str] = "wallet"
    scanned: ClassVar[bool] = False

    accounts: tuple[tuple[str, str], ...]
    watched: bool = False


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    One side of a transfer.

    @ivar account: its number.
    @ivar number: of the entry, in its account.
    @ivar units: what was added to the account; negative where it paid.
    @ivar balance: of the account after it.
    """

    account: str
    number: int
    units: int
    balance: int


class Transfer(Record, frozen=True):
    """
    A movement of money, by number. It is found beneath each account that has an entry in it, too.

    @ivar entries: one for each account, the payer's first; their units add up to zero.
    @ivar by: who did it, where that is not the payer.
    @ivar reference: what it belongs to, such as C{order/41} or, for a reversal, C{transfer/7}.
    """

    collection: ClassVar[str] = "transfer"

    at: datetime
    entries: tuple[Entry, ...]
    kind: str = "transfer"
    memo: str = ""
    by: str = ""
    reference: str = ""

    def beneath(self) -> list[str]:
        return [entry.account for entry in self.entries]

    def sides(self, account: str) -> tuple[Entry, Entry]:
        """The entry of one of the two accounts, and that of the other."""
        payer, payee = self.entries
        return (payer, payee) if payer.account == account else (payee, payer)


ORDERS = "order/"
"""How the reference of an order's money begins. It goes back through its order alone, which counts goods and points."""


def order_reference(number: int) -> str:
    """What the money of an order refers to."""
    return f"{ORDERS}{number}"


ORDER_PAYMENT, ORDER_REFUND = "order", "refund"
"""The kinds of the transfers that pay an order, and that pay something of it back: sellers' takings and members' budgets go by them."""

REVERSALS = "transfer/"
"""How the reference of a transfer begins that undoes another one."""


def transfer_reference(number: int) -> str:
    """What a transfer that undoes this one refers to; in budgets, where the entry comes from that this one has become."""
    return f"{REVERSALS}{number}"


transfer_key = number_key

"""
Promotion codes: a seller's, good for some orders of their items, so often in all and so often for each.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from securehub.money import Currency
from securehub.refusals import Conflict, LimitExceeded, NotFound
from securehub.services.loyalty.records import Promotion, Use, use_key
from securehub.store.transaction import ReadTransaction, Transaction


def good(tx: ReadTransaction, code: str, customer: str, seller: str, price: int, money: Currency, *, at: datetime) -> Promotion:
    """
    The promotion of a code, if this order may use it.

    @raise NotFound: there is no such code, or none for that seller's items.
    @raise Conflict: it is over, or not for this order.
    @raise LimitExceeded: it was used as often as it may be.
    """
    found = tx.get(Promotion, code)
    if found is None or found.seller != seller:
        raise NotFound(f"there is no code {code} for what {seller} sells")
    if not found.active or (found.expires is not None and found.expires <= at):
        raise Conflict(f"the code {code} is over")
    if (found.units or found.least) and found.currency != money.code:
        raise Conflict(f"the code {code} is for orders in {found.currency}")
    if price < found.least:
        raise Conflict(f"the code {code} is for orders from {money.priced(found.least)} on; this one is {money.priced(price)}")
    if found.uses is not None and found.used >= found.uses:
        raise LimitExceeded(f"the code {code} was used {found.used} times; {found.uses} are allowed")
    used = _used(tx, code, customer)
    if found.each is not None and used >= found.each:
        raise LimitExceeded(f"you have used the code {code} {used} times; {found.each} are allowed")
    return found


def use(tx: Transaction, code: str, promotion: Promotion, customer: str) -> None:
    """An order uses a code that is good."""
    tx.put(code, replace(promotion, used=promotion.used + 1))
    tx.put(use_key(code, customer), Use(_used(tx, code, customer) + 1))


def give_back(tx: Transaction, code: str, customer: str) -> None:
    """An order that used a code is cancelled."""
    promotion = tx.get(Promotion, code)
    if promotion is not None:
        tx.put(code, replace(promotion, used=promotion.used - 1))
        tx.put(use_key(code, customer), Use(_used(tx, code, customer) - 1))


def _used(tx: ReadTransaction, code: str, customer: str) -> int:
    found = tx.get(Use, use_key(code, customer))
    return found.count if found else 0

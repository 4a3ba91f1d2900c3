"""
Promotion codes: a seller's, good for some orders of their items, so often in all and so often for each.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import NamedTuple

from msgspec.structs import replace

from securehub.money import Amount, Currency
from securehub.refusals import BadArgument, Conflict, Exists, LimitExceeded, NotFound
from securehub.reply import Listing, Reply, Row
from securehub.services.loyalty.records import Codes, Promotion, Use, use_key
from securehub.services.times import When, future
from securehub.store.transaction import ReadTransaction, Transaction

MOST_CODES = 100
"""Of a seller."""


class PromotionRow(Row, frozen=True):
    """
    A promotion.

    @ivar amount: off the price; null where it is a percentage.
    @ivar percent: off the price; null where it is an amount.
    @ivar least: what an order has to cost for it.
    @ivar uses: how often it may be used; zero for no limit.
    @ivar each: how often by one member; zero for no limit.
    @ivar used: how often it was used.
    """

    code: str
    amount: str | None
    percent: int | None
    currency: str
    least: str
    uses: int
    each: int
    used: int
    expires: datetime | None
    active: bool


class PromotionSet(Reply, frozen=True):
    """A promotion as it is now."""

    code: str
    amount: str | None
    percent: int | None
    currency: str
    least: str
    uses: int
    each: int
    used: int
    expires: datetime | None
    active: bool

    def status(self) -> str:
        off = f"{self.amount} {self.currency}" if self.amount else f"{self.percent} %"
        state = "" if self.active else " It is over."
        return f"{self.code}: {off} off, used {self.used} times.{state}"


class Draft(NamedTuple):
    """
    What a seller says about a promotion; None where nothing is said, C{none} for what it is to have no more.
    """

    amount: Amount | None
    percent: int | None
    least: Amount | str | None
    uses: int | None
    each: int | None
    expires: When | str | None
    active: bool | None


def set_promotion(tx: Transaction, seller: str, code: str, draft: Draft, usual: Currency, *, at: datetime, zone: tzinfo) -> PromotionSet:
    """
    Make a promotion, or change one. Orders that have used it keep what it took off.

    @param usual: the currency of its amounts, where it is new.
    @param zone: that of days.

    @raise Exists: the code is another seller's.
    @raise BadArgument: it is neither an amount nor a percentage, or both; or it would be over already.
    @raise LimitExceeded: the seller has too many.
    """
    promotion = tx.get(Promotion, code)
    if promotion is None:
        _add_code(tx, seller, code)
        promotion = Promotion(seller, usual.code, usual.digits)
    elif promotion.seller != seller:
        raise Exists(f"the code {code} is taken")
    money = promotion.money
    if draft.amount is not None or draft.percent is not None or not (promotion.units or promotion.percent):
        units, percent = discount(money, draft.amount, draft.percent)
        promotion = replace(promotion, units=units, percent=percent)
    said = {name: value for name in ("uses", "each", "active") if (value := getattr(draft, name)) is not None}
    if draft.expires is not None:
        said["expires"] = None if isinstance(draft.expires, str) else future("expires", draft.expires, at=at, zone=zone)
    if draft.least is not None:
        said["least"] = 0 if isinstance(draft.least, str) else money.units(draft.least, "least")
    promotion = replace(promotion, **said)
    tx.put(code, promotion)
    return PromotionSet(*_fields(code, promotion))


def promotions_of(tx: ReadTransaction, seller: str) -> Listing[PromotionRow]:
    codes = (tx.get(Codes, seller) or Codes()).codes
    return Listing([PromotionRow(*_fields(code, tx.fetch(Promotion, code))) for code in codes])


def discount(money: Currency, amount: Amount | None, percent: int | None) -> tuple[int, int]:
    """
    Units and percent of a discount, of which one is zero.

    @raise BadArgument: it is neither, or both.
    """
    if (amount is None) == (percent is None):
        raise BadArgument("give either an amount or a percentage")
    return money.units(amount) if amount else 0, percent or 0


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
    if found.uses and found.used >= found.uses:
        raise LimitExceeded(f"the code {code} was used {found.used} times; {found.uses} are allowed")
    used = _used(tx, code, customer)
    if found.each and used >= found.each:
        raise LimitExceeded(f"you have used the code {code} {used} times; {found.each} are allowed")
    return found


def use(tx: Transaction, code: str, promotion: Promotion, customer: str) -> None:
    """An order uses a code that is good."""
    tx.put(code, replace(promotion, used=promotion.used + 1))
    tx.put(use_key(customer, code), Use(_used(tx, code, customer) + 1))


def give_back(tx: Transaction, code: str, customer: str) -> None:
    """An order that used a code is cancelled."""
    promotion = tx.get(Promotion, code)
    if promotion is not None:
        tx.put(code, replace(promotion, used=promotion.used - 1))
        tx.put(use_key(customer, code), Use(_used(tx, code, customer) - 1))


def _add_code(tx: Transaction, seller: str, code: str) -> None:
    codes = (tx.get(Codes, seller) or Codes()).codes
    if len(codes) >= MOST_CODES:
        raise LimitExceeded(f"you have {len(codes)} codes; {MOST_CODES} are allowed")
    tx.put(seller, Codes(tuple(sorted((*codes, code)))))


def _fields(code: str, promotion: Promotion) -> tuple[str, str | None, int | None, str, str, int, int, int, datetime | None, bool]:
    money = promotion.money
    amount = money.text(promotion.units) if promotion.units else None
    limits = promotion.uses, promotion.each, promotion.used
    return code, amount, promotion.percent or None, money.code, money.text(promotion.least), *limits, promotion.expires, promotion.active


def _used(tx: ReadTransaction, code: str, customer: str) -> int:
    found = tx.get(Use, use_key(customer, code))
    return found.count if found else 0

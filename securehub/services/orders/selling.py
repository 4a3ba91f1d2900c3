"""
The seller's side: what to pack, what was taken, what sells, what runs out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from securehub import arguments
from securehub.command import MEMBER, SELLER, command, last_seen, named, optional
from securehub.money import Currency
from securehub.refusals import LimitExceeded
from securehub.reply import Listing, Reply, Roster, Row, Top
from securehub.services import times
from securehub.services.ledger.records import ORDER_PAYMENT, ORDER_REFUND, Account, Transfer, Wallet, transfer_key
from securehub.services.ledger.statements import first_since
from securehub.services.orders import words
from securehub.services.orders.records import Item, Order, Shop, Stock, of_seller, order_key
from securehub.services.tables import Export, as_table, harmless, stamp
from securehub.services.times import When, beginning, meant
from securehub.session import Session
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub

MOST_ROWS = 5_000
"""One answer is looked up in one go: so many orders of three lines take some 20 ms, in which nobody else is served."""

MOST_LINES = 15_000
"""Of all orders of one answer together, as those of forty lines take longer."""

TO_PACK = ("placed", "accepted", "preparing")
"""In these states the goods are still there."""

BEST_DAYS = 30


class ShopSet(Reply, frozen=True):
    """
    What a seller has chosen.

    @ivar escrow: whether what customers pay is held until the order is delivered.
    @ivar escrow_days: the days after which the money is the seller's in any case.
    """

    escrow: bool
    escrow_days: int

    def status(self) -> str:
        if self.escrow:
            return f"What is paid is held until the order is delivered, or for {self.escrow_days} days."
        return "What is paid is yours at once."


class StockRow(Row, frozen=True):
    """
    An item of the caller's.

    @ivar low: the seller is told when fewer are left; zero for never.
    @ivar active: whether it can be ordered.
    """

    sku: str
    name: str
    price: str
    currency: str
    stock: int
    low: int
    active: bool


class PackRow(Row, frozen=True):
    """How many of an item have to be packed, for which orders."""

    sku: str
    name: str
    quantity: int
    unit: str
    orders: list[int]


class TakingsRow(Row, frozen=True):
    """
    What a seller has taken on a day, in one currency.

    @ivar payments: how many orders were paid.
    @ivar paid: what for.
    @ivar refunded: what went back, of these or earlier orders.
    @ivar total: the difference.
    """

    day: date
    currency: str
    payments: int
    paid: str
    refunded: str
    total: str


class BestRow(Row, frozen=True):
    """How much of an item was sold, without what came back; its price before any reduction."""

    sku: str
    name: str
    quantity: int
    orders: int
    amount: str
    currency: str


def days(word: str) -> int:
    """how many days, 1 to 366"""
    return arguments.between(word, 1, 366)


class Selling:
    """Commands for those who sell."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone

    @command(None, access=SELLER, writes=True, escrow=named(arguments.switch), escrow_days=named(days))
    async def shop(self, session: Session, escrow: bool | None = None, escrow_days: int | None = None) -> ShopSet:
        """
        Say when you are paid.

        Without escrow you are paid at once. With escrow=on the money is held until the order is delivered, or for escrow_days= days, 14 at
        first. Orders already placed keep what they had.
        """
        return await session.transact(set_shop, session.member, escrow, escrow_days)

    @command(None, access=MEMBER, long=True, low=named(arguments.switch), limit=named(arguments.listed), after=last_seen(words.sku))
    async def stock(self, session: Session, low: bool = False, limit: int = 20, after: str = "") -> Roster[StockRow]:
        """
        List your items, including those that cannot be ordered.

        With low=on, only those of which fewer are left than you said.
        """
        return await self.store.read(stock_of, session.member, after, low=low, limit=limit)

    @command(None, access=MEMBER, long=True)
    async def packlist(self, session: Session) -> Listing[PackRow]:
        """List what you have to pack, over all orders that are not on their way yet."""
        return await self.store.read(pack_list, session.member)

    @command(None, access=MEMBER, long=True, day=optional(times.day))
    async def takings(self, session: Session, day: date | None = None) -> Listing[TakingsRow]:
        """Show what your orders brought on a day, by default today."""
        day = day or self.clock.now().astimezone(self.zone).date()
        return await self.store.read(takings, session.member, day, zone=self.zone)

    @command(None, access=MEMBER, long=True, days=named(days), limit=named(arguments.listed))
    async def best(self, session: Session, days: int = BEST_DAYS, limit: int = 20) -> Top[BestRow]:
        """List those of your items that were ordered most, in the last 30 days unless you give days=."""
        since = self.clock.now() - timedelta(days=days)
        return await self.store.read(best_sellers, session.member, since, limit=limit)

    @command(None, access=MEMBER, long=True, start=named(times.moment), end=named(times.moment))
    async def export(self, session: Session, start: When | None = None, end: When | None = None) -> Export:
        """
        Give the orders placed with you as CSV, a row for each line of an order.

        It has those placed from the start on and before the end.
        """
        now = self.clock.now()
        bounds = [None if each is None else meant(each, at=now, zone=self.zone) for each in (start, end)]
        found = await self.store.read(placed, session.member, *bounds)
        return Export("".join(await session.in_turns(as_table(_rows(found, self.zone)))))


def set_shop(tx: Transaction, seller: str, escrow: bool | None, escrow_days: int | None) -> ShopSet:
    shop = tx.get(Shop, seller) or Shop()
    shop = replace(
        shop,
        escrow=shop.escrow if escrow is None else escrow,
        escrow_days=shop.escrow_days if escrow_days is None else escrow_days,
    )
    tx.put(seller, shop)
    return ShopSet(shop.escrow, shop.escrow_days)


def stock_of(tx: ReadTransaction, seller: str, after: str, *, low: bool, limit: int) -> Roster[StockRow]:
    """
    A seller's items, by their short names.

    @param low: only those of which the seller wants to be warned.
    """
    rows = (_stock_row(tx, sku, item) for sku, item in tx.beneath(Item, seller, start=behind(after)))
    return Roster.up_to(limit, (row for row in rows if not low or row.stock < row.low))


def _stock_row(tx: ReadTransaction, sku: str, item: Item) -> StockRow:
    count = tx.fetch(Stock, sku).count
    return StockRow(sku, item.name, item.money.text(item.units), item.currency, count, item.low, item.active)


def pack_list(tx: ReadTransaction, seller: str) -> Listing[PackRow]:
    """
    @raise LimitExceeded: there are too many orders in the queue.
    """
    rows: dict[str, PackRow] = {}
    for number, order in _orders(tx, seller, None, None, (True,), instead="advance those first that are delivered"):
        if order.status not in TO_PACK:
            continue
        for line in order.lines:
            left = line.quantity - line.returned
            if left:
                row = rows.get(line.sku) or PackRow(line.sku, line.name, 0, line.unit, [])
                row.orders.append(number)
                rows[line.sku] = replace(row, quantity=row.quantity + left)
    return Listing([rows[sku] for sku in sorted(rows)])


def takings(tx: ReadTransaction, seller: str, day: date, *, zone: tzinfo) -> Listing[TakingsRow]:
    """
    What orders have brought on a day, as the books say: an order that is held counts on the day on which it is paid out.

    @raise LimitExceeded: too much was booked on that day.
    """
    # No day follows the last one that can be written, so nothing is on it.
    start, end = beginning(day, zone), beginning(min(day, date.max - date.resolution) + date.resolution, zone)
    wallet = tx.get(Wallet, seller) or Wallet(())
    sums: dict[Currency, list[int]] = {}
    for account, _ in wallet.accounts:
        money = tx.fetch(Account, account).money
        for transfer in _booked(tx, account, start, end):
            units = transfer.sides(account)[0].units
            each = sums.setdefault(money, [0, 0, 0])
            if transfer.kind == ORDER_PAYMENT and units > 0:
                each[0] += 1
                each[1] += units
            elif transfer.kind == ORDER_REFUND and units < 0:
                each[2] -= units
    return Listing(
        [
            TakingsRow(day, money.code, payments, money.text(paid), money.text(refunded), money.text(paid - refunded))
            for money, (payments, paid, refunded) in sums.items()
            if payments or refunded
        ]
    )


def best_sellers(tx: ReadTransaction, seller: str, since: datetime, *, limit: int) -> Top[BestRow]:
    """
    @raise LimitExceeded: there were too many orders since.
    """
    rows: dict[tuple[str, str], BestRow] = {}
    units: dict[tuple[str, str], int] = {}
    moneys: dict[tuple[str, str], Currency] = {}
    for _, order in _orders(tx, seller, since, None):
        for line in order.lines:
            sold = line.quantity - line.returned
            if not sold:
                continue
            key = line.sku, order.currency
            row = rows.get(key) or BestRow(line.sku, line.name, 0, 0, "", order.currency)
            rows[key] = replace(row, name=line.name, quantity=row.quantity + sold, orders=row.orders + 1)
            units[key] = units.get(key, 0) + line.units * sold
            moneys[key] = order.money
    ranked = sorted(rows, key=lambda key: (-rows[key].quantity, key))
    return Top([replace(rows[key], amount=moneys[key].text(units[key])) for key in ranked[:limit]], more=len(ranked) > limit)


def placed(tx: ReadTransaction, seller: str, start: datetime | None, end: datetime | None) -> list[tuple[int, Order]]:
    """
    The orders that were placed with a seller from the start on and before the end, in their order.

    @raise LimitExceeded: there are too many.
    """
    return sorted(_orders(tx, seller, start, end), key=lambda each: each[0])


def _rows(orders: Iterable[tuple[int, Order]], zone: tzinfo) -> Iterator[tuple[Any, ...]]:
    yield _COLUMNS
    for number, order in orders:
        money = order.money
        total, refunded = money.text(order.total), money.text(order.refunded)
        at = stamp(order.at, zone)
        deliver_to = harmless(order.deliver_to)
        for line in order.lines:
            goods = (line.sku, harmless(line.name), line.quantity, line.returned, money.text(line.units), money.text(line.price))
            yield number, at, order.status, order.customer, *goods, total, refunded, money.code, deliver_to


_COLUMNS = (
    *("order", "at", "status", "customer", "sku", "name", "quantity", "returned", "price", "amount"),
    *("total", "refunded", "currency", "deliver_to"),
)


def _orders(
    tx: ReadTransaction,
    seller: str,
    start: datetime | None,
    end: datetime | None,
    open_or_over: Iterable[bool] = (True, False),
    *,
    instead: str = "ask for a shorter time",
) -> Iterator[tuple[int, Order]]:
    """
    The orders that were placed with a seller from the start on and before the end, those in the queue first.

    @param instead: what to do where there are too many.

    @raise LimitExceeded: there are too many.
    """
    count = lines = 0
    for is_open in open_or_over:
        parent = of_seller(seller, is_open)
        first = order_key(0 if start is None else first_since(tx, Order, parent, start))
        past = None if end is None else order_key(first_since(tx, Order, parent, end))
        for key, order in tx.beneath(Order, parent, start=first, end=past):
            count += 1
            lines += len(order.lines)
            if count > MOST_ROWS or lines > MOST_LINES:
                raise LimitExceeded(f"there are more than {MOST_ROWS} orders, or {MOST_LINES} lines in them; {instead}")
            yield int(key), order


def _booked(tx: ReadTransaction, account: str, start: datetime, end: datetime) -> Iterator[Transfer]:
    first, past = (transfer_key(first_since(tx, Transfer, account, each)) for each in (start, end))
    for count, (_, transfer) in enumerate(tx.beneath(Transfer, account, start=first, end=past)):
        if count == MOST_ROWS * 4:
            raise LimitExceeded(f"there are more than {MOST_ROWS * 4} entries on that day")
        yield transfer

"""
What orders say of themselves is the law: stock, money, points and the uses of codes are what the orders' history makes them, at any moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from securehub.services.ledger.holds import Hold
from securehub.services.ledger.records import ORDER_PAYMENT, ORDER_REFUND, Account, Transfer, transfer_key
from securehub.services.loyalty.records import Card, Change, Promotion, Use, use_key
from securehub.services.loyalty.terms import share
from securehub.services.orders.records import Order, Quote, Reserving, Shop, Stock, of_customer, of_seller
from securehub.services.orders.states import FIRST, OVER, STEPS
from securehub.store.transaction import ReadTransaction

Orders = Mapping[int, Order]


def orders_of(tx: ReadTransaction, names: Iterable[str]) -> dict[int, Order]:
    """All that these members have placed or had placed with them, by number."""
    found: dict[str, Order] = {}
    for name in names:
        for parent in (of_customer(name), of_seller(name, True), of_seller(name, False)):
            found.update(tx.beneath(Order, parent))
    return {int(key): found[key] for key in sorted(found)}


def quotes_of(tx: ReadTransaction, names: Iterable[str]) -> dict[int, Quote]:
    """All that these members have open, by number."""
    found = dict(pair for name in names for pair in tx.beneath(Quote, of_customer(name)))
    return {int(key): found[key] for key in sorted(found)}


def paid(order: Order) -> int:
    """What the seller has of an order by now."""
    return order.total - order.refunded if order.transfer is not None else 0


def points(order: Order) -> int:
    """What an order has brought, less what its reward has cost, less what was taken back."""
    return _kept(order, order.gain.earned) - _kept(order, order.gain.cost)


def _kept(order: Order, gained: int) -> int:
    """What is left of something that an order brought, after what went back."""
    return gained - share(gained, *_gone_back(order))


def has_gone_back(order: Order) -> bool:
    """Whether nothing is left of an order."""
    part, whole = _gone_back(order)
    return part == whole


def _gone_back(order: Order) -> tuple[int, int]:
    """What part of an order has gone back, and of what: of the money, or of the goods where they cost nothing."""
    return (order.refunded, order.total) if order.total else (order.price_of_returned, order.price)


def check(
    tx: ReadTransaction, names: Sequence[str], supplied: Mapping[str, int], wasted: Mapping[str, int], codes: Iterable[str]
) -> dict[int, Order]:
    """
    The whole law.

    @param names: of all members who order or sell.
    @param supplied: what sellers have put on stock, by sku.
    @param wasted: what came back and could not be sold again.
    @param codes: of promotions.

    @return: the orders, by number.

    @raise AssertionError: something is not what the orders say.
    """
    orders = orders_of(tx, names)
    check_steps(orders)
    check_places(tx, orders, names)
    check_stock(tx, orders, quotes_of(tx, names), supplied, wasted)
    check_money(tx, orders)
    check_cards(tx, orders, names)
    for code in codes:
        check_code(tx, orders, code)
    return orders


def check_steps(orders: Orders) -> None:
    """Each order came to where it is by steps that there are, one after the other."""
    for number, order in orders.items():
        states = [step.status for step in order.steps]
        assert states[0] == FIRST, (number, states)
        assert all(later in STEPS[earlier] for earlier, later in pairwise(states)), (number, states)
        times = [step.at for step in order.steps]
        assert times == sorted(times) and times[0] == order.at, (number, times)
        assert all(0 <= line.returned <= line.quantity for line in order.lines), (number, order.lines)
        assert 0 <= order.refunded <= order.total, (number, order)
        assert order.total == order.price - sum(each.units for each in order.reductions) >= 0, (number, order)


def check_places(tx: ReadTransaction, orders: Orders, names: Iterable[str]) -> None:
    """Customers find what they have ordered, and sellers what was ordered of them: in the queue, or with what is over."""
    for name in names:
        bought = [int(key) for key, _ in tx.beneath(Order, of_customer(name))]
        assert bought == [number for number, order in orders.items() if order.customer == name], (name, bought)
        for is_open in (True, False):
            found = [int(key) for key, _ in tx.beneath(Order, of_seller(name, is_open))]
            expected = [number for number, order in orders.items() if order.seller == name and (order.status not in OVER) == is_open]
            assert found == expected, (name, is_open, found, expected)
        shop = tx.get(Shop, name) or Shop()
        assert shop.open == sum(order.seller == name and order.status not in OVER for order in orders.values()), (name, shop)


def check_stock(
    tx: ReadTransaction, orders: Orders, quotes: Mapping[int, Quote], supplied: Mapping[str, int], wasted: Mapping[str, int]
) -> None:
    """What is left is what was put there, less what orders and quotes have."""
    gone: Counter[str] = Counter()
    for order in orders.values():
        for line in order.lines:
            gone[line.sku] += line.quantity - line.returned
    for quote in quotes.values():
        for line in quote.lines:
            gone[line.sku] += line.quantity
    for sku, count in supplied.items():
        left = count - gone[sku] - wasted.get(sku, 0)
        assert tx.fetch(Stock, sku).count == left >= 0, f"{sku}: {tx.fetch(Stock, sku).count} in stock, and {left} should be"
    reserving = Counter(quote.customer for quote in quotes.values())
    for name in {order.customer for order in orders.values()} | set(reserving):
        found = tx.get(Reserving, name)
        assert (found.quotes if found else 0) == reserving[name], (name, found)


def check_money(tx: ReadTransaction, orders: Orders) -> None:
    """Each order has what the ledger has under its name, and the ledger has nothing under the name of an order that there is not."""
    accounts = [number for number, _ in tx.scan(Account)]
    moved: Counter[int] = Counter()
    payments: dict[int, int] = {}
    for key, transfer in {key: each for account in accounts for key, each in tx.beneath(Transfer, account)}.items():
        kind, _, number = transfer.reference.partition("/")
        if kind == "order" or transfer.kind in (ORDER_PAYMENT, ORDER_REFUND):
            order = orders.get(int(number))
            assert order is not None, f"transfer {int(key)} belongs to an order that there is not: {transfer}"
            units = {entry.account: entry.units for entry in transfer.entries}
            assert units.keys() == {order.source, order.target}, (order, transfer)
            moved[int(number)] += units[order.target]
            if transfer.kind == ORDER_PAYMENT:
                assert int(number) not in payments, f"order {number} was paid twice"
                payments[int(number)] = int(key)
    for number, order in orders.items():
        assert moved[number] == paid(order), f"order {number}: {moved[number]} was moved, and it says {paid(order)}: {order}"
        assert payments.get(number) == order.transfer, (number, order)
        assert order.transfer is None or tx.get(Transfer, transfer_key(order.transfer)) is not None, (number, order)
        settled = order.transfer is not None or order.is_held or order.refunded == order.total
        assert settled, f"order {number} is neither paid nor held: {order}"
        assert not (order.is_held and order.status in OVER), f"order {number} is {order.status}, and its money is held"
    _check_held(tx, orders, accounts)


def _check_held(tx: ReadTransaction, orders: Orders, accounts: Iterable[str]) -> None:
    held = {int(key): each for account in accounts for key, each in tx.beneath(Hold, account) if each.reference}
    assert held.keys() == {order.hold for order in orders.values() if order.is_held}, held
    for number, each in held.items():
        order = orders[int(each.reference.removeprefix("order/"))]
        assert order.hold == number, (number, each, order)
        assert (each.source, each.target, each.units) == (order.source, order.target, order.total - order.refunded), (each, order)


def check_cards(tx: ReadTransaction, orders: Orders, names: Iterable[str]) -> None:
    """Each card is what its member's orders have made of it, and its history says so, too."""
    for name in names:
        card = tx.get(Card, name) or Card()
        own = [order for order in orders.values() if order.customer == name]
        live = [order for order in own if order.status != "cancelled"]
        expected = sum(map(points, own)) - sum(voucher.cost for voucher in card.vouchers)
        assert card.points == expected, f"{name} has {card.points} points, and orders say {expected}"
        assert card.orders == len(live), (name, card)
        assert card.open == sum(order.status not in OVER for order in own), (name, card)
        assert card.stamps == sum(order.gain.stamps for order in own if not has_gone_back(order)), (name, card)
        for month, units in card.spent.items():
            assert units == sum(_kept(order, order.gain.spent) for order in own if order.gain.month == month), (name, month, card)
        changes = [change for _, change in tx.scan(Change, f"{name}/")]
        assert len(changes) == card.entries, (name, card)
        assert card.points == sum(change.points for change in changes), (name, card)
        assert not changes or changes[-1].balance == card.points, (name, card)


def check_code(tx: ReadTransaction, orders: Orders, code: str) -> None:
    """A code was used by the orders that say so and are not cancelled, and not more often than it may be."""
    promotion = tx.fetch(Promotion, code)
    used = Counter(order.customer for order in orders.values() if order.code == code and order.status != "cancelled")
    assert promotion.used == used.total(), f"{code} was used {promotion.used} times, and orders say {used.total()}"
    assert not promotion.uses or promotion.used <= promotion.uses, (code, promotion)
    for name in {order.customer for order in orders.values()}:
        found = tx.get(Use, use_key(name, code))
        assert (found.count if found else 0) == used[name], (name, code, found)
        assert not promotion.each or used[name] <= promotion.each, (name, code, used)

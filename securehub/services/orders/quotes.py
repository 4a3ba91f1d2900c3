"""
Ordering in two steps: a quote says what it costs and reserves the goods for some minutes; whoever confirms it pays no more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from securehub import agenda
from securehub.event import Event
from securehub.money import is_zero
from securehub.refusals import Conflict, LimitExceeded, NotFound
from securehub.reply import Listing, Reply, Row, when
from securehub.services.ledger import movement
from securehub.services.ledger.watching import Watcher
from securehub.services.loyalty.records import Programme
from securehub.services.orders.placing import Basket, Choice, Placed, book, fill, paying_of, refuse_idle, take_off_stock, weigh
from securehub.services.orders.records import Line, Quote, Reserving, Stock, of_customer, order_key
from securehub.services.orders.words import Wanted
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

DUTY = "orders.quote"
"""The duty that ends quotes whose time has come."""

MOST_QUOTES = 5
"""That a member may have open, each for no more than they could pay: goods that are reserved are not sold to others."""


class QuotedRow(Row, frozen=True):
    """A line of a quote; the price is of one."""

    sku: str
    name: str
    quantity: int
    price: str
    amount: str


class Quoted(Reply, frozen=True):
    """
    What an order costs, if it is confirmed in time.

    @ivar discount: what is taken off the price.
    @ivar earned: points that it brings.
    @ivar cost: points that its reward costs, even if they are paid already.
    """

    quote: int
    total: str
    currency: str
    seller: str
    discount: str
    earned: int
    expires: datetime
    items: list[QuotedRow]
    cost: int = 0

    def status(self) -> str:
        off = "" if is_zero(self.discount) else f" ({self.discount} {self.currency} off)"
        points = f" and {self.cost} points" if self.cost else ""
        goods = ", ".join(f"{each.quantity} {each.sku}" for each in self.items)
        return (
            f"Quote {self.quote}: {goods} from {self.seller} for {self.total} {self.currency}{off}{points}, until {when(self.expires)}. "
            f"CONFIRM {self.quote} orders it."
        )


class Discarded(Reply, frozen=True):
    """A quote that was given up."""

    quote: int

    def status(self) -> str:
        return f"Quote {self.quote} is given up."


class QuoteRow(Row, frozen=True):
    """A quote of the caller's."""

    quote: int
    at: datetime
    expires: datetime
    total: str
    currency: str
    seller: str


class QuoteEnded(Event, frozen=True):
    """A quote of yours was not confirmed in time."""

    method = "orders.quote_ended"

    quote: int
    seller: str
    total: str
    currency: str

    def text(self) -> str:
        return f"Quote {self.quote} of {self.total} {self.currency} from {self.seller} is over."


def quote(
    tx: Transaction, customer: str, wanted: Sequence[Wanted], choice: Choice, usual: Programme, *, seconds: int, at: datetime, zone: tzinfo
) -> Quoted:
    """
    Say what an order costs, and reserve what is wanted.

    @param seconds: for so long.

    @raise OutOfStock: there are not enough.
    @raise NotFound: there is no such item, reward, code or account.
    @raise InsufficientFunds: the customer could not pay it now.
    @raise LimitExceeded: the customer has too many quotes open.
    """
    basket = fill(tx, wanted)
    terms = weigh(tx, customer, basket, choice, usual, at=at, zone=zone)
    # Before goods are reserved that nobody pays for.
    paying = paying_of(tx, customer, basket, choice.source, terms.total)
    if paying.units:
        movement.refuse_lacking(paying.payer, paying.units)
    _count(tx, customer, 1)
    take_off_stock(tx, basket)
    number = tx.number("quote")
    until = at + timedelta(seconds=seconds)
    money = basket.money
    made = Quote(at, customer, basket.seller, money.code, money.digits, basket.lines, terms.total, until, *choice, terms.gain.cost)
    tx.put(order_key(number), made)
    agenda.remind(tx, DUTY, order_key(number), until)
    rows = [QuotedRow(each.sku, each.name, each.quantity, money.text(each.units), money.text(each.price)) for each in basket.lines]
    off = money.text(basket.price - terms.total)
    return Quoted(number, money.text(terms.total), money.code, basket.seller, off, terms.gain.earned, until, rows, terms.gain.cost)


def confirm(
    tx: Transaction,
    number: int,
    customer: str,
    usual: Programme,
    *,
    limit: int,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> Placed:
    """
    Place the order of a quote.

    @raise NotFound: the customer has no such quote, or it is over.
    @raise Conflict: it would cost more by now, as what made it cheaper is gone; or the seller does not sell any more.
    """
    found = _open_quote(tx, number, customer, at=at)
    refuse_idle(tx, found.seller)
    choice = Choice(found.deliver_to, found.note, found.reward, found.code, found.source)
    basket = Basket(found.seller, found.money, found.lines, {})
    terms = weigh(tx, customer, basket, choice, usual, at=at, zone=zone)
    if terms.total > found.total:
        money = found.money
        raise Conflict(f"it costs {money.priced(terms.total)} by now, and the quote says {money.priced(found.total)}; ask for another one")
    if terms.gain.cost > found.cost:
        raise Conflict(f"its reward costs {terms.gain.cost} points by now, and the quote says {found.cost}; ask for another one")
    _end(tx, number, found)
    return book(tx, customer, basket, choice, terms, limit=limit, at=at, zone=zone, watchers=watchers)


def discard(tx: Transaction, number: int, customer: str, *, at: datetime) -> Discarded:
    """
    Give a quote up; what it reserved is on stock again.

    @raise NotFound: the customer has no such quote, or it is over.
    """
    found = _open_quote(tx, number, customer, at=at)
    _end(tx, number, found)
    put_back(tx, found.lines)
    return Discarded(number)


def expire(tx: Transaction, key: str, *, at: datetime) -> None:
    """End a quote whose time has come, if it is still there."""
    found = tx.get(Quote, key)
    if found is None:
        return
    _end(tx, int(key), found)
    put_back(tx, found.lines)
    money = found.money
    tx.announce(member(found.customer), QuoteEnded(int(key), found.seller, money.text(found.total), money.code))


def quotes_of(tx: ReadTransaction, customer: str) -> Listing[QuoteRow]:
    """A member's quotes, newest first."""
    return Listing(
        [
            QuoteRow(int(key), each.at, each.expires, each.money.text(each.total), each.currency, each.seller)
            for key, each in tx.beneath(Quote, of_customer(customer), reverse=True)
        ]
    )


def put_back(tx: Transaction, lines: Sequence[Line]) -> None:
    """Put on stock what was reserved."""
    for line in lines:
        stock = tx.get(Stock, line.sku) or Stock(0)
        tx.put(line.sku, Stock(stock.count + line.quantity))


def _open_quote(tx: ReadTransaction, number: int, customer: str, *, at: datetime) -> Quote:
    found = tx.get(Quote, order_key(number))
    if found is None or found.customer != customer or found.expires <= at:
        raise NotFound(f"you have no quote {number}, or it is over")
    return found


def _end(tx: Transaction, number: int, ended: Quote) -> None:
    _count(tx, ended.customer, -1)
    agenda.forget(tx, DUTY, order_key(number), ended.expires)
    tx.delete(Quote, order_key(number))


def _count(tx: Transaction, customer: str, change: int) -> None:
    """
    @raise LimitExceeded: the customer has as many quotes open as are allowed.
    """
    reserving = tx.get(Reserving, customer) or Reserving(0)
    if change > 0 and reserving.quotes >= MOST_QUOTES:
        raise LimitExceeded(f"you have {reserving.quotes} quotes open; {MOST_QUOTES} are allowed")
    tx.put(customer, Reserving(reserving.quotes + change))

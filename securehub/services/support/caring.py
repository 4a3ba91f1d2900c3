"""
What agents do inside a case besides paying: give back some of an order's price, and give points. Like all that agents give, it is one
commit with the message that shows it, and bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from securehub import arguments
from securehub.arguments import whole
from securehub.command import Audited, command, named, optional, role
from securehub.money import Amount
from securehub.refusals import BadArgument, Conflict, Forbidden, LimitExceeded
from securehub.reply import MoneyReply, Reply
from securehub.services.ledger.booking import booking
from securehub.services.ledger.watching import Watcher
from securehub.services.loyalty import cards
from securehub.services.messages import Message, Receipt
from securehub.services.support import cases, giving
from securehub.services.support.events import AGENT
from securehub.services.support.facts import OrderRefund, refund_of
from securehub.services.support.giving import POINTS, Allowance
from securehub.services.support.records import Given
from securehub.session import Session
from securehub.store.transaction import Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub


def points(word: str) -> int:
    """a number of points, from 1 on"""
    count = whole(word)
    if not count:
        raise BadArgument("at least one point is given")
    return count


class OrderRefunded(MoneyReply, frozen=True):
    """
    Some of an order's price that an agent has given back.

    @ivar seq: of the message that shows it.
    @ivar transfer: the number of the payment back; null where nothing had been paid yet.
    @ivar left: what the agent may still give today.
    """

    ticket: int
    seq: int
    order: int
    transfer: int | None
    amount: str
    currency: str
    left: str

    def told(self) -> str:
        refunded = f"{self.amount} {self.currency} of order {self.order} are refunded."
        return f"{refunded} {giving.afterwards(self.seq, f'{self.left} {self.currency}')}"


class PointsGiven(Reply, frozen=True):
    """
    Points that an agent has given a customer.

    @ivar seq: of the message that shows it.
    @ivar balance: the customer's points now.
    @ivar left: points that the agent may still give today.
    """

    ticket: int
    seq: int
    points: int
    balance: int
    left: int

    def status(self) -> str:
        return f"{self.points} points are given. {giving.afterwards(self.seq, f'{self.left} points')}"


class Caring:
    """The part of the desk that sees to orders and points."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.booking = booking(hub)
        self.order_refunds = hub.order_refunds
        self.allowed = giving.allowance(hub)

    @command(
        None,
        access=role(AGENT),
        moves=True,
        audited=Audited.ALWAYS,
        ticket=arguments.whole,
        amount=arguments.amount,
        reason=optional(arguments.memo),
        order=named(arguments.whole),
    )
    async def refund_order(
        self, session: Session, ticket: int, amount: Amount, reason: str = "", order: int | None = None
    ) -> OrderRefunded:
        """
        Give back some of the price of the order that your case is about, or of another of the customer's, and show it there.

        The seller pays it back, and the points that it brought are taken back, as if the seller had refunded it; the goods stay.
        """
        await giving.concern(self.store, session, ticket)
        given = (ticket, session.caller, amount, order, reason, self.allowed, self.order_refunds, session.number)
        return await session.transact(refund_order, *given, **self.booking())

    @command(
        None,
        access=role(AGENT),
        writes=True,
        audited=Audited.ALWAYS,
        ticket=arguments.whole,
        points=points,
        memo=optional(arguments.memo),
    )
    async def points(self, session: Session, ticket: int, points: int, memo: str = "") -> PointsGiven:
        """
        Give the customer of your case points, and show it there.

        support.allowance shows how many you may give.
        """
        await giving.concern(self.store, session, ticket)
        given = (ticket, session.caller, points, memo, self.allowed, session.number)
        return await session.transact(give_points, *given, at=self.clock.now(), zone=self.zone)


def refund_order(
    tx: Transaction,
    ticket: int,
    by: str,
    amount: Amount,
    order: int | None,
    reason: str,
    allowed: Allowance,
    refunds: Sequence[OrderRefund],
    session: int,
    *,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> OrderRefunded:
    """
    The agent of a case gives back some of the price of an order.

    @param order: of the customer's; None for the one that the case is about.
    @param refunds: how orders are given back; empty where nobody keeps any.

    @raise NotFound: the customer has no such order.
    @raise Conflict: the case is about none, or the agent does not see to it, or the order is cancelled.
    @raise LimitExceeded: it is more than an agent may give, or than is left of the order.
    """
    case = giving.ready(tx, ticket, by)
    order = case.order if order is None else order
    if order is None:
        raise Conflict(f"ticket {ticket} is about no order; name one with order=")
    found = refund_of(refunds, case.customer, order)
    sale = found.find(tx, case.customer, order)
    if sale.seller == by:
        raise Forbidden(f"order {order} is with you; orders.refund is the seller's way")
    given = giving.count(tx, by, sale.money, sale.money.units(amount), allowed, at.astimezone(zone).date())
    transfer = found.give_back(tx, order, amount, reason, by, at=at, watchers=watchers)
    price = sale.money.text(sale.money.units(amount))
    number = "" if transfer is None else f" (transfer {transfer})"
    told = f"refunded {price} {sale.money.code} of order {order}{number}{f': {reason}' if reason else ''}"
    receipt = Receipt(sale.seller, case.customer, price, sale.money.code, transfer=transfer) if transfer else None
    case = cases.say(tx, ticket, case, Message(at, by, told, receipt=receipt), session)
    tx.put(by, given)
    left = giving.left_of(given, sale.money, allowed)
    return OrderRefunded(ticket, case.seq, order, transfer, price, sale.money.code, left)


def give_points(
    tx: Transaction, ticket: int, by: str, points: int, memo: str, allowed: Allowance, session: int, *, at: datetime, zone: tzinfo
) -> PointsGiven:
    """
    The agent of a case gives its customer points.

    @raise LimitExceeded: it is more than an agent may give at once, or than is left for today.
    """
    case = giving.ready(tx, ticket, by)
    today = at.astimezone(zone).date()
    before = giving.given_today(tx, by, today)
    count = before.units.get(POINTS, 0) + points
    if points > allowed.act_points:
        raise LimitExceeded(f"an agent may give up to {allowed.act_points} points at once; this is {points}")
    if count > allowed.day_points:
        raise LimitExceeded(f"you have given {count - points} of {allowed.day_points} points for a day already; this is {points}")
    balance = cards.give(tx, case.customer, points, at=at)
    told = f"gives {case.customer} {points} points{f': {memo}' if memo else ''}"
    case = cases.say(tx, ticket, case, Message(at, by, told), session)
    tx.put(by, Given(today, before.units | {POINTS: count}))
    return PointsGiven(ticket, case.seq, points, balance, allowed.day_points - count)

"""
What agents do inside a case with money: give a customer some of the house's, and undo a payment that the customer made.

It, and the message that shows it in the case, are one transaction. How much an agent may give or undo at once, and in a day, the settings
say for each currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from securehub import arguments
from securehub.command import Audited, command, named, optional, role
from securehub.money import Amount, Currencies, Currency
from securehub.refusals import Conflict, Forbidden, LimitExceeded, NotFound
from securehub.reply import Listing, MoneyReply, Row
from securehub.services.ledger import movement, reversal
from securehub.services.ledger.accounts import counterpart, first_account
from securehub.services.ledger.booking import booking
from securehub.services.ledger.records import ORDERS, Account, Transfer, transfer_key
from securehub.services.ledger.watching import Watcher
from securehub.services.messages import Message, Receipt
from securehub.services.support import cases, looking
from securehub.services.support.events import AGENT
from securehub.services.support.records import Case, Given
from securehub.session import Session
from securehub.store.transaction import ReadTransaction, Store, Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub

HOUSE = "@support"
"""What agents give comes from here: a counterpart, whose balance says what the desk has cost."""

POINTS = "points"
"""What points are counted by, among currencies; none is written so."""

KIND = "goodwill"
"""Of the transfers that give it."""

UNDONE = ("transfer", "capture")
"""Kinds of payments that an agent may undo: what a member has paid another. Not what was paid in or out, nor what undoes something."""


def afterwards(seq: int, left: str) -> str:
    """What an agent is told behind what was given: which message shows it, and how much is left."""
    return f"Message {seq}. {left} are left for today."


class Gave(MoneyReply, frozen=True):
    """
    What an agent has given a customer.

    @ivar seq: of the message that shows it.
    @ivar left: what the agent may still give today.
    """

    ticket: int
    seq: int
    transfer: int
    to_name: str
    amount: str
    currency: str
    left: str

    def told(self) -> str:
        told = f"Transfer {self.transfer}: {self.amount} {self.currency} to {self.to_name}."
        return f"{told} {afterwards(self.seq, f'{self.left} {self.currency}')}"


class Refunded(MoneyReply, frozen=True):
    """
    A payment of a customer's that an agent has undone.

    @ivar seq: of the message that shows it.
    @ivar transfer: the number of the new one.
    @ivar of: the number of the one that it undoes.
    @ivar left: what the agent may still give today.
    """

    ticket: int
    seq: int
    transfer: int
    of: int
    amount: str
    currency: str
    left: str

    def told(self) -> str:
        undone = f"Transfer {self.transfer}: {self.amount} {self.currency}, which undoes transfer {self.of}."
        return f"{undone} {afterwards(self.seq, f'{self.left} {self.currency}')}"


class AllowanceRow(Row, frozen=True):
    """
    What an agent may give customers.

    @ivar currency: or C{points}.
    @ivar act: at once.
    @ivar day: in a day.
    @ivar given: today.
    """

    currency: str
    act: str
    day: str
    given: str


class Allowance(NamedTuple):
    """
    What each agent may give, in units by currency; nothing in a currency that is not named.

    @ivar act: at once.
    @ivar day: in a day of the hub's time zone.
    @ivar act_points: points, at once.
    @ivar day_points: points, in a day.
    """

    act: Mapping[str, int]
    day: Mapping[str, int]
    act_points: int = 0
    day_points: int = 0


def allowance(hub: Hub) -> Allowance:
    """What the settings say."""
    settings, units = hub.settings, hub.currencies.units
    return Allowance(units(settings["agent_act"]), units(settings["agent_day"]), settings["agent_act_points"], settings["agent_day_points"])


class Giving:
    """The part of the desk that moves money."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.currencies = hub.currencies
        self.booking = booking(hub)
        self.allowed = allowance(hub)
        self.own = hub.own_references

    @command(
        None,
        access=role(AGENT),
        moves=True,
        audited=Audited.ALWAYS,
        ticket=arguments.whole,
        amount=arguments.amount,
        memo=optional(arguments.memo),
        currency=named(arguments.currency),
    )
    async def give(self, session: Session, ticket: int, amount: Amount, memo: str = "", currency: str | None = None) -> Gave:
        """
        Give the customer of your case some of the house's money, and show it there.

        It goes to their first account in the hub's currency unless you name another with currency=. support.allowance shows how much you
        may give.
        """
        money = self.currencies.meant(currency)
        await concern(self.store, session, ticket)
        given = (ticket, session.caller, amount, money, memo, self.allowed, session.number)
        return await session.transact(give, *given, **self.booking())

    @command(
        None,
        access=role(AGENT),
        moves=True,
        audited=Audited.ALWAYS,
        ticket=arguments.whole,
        transfer=arguments.whole,
        reason=optional(arguments.memo),
    )
    async def refund(self, session: Session, ticket: int, transfer: int, reason: str = "") -> Refunded:
        """
        Undo a payment that the customer of your case made to another member, and show it there.

        It goes back whole, once, and only if the recipient still has it. What was paid for an order goes back with support.refund_order.
        """
        await concern(self.store, session, ticket)
        given = (ticket, session.caller, transfer, reason, self.allowed, session.number)
        return await session.transact(refund, *given, own=tuple(self.own), **self.booking())

    @command(None, access=role(AGENT))
    async def allowance(self, session: Session) -> Listing[AllowanceRow]:
        """Show how much you may give customers at once and in a day, and what you have given today."""
        today = self.clock.now().astimezone(self.zone).date()
        return await self.store.read(allowance_of, session.caller, self.allowed, self.currencies, today)


async def concern(store: Store, session: Session, ticket: int) -> None:
    """Let the audit say to whom something is done in a case; who that is never changes."""
    customer = await store.read(looking.customer_of, ticket)
    if customer is not None:
        session.concerns(customer)


def give(
    tx: Transaction,
    ticket: int,
    by: str,
    amount: Amount,
    money: Currency,
    memo: str,
    allowed: Allowance,
    session: int,
    *,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> Gave:
    """
    The agent of a case gives its customer some money of the house's.

    @raise Conflict: the agent does not see to it.
    @raise LimitExceeded: it is more than an agent may give at once, or than is left for today.
    """
    case = ready(tx, ticket, by)
    units = money.units(amount)
    given = count(tx, by, money, units, allowed, at.astimezone(zone).date())
    target = first_account(tx, case.customer, money.code)
    house, house_account = counterpart(tx, HOUSE, money, target)
    moved = movement.move(
        tx,
        house,
        house_account,
        target,
        tx.fetch(Account, target),
        units,
        KIND,
        memo,
        by=by,
        at=at,
        reference=f"ticket/{ticket}",
        watchers=watchers,
    )
    receipt = Receipt(HOUSE, case.customer, moved.amount, moved.currency, transfer=moved.transfer)
    case = cases.say(tx, ticket, case, Message(at, by, receipt.told(memo), receipt=receipt), session)
    tx.put(by, given)
    left = left_of(given, money, allowed)
    return Gave(ticket, case.seq, moved.transfer, case.customer, moved.amount, moved.currency, left)


def refund(
    tx: Transaction,
    ticket: int,
    by: str,
    transfer: int,
    reason: str,
    allowed: Allowance,
    session: int,
    *,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
    own: tuple[str, ...] = (),
) -> Refunded:
    """
    The agent of a case undoes a payment of its customer's; see L{reversal.reverse}.

    @param own: likewise.

    @raise NotFound: the customer has made no such payment.
    @raise Conflict: it is undone already, or is none that an agent may undo, or the agent does not see to the case.
    @raise LimitExceeded: it is more than an agent may give at once, or than is left for today.
    """
    case = ready(tx, ticket, by)
    paid, payee = _payment(tx, case.customer, transfer, by)
    given = count(tx, by, payee.money, -paid.entries[0].units, allowed, at.astimezone(zone).date())
    undone = reversal.reverse(tx, transfer, reason, by, at=at, zone=zone, watchers=watchers, own=own)
    receipt = Receipt(payee.owner, case.customer, undone.amount, undone.currency, transfer=undone.transfer)
    told = f"refunded {undone.amount} {undone.currency} of transfer {transfer} to {payee.owner} (transfer {undone.transfer})"
    text = f"{told}: {reason}" if reason else told
    case = cases.say(tx, ticket, case, Message(at, by, text, receipt=receipt), session)
    tx.put(by, given)
    left = left_of(given, payee.money, allowed)
    return Refunded(ticket, case.seq, undone.transfer, transfer, undone.amount, undone.currency, left)


def ready(tx: ReadTransaction, ticket: int, by: str) -> Case:
    """A case in which its agent can do something, and say so."""
    case = cases.held(tx, ticket, by)
    cases.refuse_full(ticket, case)
    return case


def _payment(tx: ReadTransaction, customer: str, number: int, by: str) -> tuple[Transfer, Account]:
    """
    A payment that the customer has made, and the account that received it.

    @raise Forbidden: the agent received it.
    """
    found = tx.get(Transfer, transfer_key(number))
    payer = None if found is None else tx.fetch(Account, found.entries[0].account)
    if found is None or payer is None or payer.owner != customer:
        raise NotFound(f"{customer} has made no payment {number}")
    payee = tx.fetch(Account, found.entries[1].account)
    if found.reference.startswith(ORDERS):
        raise Conflict(
            f"transfer {number} paid {found.reference.replace('/', ' ')}; what was paid for an order goes back through the order"
        )
    if found.kind not in UNDONE or payee.floor is None:
        raise Conflict(f"transfer {number} is a {found.kind}, and no payment to a member")
    if payee.owner == by:
        raise Forbidden(f"transfer {number} was paid to you; another agent may undo it")
    return found, payee


def count(tx: ReadTransaction, agent: str, money: Currency, units: int, allowed: Allowance, today: date) -> Given:
    """
    What the agent has given today, with this.

    @raise LimitExceeded: it is more than an agent may give at once, or than is left for today.
    """
    act, day = (limits.get(money.code, 0) for limits in (allowed.act, allowed.day))
    if units > act:
        raise LimitExceeded(f"an agent may give up to {money.priced(act)} at once; this is {money.priced(units)}")
    given = given_today(tx, agent, today)
    before = given.units.get(money.code, 0)
    if before + units > day:
        raise LimitExceeded(
            f"you have given {money.priced(before)} of {money.priced(day)} for a day already; this is {money.priced(units)}"
        )
    return Given(today, given.units | {money.code: before + units})


def given_today(tx: ReadTransaction, agent: str, today: date) -> Given:
    given = tx.get(Given, agent)
    return given if given is not None and given.day == today else Given(today, {})


def left_of(given: Given, money: Currency, allowed: Allowance) -> str:
    return money.text(allowed.day[money.code] - given.units[money.code])


def allowance_of(tx: ReadTransaction, agent: str, allowed: Allowance, currencies: Currencies, today: date) -> Listing[AllowanceRow]:
    """What an agent may give, and has given today, by currency."""
    given = given_today(tx, agent, today).units
    rows = []
    for code in currencies.codes():
        money, act, day = currencies[code], allowed.act.get(code, 0), allowed.day.get(code, 0)
        rows.append(AllowanceRow(code, money.text(act), money.text(day), money.text(given.get(code, 0))))
    rows.append(AllowanceRow(POINTS, str(allowed.act_points), str(allowed.day_points), str(given.get(POINTS, 0))))
    return Listing(rows)

"""
Limits: how much a member may pay at once and in a day, how far an account may fall, and how much it may have.

Treasurers set them for accounts and, per payment and day, for roles. An account's own limit goes before those of its owner's roles; of
several roles the most generous counts. What members do themselves is limited so, what treasurers book is not; but no booking of anybody's
takes an account below its credit line, or above its ceiling.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from msgspec.structs import replace

from securehub import arguments, members
from securehub.command import LOGGED_IN, MEMBER, TREASURER, command, named, optional, refuse_unknown_role
from securehub.event import Event
from securehub.money import Amount, Currencies, Currency
from securehub.refusals import BadArgument, LimitExceeded, shown
from securehub.reply import Listing, Reply, Row
from securehub.services.ledger.accounts import own_account, party_account
from securehub.services.ledger.records import Account, Transfer
from securehub.services.times import beginning
from securehub.session import Session
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub

LOOKED_AT = 128
"""So many entries are looked at for what was paid on a day before anybody counted it."""


class Allowance(NamedTuple):
    """
    What may be paid, in units; None where there is no limit.

    @ivar payment: at once.
    @ivar day: in one day of the hub's time zone.
    """

    payment: int | None = None
    day: int | None = None


class AccountLimit(Record, frozen=True):
    """What may be paid from an account, by its number; L{Account.limited} says that there is one."""

    collection: ClassVar[str] = "account-limit"
    scanned: ClassVar[bool] = False

    allowance: Allowance


class RoleLimits(Record, frozen=True):
    """What members may pay, by currency: for each role that has a limit."""

    collection: ClassVar[str] = "role-limits"
    scanned: ClassVar[bool] = False

    roles: dict[str, Allowance]


class Spent(Record, frozen=True):
    """
    What was paid from an account on a day, by its number. Kept only where there is a limit for a day.

    @ivar entries: how many entries the account had when this was counted; later ones may have to be added.
    """

    collection: ClassVar[str] = "spent"
    scanned: ClassVar[bool] = False

    day: date
    units: int
    entries: int


class LimitsOf(Reply, frozen=True):
    """
    The limits of an account; null where there is none.

    @ivar credit: how far below zero its balance may fall.
    @ivar ceiling: how high it may rise.
    @ivar payment: how much may be paid at once.
    @ivar day: how much may be paid in a day.
    @ivar spent: how much was paid today, as far as there is a limit for the day.
    """

    account: str
    currency: str
    credit: str
    ceiling: str | None
    payment: str | None
    day: str | None
    spent: str

    def status(self) -> str:
        return f"Account {self.account}: {', '.join(_told(self))}."


class RoleLimitRow(Row, frozen=True):
    """What those with a role may pay at once, and in a day."""

    role: str
    currency: str
    payment: str | None
    day: str | None


class RoleLimitSet(Reply, frozen=True):
    """The limit that a role has now; null where it has none."""

    role: str
    currency: str
    payment: str | None
    day: str | None

    def status(self) -> str:
        payment, day = (each or "without limit" for each in (self.payment, self.day))
        return f"{self.role} in {self.currency}: a payment {payment}, a day {day}."


class LimitsChanged(Event, frozen=True):
    """A treasurer has set other limits for an account of yours."""

    method = "ledger.limits_changed"

    account: str
    currency: str
    credit: str
    ceiling: str | None
    payment: str | None
    day: str | None

    def text(self) -> str:
        return f"The limits of account {self.account} are now: {', '.join(_told(self))}."


Bound = Amount | int | str
"""A limit as it was written: an amount, 0, or C{none}."""


@arguments.argument(accepts=(str, int))
def bound(word: str) -> Bound:
    """an amount, 0, or none for no limit"""
    if word.lower() == arguments.NONE:
        return arguments.NONE
    try:
        return Amount.parse(word) if word.strip("0.") or not word.startswith("0") else 0
    except BadArgument:
        raise BadArgument(f"{shown(word)} is neither an amount such as 12 or 12.50, nor 0, nor none for no limit") from None


def any_role(word: str) -> str:
    """a role, or member for all members"""
    return arguments.role(word)


class Limits:
    """Commands about limits."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.roles = ("member", *hub.roles)
        self.currencies = hub.currencies

    @command(None, access=MEMBER, account=optional(arguments.account))
    async def limits(self, session: Session, account: str | None = None) -> LimitsOf:
        """Show the limits of one of your accounts: credit line, ceiling, and what you may pay at once and in a day."""
        return await self.store.read(limits_of, session.member, account, at=self.clock.now(), zone=self.zone)

    @command(None, access=LOGGED_IN)
    async def role_limits(self, session: Session) -> Listing[RoleLimitRow]:
        """List what members with a role may pay at once and in a day; of several roles, the most generous counts."""
        return await self.store.read(role_limits, self.currencies)

    @command(
        None,
        access=TREASURER,
        writes=True,
        account=arguments.party,
        credit=named(bound),
        ceiling=named(bound),
        payment=named(bound),
        day=named(bound),
    )
    async def set_limits(
        self,
        session: Session,
        account: str,
        credit: Bound | None = None,
        ceiling: Bound | None = None,
        payment: Bound | None = None,
        day: Bound | None = None,
    ) -> LimitsOf:
        """
        Set the limits of a member's account.

        credit is how far its balance may fall below zero, ceiling how high it may rise; payment and day are what may be paid from it at
        once and in a day, whatever the owner's roles allow. Limits that you leave out stay; none removes one.
        """
        given = {"credit": credit, "ceiling": ceiling, "payment": payment, "day": day}
        wanted = {name: each for name, each in given.items() if each is not None}
        return await session.transact(set_limits, account, wanted, at=self.clock.now(), zone=self.zone)

    @command(
        None, access=TREASURER, writes=True, role=any_role, currency=optional(arguments.currency), payment=named(bound), day=named(bound)
    )
    async def set_role_limits(
        self, session: Session, role: str, currency: str | None = None, payment: Bound | None = None, day: Bound | None = None
    ) -> RoleLimitSet:
        """
        Set what members with a role may pay at once and in a day, in a currency.

        Every member has the role member. Limits that you leave out stay; none removes one.
        """
        refuse_unknown_role(role, self.roles)
        wanted = {name: each for name, each in {"payment": payment, "day": day}.items() if each is not None}
        return await session.transact(set_role_limits, role, self.currencies.meant(currency), wanted)


def check(tx: ReadTransaction, number: str, account: Account, units: int, at: datetime, zone: tzinfo) -> Spent | None:
    """
    See whether the owner of an account may pay so much now.

    @return: what is to be put by the account's number if it is paid; None if nobody counts.

    @raise LimitExceeded: it is more than a payment may be, or more than is left for today.
    """
    roles = tx.get(RoleLimits, account.currency)
    if roles is None and not account.limited:
        return None
    allowance, money = _allowance(tx, number, account, roles), account.money
    if allowance.payment is not None and units > allowance.payment:
        raise LimitExceeded(f"a payment may be up to {money.priced(allowance.payment)}; this is {money.priced(units)}")
    if allowance.day is None:
        return None
    spent = _spent(tx, number, account, at.astimezone(zone).date(), zone)
    if spent.units + units > allowance.day:
        paid, most = money.priced(spent.units), money.priced(allowance.day)
        raise LimitExceeded(f"{paid} of {most} for a day are paid already; this is {money.priced(units)}")
    return replace(spent, units=spent.units + units)


def set_limits(tx: Transaction, party: str, wanted: dict[str, Bound], *, at: datetime, zone: tzinfo) -> LimitsOf:
    """
    Set the limits of an account.

    @param wanted: by name: C{credit}, C{ceiling}, C{payment}, C{day}.
    """
    number = party_account(tx, party)
    account = tx.fetch(Account, number)
    money = account.money
    units = {name: _units(money, name, each) for name, each in wanted.items()}
    kept = tx.get(AccountLimit, number)
    allowance = (kept.allowance if kept else Allowance())._replace(**{name: units[name] for name in ("payment", "day") if name in units})
    account = replace(account, limited=allowance != Allowance())
    if "credit" in units:
        account = replace(account, floor=-(units["credit"] or 0))
    if "ceiling" in units:
        account = replace(account, ceiling=units["ceiling"])
    tx.put(number, account)
    if account.limited:
        tx.put(number, AccountLimit(allowance))
    elif kept:
        tx.delete(AccountLimit, number)
    found = limits_of(tx, account.owner, number, at=at, zone=zone)
    told = LimitsChanged(number, found.currency, found.credit, found.ceiling, found.payment, found.day)
    tx.announce(member(account.owner), told)
    return found


def limits_of(tx: ReadTransaction, owner: str, number: str | None, *, at: datetime, zone: tzinfo) -> LimitsOf:
    """
    The limits of one of an owner's accounts, those of the owner's roles among them.

    @raise NotFound: the owner has no such account.
    """
    number = own_account(tx, owner, number)
    account = tx.fetch(Account, number)
    money = account.money
    allowance = _allowance(tx, number, account, tx.get(RoleLimits, account.currency))
    spent = 0 if allowance.day is None else _spent(tx, number, account, at.astimezone(zone).date(), zone).units
    return LimitsOf(
        number,
        account.currency,
        money.text(-(account.floor or 0)),
        _text(money, account.ceiling),
        _text(money, allowance.payment),
        _text(money, allowance.day),
        money.text(spent),
    )


def set_role_limits(tx: Transaction, role: str, currency: Currency, wanted: dict[str, Bound]) -> RoleLimitSet:
    """
    Set the limits of a role in a currency.

    @param wanted: by name: C{payment}, C{day}.
    """
    kept = tx.get(RoleLimits, currency.code)
    roles = dict(kept.roles) if kept else {}
    units = {name: _units(currency, name, each) for name, each in wanted.items()}
    allowance = roles.pop(role, Allowance())._replace(**units)
    if allowance != Allowance():
        roles[role] = allowance
    if roles:
        tx.put(currency.code, RoleLimits(dict(sorted(roles.items()))))
    elif kept:
        tx.delete(RoleLimits, currency.code)
    return RoleLimitSet(role, currency.code, _text(currency, allowance.payment), _text(currency, allowance.day))


def role_limits(tx: ReadTransaction, currencies: Currencies) -> Listing[RoleLimitRow]:
    """The limits of all roles, by currency."""
    rows = []
    for code in currencies.codes():
        money, found = currencies[code], tx.get(RoleLimits, code)
        for role, each in found.roles.items() if found else ():
            rows.append(RoleLimitRow(role, code, _text(money, each.payment), _text(money, each.day)))
    return Listing(rows)


def _allowance(tx: ReadTransaction, number: str, account: Account, by_role: RoleLimits | None) -> Allowance:
    """What may be paid from an account: by its own limits, and where it has none by those of its owner's roles."""
    own = tx.get(AccountLimit, number) if account.limited else None
    payment, day = own.allowance if own else Allowance()
    if by_role is not None:
        owner = tx.get(members.Member, account.owner)
        theirs = [by_role.roles[role] for role in ("member", *(owner.roles if owner else ())) if role in by_role.roles]
        payment = _most(each.payment for each in theirs) if payment is None else payment
        day = _most(each.day for each in theirs) if day is None else day
    return Allowance(payment, day)


def _most(limits: Iterable[int | None]) -> int | None:
    """The most generous of some limits, of which a role that has none says nothing."""
    return max((limit for limit in limits if limit is not None), default=None)


def _spent(tx: ReadTransaction, number: str, account: Account, today: date, zone: tzinfo) -> Spent:
    """What the owner has paid from an account today: what was counted, and what was booked since, even if there was no limit then."""
    kept = tx.get(Spent, number)
    if kept is None or kept.day != today:
        kept = Spent(today, 0, 0)
    if kept.entries == account.entries:
        return kept
    units, midnight = kept.units, beginning(today, zone)
    for _, transfer in tx.beneath(Transfer, number, limit=LOOKED_AT, reverse=True):
        entry, _ = transfer.sides(number)
        if transfer.at < midnight or entry.number <= kept.entries:
            break
        if entry.units < 0 and not transfer.by:
            units -= entry.units
    return Spent(today, units, account.entries)


def _units(money: Currency, name: str, limit: Bound) -> int | None:
    if isinstance(limit, Amount):
        return money.units(limit, name)
    return None if limit == arguments.NONE else 0


def _text(money: Currency, units: int | None) -> str | None:
    return None if units is None else money.text(units)


def _told(limits: LimitsOf | LimitsChanged) -> list[str]:
    """Limits as people read them."""
    each = {"credit": limits.credit, "ceiling": limits.ceiling, "a payment": limits.payment, "a day": limits.day}
    return [f"{name} {amount or 'without limit'}" for name, amount in each.items()]

"""
Holds: money that a payer sets aside for a payee, who takes it, or part of it, later.

What is held stays in the balance of the payer, and cannot be spent. A hold ends once: it is captured, released, or expires.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, ClassVar

import msgspec
from msgspec.structs import replace

from securehub import agenda, arguments, members
from securehub.command import LOGGED_IN, MEMBER, Audited, command, named, optional
from securehub.event import Event
from securehub.money import Amount, Currency, currency, is_zero
from securehub.refusals import Conflict, Forbidden, LimitExceeded, NotFound
from securehub.reply import Listing, MoneyReply, Reply, Row, when
from securehub.services import times
from securehub.services.blocks import refuse_blocked
from securehub.services.ledger import limits, movement, pending
from securehub.services.ledger.accounts import party_account
from securehub.services.ledger.booking import booking
from securehub.services.ledger.records import Account, Wallet
from securehub.services.ledger.watching import Watcher
from securehub.services.times import When, future
from securehub.session import Session
from securehub.store.records import Record, number_key
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub

EXPIRY = "ledger.hold"
"""The duty that ends holds whose time has come."""


class Hold(Record, frozen=True):
    """
    Money that is set aside, by number. It is found beneath both accounts: as long as it is open beneath their numbers, then beneath
    their numbers with C{ended} before.

    @ivar source: the number of the account that pays.
    @ivar target: the number of the account that is to receive.
    @ivar state: C{open}, C{captured}, C{released} or C{expired}.
    @ivar captured: units that were taken; the rest was freed.
    @ivar transfer: the number of the transfer that took them.
    @ivar reference: what it belongs to, such as C{order/41}, which alone ends it; empty if that is nothing else.
    """

    collection: ClassVar[str] = "hold"

    at: datetime
    source: str
    target: str
    payer: str
    payee: str
    units: int
    currency: str
    digits: int
    expires: datetime
    memo: str = ""
    state: str = "open"
    captured: int = 0
    transfer: int | None = None
    reference: str = ""

    def beneath(self) -> Sequence[str]:
        return [pending.place(account, self.state == "open") for account in (self.source, self.target)]

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)


class Held(MoneyReply, frozen=True):
    """A hold that was made; the balance is the payer's, and what of it is held."""

    hold: int
    to: str
    to_name: str
    amount: str
    currency: str
    expires: datetime
    balance: str
    held: str

    def told(self) -> str:
        held = f"Hold {self.hold}: {self.amount} {self.currency} for {self.to_name} until {when(self.expires)}."
        return f"{held} Balance {self.balance} {self.currency}, of which {self.held} {self.currency} is held."


class Captured(MoneyReply, frozen=True):
    """
    Money that was taken out of a hold.

    @ivar freed: the rest of the hold, which can be spent again.
    """

    transfer: int
    hold: int
    amount: str
    freed: str
    currency: str

    def told(self) -> str:
        freed = "" if is_zero(self.freed) else f" {self.freed} {self.currency} is freed."
        return f"Transfer {self.transfer}: {self.amount} {self.currency} out of hold {self.hold}.{freed}"


class Released(Reply, frozen=True):
    """A hold that was given up."""

    hold: int
    amount: str
    currency: str

    def status(self) -> str:
        return f"Hold {self.hold} is released: {self.amount} {self.currency} is freed."


class HoldRow(Row, frozen=True):
    """
    A hold, as both sides see it.

    @ivar captured: what the payee took of it.
    """

    hold: int
    at: datetime
    from_: str = msgspec.field(name="from")
    to: str
    amount: str
    currency: str
    captured: str
    state: str
    expires: datetime
    memo: str


class Reserved(Event, frozen=True):
    """Somebody set money aside for you."""

    method = "ledger.held"

    hold: int
    from_name: str
    to: str
    amount: str
    currency: str
    expires: datetime
    memo: str

    def text(self) -> str:
        told = f"{self.from_name} holds {self.amount} {self.currency} for you until {when(self.expires)} (hold {self.hold})"
        return movement.with_memo(told, self.memo)


class Ended(Event, frozen=True):
    """
    A hold that you made, or that was made for you, has ended.

    @ivar state: C{captured}, C{released} or C{expired}.
    @ivar captured: what the payee took of it.
    @ivar transfer: by which transfer; null if nothing was taken.
    """

    method = "ledger.hold_ended"

    hold: int
    state: str
    from_name: str
    to_name: str
    amount: str
    captured: str
    currency: str
    transfer: int | None

    def text(self) -> str:
        taken = f", {self.captured} {self.currency} of it by transfer {self.transfer}" if self.transfer else ""
        return f"Hold {self.hold} of {self.amount} {self.currency} from {self.from_name} for {self.to_name} is {self.state}{taken}."


class Holds:
    """Commands about holds."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.booking = booking(hub)
        self.days = timedelta(days=hub.settings["hold_days"])
        self.limit = hub.settings["open_per_member"]
        hub.agenda.add(EXPIRY, expire)

    @command(
        None,
        access=MEMBER,
        moves=True,
        to=arguments.party,
        amount=arguments.amount,
        expires=named(times.expiry),
        memo=named(arguments.memo),
        from_=named(arguments.account),
    )
    async def hold(
        self, session: Session, to: str, amount: Amount, expires: When | None = None, memo: str = "", from_: str | None = None
    ) -> Held:
        """
        Set money aside for somebody.

        It stays in your balance, but you cannot spend it. The payee takes all of it or a part, once, or releases it. When it expires, it is
        yours again; without expires= that is after some days.
        """
        until = self.days if expires is None else expires
        return await session.transact(hold, session.member, to, amount, until, memo, from_, limit=self.limit, **self.booking())

    @command(None, access=LOGGED_IN, moves=True, audited=Audited.OF_POWER, hold=arguments.whole, amount=optional(arguments.amount))
    async def capture(self, session: Session, hold: int, amount: Amount | None = None) -> Captured:
        """
        Take money out of a hold that was made for you.

        You take all of it unless you give an amount; the rest is freed. This works once. Treasurers can do it for any payee.
        """
        session.concerns(await self.store.read(payer_of, hold))
        return await session.transact(capture, hold, amount, session.caller, **self.booking())

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.OF_POWER, hold=arguments.whole)
    async def release(self, session: Session, hold: int) -> Released:
        """
        Give up a hold that was made for you.

        The payer can spend the money again. Treasurers can do it for any payee.
        """
        session.concerns(await self.store.read(payer_of, hold))
        return await session.transact(release, hold, session.caller)

    @command(None, access=MEMBER, all=named(arguments.switch), limit=named(arguments.listed), before=named(arguments.whole))
    async def holds(self, session: Session, all: bool = False, limit: int = 20, before: int | None = None) -> Listing[HoldRow]:
        """
        List the holds that you made and those made for you, newest first.

        With all=on, those that have ended are listed, too.
        """
        return await self.store.read(holds_of, session.member, ended=all, limit=limit, before=before)


def hold(
    tx: Transaction,
    payer: str,
    to: str,
    amount: Amount,
    expires: When,
    memo: str,
    source: str | None,
    *,
    limit: int,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> Held:
    """
    Set money aside. It counts as paid where limits are concerned.

    @param limit: how many open holds a member may have.

    @raise InsufficientFunds: the payer could not pay it now.
    @raise Forbidden: the payee wants to hear nothing from the payer, who can pay all the same.
    """
    paying = movement.paying(tx, payer, to, amount, source)
    refuse_blocked(tx, paying.payee.owner, payer)
    until = future("expires", expires, at=at, zone=zone)
    number, account = set_aside(tx, paying, until, memo, limit=limit, at=at, zone=zone)
    agenda.remind(tx, EXPIRY, number_key(number), until)
    money, target = account.money, paying.payee.owner
    amounts = money.text(account.balance), money.text(account.held)
    return Held(number, paying.target, target, money.text(paying.units), money.code, until, *amounts)


def set_aside(
    tx: Transaction,
    paying: movement.Paying,
    until: datetime,
    memo: str,
    *,
    reference: str = "",
    limit: int,
    at: datetime,
    zone: tzinfo,
) -> tuple[int, Account]:
    """
    Set money aside because its owner wants it so, as far as the limits allow.

    @param until: whoever calls this sees to its end, then or before.
    @param reference: what it belongs to.

    @return: the number of the hold, and the payer's account as it is then.

    @raise InsufficientFunds: the payer could not pay it now.
    @raise LimitExceeded: it is more than the owner may pay at once or today, or have open.
    """
    account, money = paying.payer, paying.payer.money
    movement.refuse_unlike(paying.source, account, paying.target, paying.payee)
    spent = limits.check(tx, paying.source, account, paying.units, at, zone)
    movement.refuse_lacking(account, paying.units)
    pending.open_one(tx, account.owner, "holds", limit)
    account = replace(account, held=account.held + paying.units)
    tx.put(paying.source, account)
    if spent is not None:
        tx.put(paying.source, spent)
    number = tx.number("hold")
    parties = paying.source, paying.target, account.owner, paying.payee.owner
    made = Hold(at, *parties, paying.units, money.code, money.digits, until, memo, reference=reference)
    tx.put(number_key(number), made)
    tx.announce(member(made.payee), Reserved(number, made.payer, made.target, money.text(made.units), money.code, until, memo))
    return number, account


def capture(
    tx: Transaction, number: int, amount: Amount | None, by: str, *, at: datetime, zone: tzinfo, watchers: Sequence[Watcher] = ()
) -> Captured:
    """
    Take money out of a hold, and free the rest.

    @param by: the payee, or a treasurer.

    @raise LimitExceeded: more than is held.
    @raise Conflict: the hold has ended.
    @raise NotFound: the payee is erased, and the hold has not ended yet.
    """
    held = _open_hold(tx, number, by, at)
    party_account(tx, held.target)
    money = held.money
    units = held.units if amount is None else money.units(amount)
    if units > held.units:
        raise LimitExceeded(f"hold {number} is of {money.priced(held.units)}, {money.priced(units)} is asked for")
    moved = take(tx, number, held, units, "capture", f"hold/{number}", by, at=at, watchers=watchers)
    return Captured(moved.transfer, number, moved.amount, money.text(held.units - units), money.code, warnings=moved.warnings)


def take(
    tx: Transaction, number: int, held: Hold, units: int, kind: str, reference: str, by: str, *, at: datetime, watchers: Sequence[Watcher]
) -> movement.Transferred:
    """
    Move what an open hold has, or some of it, and free the rest.

    @param kind: of the transfer.
    @param reference: likewise.
    """
    payer, payee = _free(tx, held), tx.fetch(Account, held.target)
    moved = movement.move(
        tx, held.source, payer, held.target, payee, units, kind, held.memo, by=by, at=at, reference=reference, watchers=watchers
    )
    ended = replace(held, state="captured", captured=units, transfer=moved.transfer)
    _end(tx, number, ended, [held.payer])
    return moved


def release(tx: Transaction, number: int, by: str) -> Released:
    """
    Give up a hold.

    @param by: the payee, or a treasurer.

    @raise Conflict: the hold has ended.
    """
    held = _open_hold(tx, number, by)
    give_up(tx, number, held)
    return Released(number, held.money.text(held.units), held.currency)


def give_up(tx: Transaction, number: int, held: Hold) -> Hold:
    """
    Free all that an open hold has.

    @return: the hold, which has ended.
    """
    ended = replace(held, state="released")
    tx.put(held.source, _free(tx, held))
    _end(tx, number, ended, [held.payer])
    return ended


def free_some(tx: Transaction, number: int, held: Hold, units: int) -> None:
    """
    Free some of what an open hold has; it is a smaller one from then on.

    @param units: fewer than it has.
    """
    assert 0 < units < held.units, (units, held)
    account = tx.fetch(Account, held.source)
    tx.put(held.source, replace(account, held=account.held - units))
    tx.put(number_key(number), replace(held, units=held.units - units))


def payer_of(tx: ReadTransaction, number: int) -> str:
    """Who made a hold; empty if there is none."""
    held = tx.get(Hold, number_key(number))
    return "" if held is None else held.payer


def fetch(tx: ReadTransaction, number: int) -> Hold:
    """
    A hold, for what it belongs to.

    @raise NotFound: there is none.
    """
    return tx.fetch(Hold, number_key(number))


def expire(tx: Transaction, key: str, *, at: datetime) -> None:
    """End a hold whose time has come, if it is still open."""
    held = tx.get(Hold, key)
    if held is None or held.state != "open":
        return
    tx.put(held.source, _free(tx, held))
    _end(tx, int(key), replace(held, state="expired"), dict.fromkeys((held.payer, held.payee)))


def holds_of(tx: ReadTransaction, owner: str, *, ended: bool, limit: int, before: int | None) -> Listing[HoldRow]:
    """
    The holds that a member has made, and those that were made for them, newest first.

    @param ended: whether those that have ended are among them.
    """
    wallet = tx.get(Wallet, owner) or Wallet(())
    found = pending.newest(tx, Hold, (account for account, _ in wallet.accounts), ended=ended, before=before)
    return Listing.up_to(limit, (row(number, each) for number, each in found))


def _open_hold(tx: Transaction, number: int, by: str, at: datetime | None = None) -> Hold:
    """
    @param at: when it must not have expired, though nobody may have come to ending it yet.
    """
    held = tx.get(Hold, number_key(number))
    treasurer = members.has_role(tx, by, "treasurer")
    if held is None or not (treasurer or by in (held.payer, held.payee)):
        raise NotFound(f"there is no hold {number}")
    if not treasurer and by != held.payee:
        raise Forbidden(f"only {held.payee} and treasurers can end hold {number}")
    if held.state != "open":
        raise Conflict(f"hold {number} is {held.state}")
    if held.reference:
        raise Conflict(f"hold {number} belongs to {held.reference.replace('/', ' ')}, and ends with it")
    if at is not None and held.expires <= at:
        raise Conflict(f"hold {number} is expired")
    return held


def _free(tx: Transaction, held: Hold) -> Account:
    """The payer's account as it is without the hold."""
    account = tx.fetch(Account, held.source)
    return replace(account, held=account.held - held.units)


def _end(tx: Transaction, number: int, ended: Hold, tells: Iterable[str]) -> None:
    pending.end_one(tx, ended.payer, "holds")
    agenda.forget(tx, EXPIRY, number_key(number), ended.expires)
    tx.put(number_key(number), ended)
    money = ended.money
    amounts = money.text(ended.units), money.text(ended.captured)
    told = Ended(number, ended.state, ended.payer, ended.payee, *amounts, money.code, ended.transfer)
    for owner in tells:
        tx.announce(member(owner), told)


def row(number: int, held: Hold) -> HoldRow:
    """As the members see it whom it concerns."""
    money = held.money
    return HoldRow(
        number,
        held.at,
        held.payer,
        held.payee,
        money.text(held.units),
        money.code,
        money.text(held.captured),
        held.state,
        held.expires,
        held.memo,
    )

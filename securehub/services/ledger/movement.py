"""
Rules that move money.

C{move} is the only place where a balance changes, and it changes two at once by the same amount. So the sum over all accounts of a
currency is zero, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from securehub import members
from securehub.event import Event
from securehub.money import MAX_DIGITS, MAX_WHOLE_DIGITS, MOST_UNITS, Amount
from securehub.refusals import BadArgument, Conflict, LimitExceeded, Refusal
from securehub.reply import MoneyReply
from securehub.services.ledger import limits
from securehub.services.ledger.accounts import counterpart, first_account, own_account, party_account, shown_number
from securehub.services.ledger.records import CASH, Account, Entry, Transfer, transfer_key
from securehub.services.ledger.watching import Movement, Watcher, tell
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

# Of a member's account, by its currency's digits: as many digits before the point as an amount may have.
_MOST_UNITS = tuple(min(10 ** (MAX_WHOLE_DIGITS + digits), MOST_UNITS) for digits in range(MAX_DIGITS + 1))

# A counterpart's balance is shown to nobody, so it may have all that fits into 64 bits: what one member has keeps no other from being paid.
_MOST_OF_COUNTERPART = 9 * 10**18


class InsufficientFunds(Refusal):
    """The account has less than the payment needs."""

    code = "insufficient-funds"


class Received(Event, frozen=True):
    """Somebody paid into an account of yours."""

    method = "ledger.received"

    transfer: int
    entry: int
    from_: str = msgspec.field(name="from")
    from_name: str
    to: str
    amount: str
    currency: str
    memo: str
    balance: str

    def text(self) -> str:
        told = f"You received {self.amount} {self.currency} from {self.from_name}"
        balance = f"Balance {self.balance} {self.currency}."
        return with_memo(told, self.memo, balance) if self.memo else f"{told}. {balance}"


class PaidOut(Event, frozen=True):
    """
    Money was paid out from an account of yours.

    @ivar from_: the number of the account.
    """

    method = "ledger.withdrawn"

    transfer: int
    entry: int
    from_: str = msgspec.field(name="from")
    amount: str
    currency: str
    memo: str
    balance: str

    def text(self) -> str:
        told = f"{self.amount} {self.currency} was withdrawn from your account"
        return with_memo(told, self.memo, f"Balance {self.balance} {self.currency}.")


def with_memo(told: str, memo: str, after: str = "") -> str:
    """
    The text of an event with what a stranger wrote in it.

    @param after: a sentence that comes behind.
    """
    after = f" {after}" if after else ""
    if "\n" in memo:
        # Last, so that nothing of ours stands behind lines of a stranger's.
        return f"{told}.{after}\n{memo}"
    return f"{told}: {memo}.{after}" if memo else f"{told}.{after}"


class Transferred(MoneyReply, frozen=True):
    """A payment that was made; the balance is the payer's."""

    transfer: int
    from_: str = msgspec.field(name="from")
    to: str
    to_name: str
    amount: str
    currency: str
    balance: str

    def told(self) -> str:
        return f"Transfer {self.transfer}: {self.amount} {self.currency} to {self.to_name}. Balance {self.balance} {self.currency}."


class Deposited(MoneyReply, frozen=True):
    """
    Money that was paid in.

    @ivar to_name: whose account it is now in.
    """

    transfer: int
    amount: str
    currency: str
    to_name: str = ""

    def told(self) -> str:
        return f"Transfer {self.transfer}: {self.amount} {self.currency} to {self.to_name}."


class Withdrawn(MoneyReply, frozen=True):
    """
    Money that was paid out.

    @ivar from_name: in whose account it was.
    """

    transfer: int
    amount: str
    currency: str
    from_name: str = ""

    def told(self) -> str:
        return f"Transfer {self.transfer}: {self.amount} {self.currency} from {self.from_name}."


def pay(
    tx: Transaction,
    payer: str,
    to: str,
    amount: Amount,
    memo: str,
    source: str | None,
    *,
    at: datetime,
    zone: tzinfo = UTC,
    watchers: Sequence[Watcher] = (),
) -> Transferred:
    """
    A member pays somebody.

    @param to: a username or an account number.
    @param source: the number of one of the payer's accounts, None for the first.

    @raise NotFound: there is no such payee or account.
    @raise InsufficientFunds: the payer would fall below its floor.
    """
    # Like spend(paying(...)), which it spells out: no command is used as often as this one.
    source = first_account(tx, payer) if source is None else own_account(tx, payer, source)
    account = tx.fetch(Account, source)
    units = account.money.units(amount)
    target = party_account(tx, to, account.currency)
    payee = tx.fetch(Account, target)
    spent = limits.check(tx, source, account, units, at, zone)
    moved = move(tx, source, account, target, payee, units, "transfer", memo, at=at, watchers=watchers)
    if spent is not None:
        tx.put(source, replace(spent, entries=account.entries + 1))
    return moved


class Paying(NamedTuple):
    """
    What a member wants to pay.

    @ivar source: the number of the account that pays, C{payer}.
    @ivar target: the number of the account that receives, C{payee}.
    """

    source: str
    payer: Account
    target: str
    payee: Account
    units: int


def paying(tx: ReadTransaction, payer: str, to: str, amount: Amount, source: str | None) -> Paying:
    """
    The accounts and units that a member means.

    @param to: a username or an account number.
    @param source: the number of one of the payer's accounts, None for the first.

    @raise NotFound: there is no such payee or account.
    @raise BadArgument: the amount has too many decimals.
    """
    source = own_account(tx, payer, source)
    account = tx.fetch(Account, source)
    # The form of the amount first: it can be told without the payee.
    units = account.money.units(amount)
    target = party_account(tx, to, account.currency)
    return Paying(source, account, target, tx.fetch(Account, target), units)


def spend(
    tx: Transaction,
    paying: Paying,
    kind: str,
    memo: str,
    *,
    at: datetime,
    zone: tzinfo,
    reference: str = "",
    watchers: Sequence[Watcher] = (),
) -> Transferred:
    """
    Move money because its owner wants it so, as far as the limits allow.

    @raise LimitExceeded: it is more than the owner may pay at once or today.
    """
    source, payer, target, payee, units = paying
    spent = limits.check(tx, source, payer, units, at, zone)
    moved = move(tx, source, payer, target, payee, units, kind, memo, at=at, reference=reference, watchers=watchers)
    if spent is not None:
        tx.put(source, replace(spent, entries=payer.entries + 1))
    return moved


def refuse_unlike(source: str, payer: Account, target: str, payee: Account) -> None:
    """
    @raise BadArgument: payer and payee are one account.
    @raise Conflict: their currencies differ.
    """
    if source == target:
        raise BadArgument("payer and payee are the same account")
    if payer.currency != payee.currency:
        raise Conflict(f"account {target} is in {payee.currency}, and account {source} in {payer.currency}")


def refuse_lacking(account: Account, units: int) -> None:
    """
    @raise InsufficientFunds: the account would fall below its floor.
    """
    if account.floor is not None and account.balance - account.held - units < account.floor:
        raise InsufficientFunds(_lacking(account, units))


def deposit(
    tx: Transaction, to: str, amount: Amount, memo: str, by: str, *, at: datetime, zone: tzinfo = UTC, watchers: Sequence[Watcher] = ()
) -> Deposited:
    """
    Money comes in from outside, against C{@cash}.

    @param to: a username or an account number.
    @param by: the treasurer.
    """
    target = party_account(tx, to)
    account = tx.fetch(Account, target)
    cash, cash_account = counterpart(tx, CASH, account.money, target)
    moved = move(tx, cash, cash_account, target, account, account.money.units(amount), "deposit", memo, by=by, at=at, watchers=watchers)
    # Warnings are for whoever pays, which is nobody here.
    return Deposited(moved.transfer, moved.amount, moved.currency, account.owner)


def withdraw(
    tx: Transaction, source: str, amount: Amount, memo: str, by: str, *, at: datetime, zone: tzinfo = UTC, watchers: Sequence[Watcher] = ()
) -> Withdrawn:
    """
    Money is paid out, against C{@cash}.

    @param source: a username or an account number.
    @param by: the treasurer.

    @raise InsufficientFunds: the account would fall below its floor.
    """
    number = party_account(tx, source)
    account = tx.fetch(Account, number)
    cash, cash_account = counterpart(tx, CASH, account.money, number)
    moved = move(tx, number, account, cash, cash_account, account.money.units(amount), "withdrawal", memo, by=by, at=at, watchers=watchers)
    told = PaidOut(moved.transfer, account.entries + 1, number, moved.amount, moved.currency, memo, moved.balance)
    tx.announce(member(account.owner), told)
    return Withdrawn(moved.transfer, moved.amount, moved.currency, account.owner, warnings=moved.warnings)


def move(
    tx: Transaction,
    source: str,
    payer: Account,
    target: str,
    payee: Account,
    units: int,
    kind: str,
    memo: str,
    *,
    by: str = "",
    at: datetime,
    reference: str = "",
    watchers: Sequence[Watcher] = (),
) -> Transferred:
    """
    Move money between two accounts; the only place where a balance changes.

    @param source: the number of the account that pays, C{payer}.
    @param target: the number of the account that receives, C{payee}.
    @param by: who does it, where that is not the payer.
    @param reference: what it belongs to, such as C{order/41}.
    @param watchers: told of it, if an account of it is watched, or if it belongs to something else. Their warnings are for the payer alone.

    @raise BadArgument: payer and payee are one account.
    @raise Conflict: their currencies differ.
    @raise InsufficientFunds: the payer would fall below its floor.
    @raise LimitExceeded: the payee would rise above its ceiling, or a balance have more digits than can be written.
    """
    assert units > 0, units
    if source == target or payer.currency != payee.currency:
        refuse_unlike(source, payer, target, payee)
    if payer.floor is not None and payer.balance - payer.held - units < payer.floor:
        raise InsufficientFunds(_lacking(payer, units) if _may_know(tx, payer, by) else _lacking_of_another(payer, units))
    money = payer.money
    most = _MOST_UNITS[money.digits]
    if payee.balance + units >= most or payer.balance - units <= -most:
        _refuse_large(payer, payee, units, most)
    if payee.ceiling is not None and payee.balance + units > payee.ceiling:
        raise LimitExceeded(_above(target, payee, units, payee.ceiling if _may_know(tx, payee, by or payer.owner) else None))
    number = tx.number("transfer")
    payer = replace(payer, balance=payer.balance - units, entries=payer.entries + 1)
    payee = replace(payee, balance=payee.balance + units, entries=payee.entries + 1)
    entries = (Entry(source, payer.entries, -units, payer.balance), Entry(target, payee.entries, units, payee.balance))
    tx.put(source, payer)
    tx.put(target, payee)
    tx.put(transfer_key(number), Transfer(at, entries, kind, memo, by, reference))
    warnings: tuple[str, ...] = ()
    if watchers and (payer.watched or payee.watched or reference):
        movement = Movement(number, at, kind, payer.owner, payee.owner, source, target, units, money.code, memo, reference)
        warnings = tell(tx, watchers, movement)
        if by and by != payer.owner:
            # They say how the payer's budget stands, which is nobody else's business.
            warnings = ()
    moved = money.text(units)
    if payee.floor is not None:
        received = Received(
            number, payee.entries, shown_number(source), payer.owner, target, moved, money.code, memo, money.text(payee.balance)
        )
        tx.announce(member(payee.owner), received)
    return Transferred(number, source, target, payee.owner, moved, money.code, money.text(payer.balance), warnings=warnings)


def _may_know(tx: ReadTransaction, account: Account, by: str) -> bool:
    """Whether a refusal may tell somebody the figures of an account: its owner, who may be left out, and treasurers."""
    return by in ("", account.owner) or members.has_role(tx, by, "treasurer")


def _refuse_large(payer: Account, payee: Account, units: int, most: int) -> None:
    """
    @param most: what the balance of no member's account may reach.

    @raise LimitExceeded: a balance would have more digits than can be written.
    """
    for account, balance in ((payee, payee.balance + units), (payer, units - payer.balance)):
        limit = _MOST_OF_COUNTERPART if account.floor is None else most
        if balance >= limit:
            raise LimitExceeded(f"no balance in {account.currency} may reach {account.money.text(limit)}")


def _above(number: str, payee: Account, units: int, ceiling: int | None) -> str:
    """
    @param ceiling: None if that is not told: with it, who tries how much can be paid finds out what the account has.
    """
    money = payee.money
    if ceiling is None:
        return f"account {number} would have more than it may, with {money.priced(units)} more"
    return f"account {number} may have up to {money.priced(ceiling)}; with this it would have more"


def _lacking_of_another(account: Account, units: int) -> str:
    return f"{account.owner} has less than the {account.money.priced(units)} that is needed."


def _lacking(account: Account, units: int) -> str:
    money = account.money
    held = f", of which {money.priced(account.held)} is held" if account.held else ""
    credit = f", credit is {money.priced(-account.floor)}" if account.floor else ""
    return f"Balance is {money.priced(account.balance)}{held}{credit}, {money.priced(units)} is needed."

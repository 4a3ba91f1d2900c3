"""
Rules that move money.

C{move} is the only place where a balance changes, and it changes two at once by the same amount. So the sum over all accounts of a
currency is zero, always.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from securehub.event import Event
from securehub.money import MAX_WHOLE_DIGITS, Amount
from securehub.refusals import BadArgument, Conflict, LimitExceeded, Refusal
from securehub.reply import Reply
from securehub.services.ledger.accounts import counterpart, own_account, party_account, shown_number
from securehub.services.ledger.records import CASH, Account, Entry, Transfer, transfer_key
from securehub.store.transaction import Transaction
from securehub.switchboard import member

# As many digits before the point as an amount may have, and no more units than the 64 bits of whoever reads the journal can hold.
_MOST_WHOLE = 10**MAX_WHOLE_DIGITS
_MOST_UNITS = 10**18


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
        balance = f"Balance {self.balance} {self.currency}."
        if "\n" in self.memo:
            # Last, so that nothing of ours stands behind lines of a stranger's.
            return f"You received {self.amount} {self.currency} from {self.from_name}. {balance}\n{self.memo}"
        memo = f": {self.memo}" if self.memo else ""
        return f"You received {self.amount} {self.currency} from {self.from_name}{memo}. {balance}"


class Transferred(Reply, frozen=True):
    """A payment that was made; the balance is the payer's."""

    transfer: int
    from_: str = msgspec.field(name="from")
    to: str
    to_name: str
    amount: str
    currency: str
    balance: str

    def status(self) -> str:
        return f"Transfer {self.transfer}: {self.amount} {self.currency} to {self.to_name}. Balance {self.balance} {self.currency}."


class Booked(Reply, frozen=True):
    """Money that was paid in or out."""

    transfer: int
    amount: str
    currency: str

    def status(self) -> str:
        return f"Transfer {self.transfer}: {self.amount} {self.currency}."


def pay(tx: Transaction, payer: str, to: str, amount: Amount, memo: str, source: str | None, *, at: datetime) -> Transferred:
    """
    A member pays somebody.

    @param to: a username or an account number.
    @param source: the number of one of the payer's accounts, None for the first.

    @raise NotFound: there is no such payee or account.
    @raise InsufficientFunds: the payer would fall below its floor.
    """
    source_number = own_account(tx, payer, source)
    source_account = tx.fetch(Account, source_number)
    # The form of the amount first: it can be told without the payee.
    units = source_account.money.units(amount)
    target_number = party_account(tx, to, source_account.currency)
    target_account = tx.fetch(Account, target_number)
    return move(tx, source_number, source_account, target_number, target_account, units, "transfer", memo, at=at)


def deposit(tx: Transaction, to: str, amount: Amount, memo: str, by: str, *, at: datetime) -> Booked:
    """
    Money comes in from outside, against C{@cash}.

    @param to: a username or an account number.
    @param by: the treasurer.
    """
    target = party_account(tx, to)
    account = tx.fetch(Account, target)
    cash, cash_account = counterpart(tx, CASH, account.money, target)
    moved = move(tx, cash, cash_account, target, account, account.money.units(amount), "deposit", memo, by=by, at=at)
    return Booked(moved.transfer, moved.amount, moved.currency)


def withdraw(tx: Transaction, source: str, amount: Amount, memo: str, by: str, *, at: datetime) -> Booked:
    """
    Money is paid out, against C{@cash}.

    @param source: a username or an account number.
    @param by: the treasurer.

    @raise InsufficientFunds: the account would fall below its floor.
    """
    number = party_account(tx, source)
    account = tx.fetch(Account, number)
    cash, cash_account = counterpart(tx, CASH, account.money, number)
    moved = move(tx, number, account, cash, cash_account, account.money.units(amount), "withdrawal", memo, by=by, at=at)
    return Booked(moved.transfer, moved.amount, moved.currency)


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
) -> Transferred:
    """
    Move money between two accounts; the only place where a balance changes.

    @param source: the number of the account that pays, C{payer}.
    @param target: the number of the account that receives, C{payee}.

    @raise BadArgument: the accounts are one and the same.
    @raise Conflict: their currencies differ.
    @raise InsufficientFunds: the payer would fall below its floor.
    @raise LimitExceeded: a balance would have more digits than can be written.
    """
    assert units > 0, units
    if source == target:
        raise BadArgument("payer and payee are the same account")
    if payer.currency != payee.currency:
        raise Conflict(f"account {target} is in {payee.currency}, and account {source} in {payer.currency}")
    money = payer.money
    if payer.floor is not None and payer.balance - payer.held - units < payer.floor:
        raise InsufficientFunds(_lacking(payer, units))
    most = min(_MOST_WHOLE * 10**money.digits, _MOST_UNITS)
    if payee.balance + units >= most or payer.balance - units <= -most:
        raise LimitExceeded(f"no balance in {money.code} may reach {money.text(most)}")
    number = tx.number("transfer")
    payer = replace(payer, balance=payer.balance - units, entries=payer.entries + 1)
    payee = replace(payee, balance=payee.balance + units, entries=payee.entries + 1)
    entries = (Entry(source, payer.entries, -units, payer.balance), Entry(target, payee.entries, units, payee.balance))
    tx.put(source, payer)
    tx.put(target, payee)
    tx.put(transfer_key(number), Transfer(at, entries, kind, memo, by))
    moved = money.text(units)
    if payee.floor is not None:
        received = Received(
            number, payee.entries, shown_number(source), payer.owner, target, moved, money.code, memo, money.text(payee.balance)
        )
        tx.announce(member(payee.owner), received)
    return Transferred(number, source, target, payee.owner, moved, money.code, money.text(payer.balance))


def _lacking(account: Account, units: int) -> str:
    money = account.money
    held = f", of which {money.priced(account.held)} is held" if account.held else ""
    return f"Balance is {money.priced(account.balance)}{held}, {money.priced(units)} is needed."

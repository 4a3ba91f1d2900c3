"""
Rules that look into the books: an account's history, and whether all of it adds up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from heapq import merge
from operator import itemgetter

import msgspec

from securehub.arguments import MAX_LISTED
from securehub.money import Currencies, Currency, currency, is_zero
from securehub.reply import Listing, Reply, Roster, Row, table, when
from securehub.services.ledger.accounts import own_account, parts
from securehub.services.ledger.records import CASH, Account, Title, Transfer, Wallet, transfer_key
from securehub.services.ledger.reversal import Reversal
from securehub.store.transaction import ReadTransaction


class AccountRow(Row, frozen=True):
    """One of the caller's accounts."""

    account: str
    name: str
    currency: str
    balance: str


class Balance(Reply, frozen=True):
    """What an account has; what is held is in the balance."""

    account: str
    currency: str
    balance: str
    held: str

    def lines(self) -> Iterable[str]:
        """A table of one row, as the list of all accounts has it; what is held is in it if anything is."""
        names, values = ["account", "currency", "balance"], [self.account, self.currency, self.balance]
        if not is_zero(self.held):
            names.append("held")
            values.append(self.held)
        return table([names, values], right=(2, 3))


class HistoryRow(Row, frozen=True):
    """
    One entry of an account, as its owner sees it.

    @ivar amount: signed.
    @ivar balance: after it.
    """

    transfer: int
    at: datetime
    kind: str
    amount: str
    currency: str
    balance: str
    with_: str = msgspec.field(name="with")
    memo: str


class Statement(Reply, frozen=True):
    """
    An account over some time.

    @ivar start: the beginning, inclusive.
    @ivar end: the end, exclusive.
    @ivar opening: the balance before the first item.
    @ivar closing: the balance after the last item.
    @ivar items: what came and went, the oldest first.
    """

    account: str
    currency: str
    start: datetime
    end: datetime
    opening: str
    closing: str
    items: list[HistoryRow]

    def lines(self) -> Iterable[str]:
        yield f"Account {self.account}, from {when(self.start)} to {when(self.end)}"
        rows = [("transfer", "at", "kind", "with", "amount", "balance", "memo"), ("", "", "opening", "", "", self.opening, "")]
        for row in self.items:
            memo = row.memo.replace("\n", " / ")
            rows.append((str(row.transfer), when(row.at), row.kind, row.with_, row.amount, row.balance, memo))
        yield from table([*rows, ("", "", "closing", "", "", self.closing, "")], {4, 5})

    def status(self) -> str:
        return f"{self.closing} {self.currency}"


class Booking(Row, frozen=True):
    """
    Money that a treasurer has booked against C{@cash}, or booked back.

    @ivar amount: signed: what was paid in is positive, as in the member's history.
    @ivar with_: the member.
    @ivar by: the treasurer.
    @ivar undone: the number of the transfer that has undone it; null if none has.
    """

    transfer: int
    at: datetime
    kind: str
    amount: str
    currency: str
    with_: str = msgspec.field(name="with")
    by: str
    undone: int | None
    memo: str


class CounterpartRow(Row, frozen=True):
    """
    What a counterpart has in a currency.

    @ivar account: its name, such as C{@cash}.
    @ivar balance: as far below zero as money came from there and did not go back.
    """

    account: str
    currency: str
    balance: str


class CurrencySum(Row, frozen=True):
    """The sum over all accounts of a currency, counterparts included; always zero."""

    currency: str
    sum: str


def accounts_of(tx: ReadTransaction, owner: str, *, limit: int, after: str | None = None) -> Roster[AccountRow]:
    """
    An owner's accounts, the first one first.

    @param after: only those that were opened after this one.

    @raise NotFound: the owner has no such account.
    """
    wallet = tx.get(Wallet, owner) or Wallet(())
    numbers = [number for number, _ in wallet.accounts]
    start = 0 if after is None else numbers.index(own_account(tx, owner, after)) + 1
    return Roster.up_to(limit, (_account_row(tx, number) for number in numbers[start:]))


def _account_row(tx: ReadTransaction, number: str) -> AccountRow:
    account = tx.fetch(Account, number)
    return AccountRow(number, tx.fetch(Title, number).name, account.currency, account.money.text(account.balance))


def balance_of(tx: ReadTransaction, owner: str, number: str | None) -> Balance:
    """
    @raise NotFound: the owner has no such account.
    """
    number = own_account(tx, owner, number)
    account = tx.fetch(Account, number)
    money = account.money
    return Balance(number, account.currency, money.text(account.balance), money.text(account.held))


def history_of(tx: ReadTransaction, owner: str, number: str | None, *, limit: int, before: int | None) -> Listing[HistoryRow]:
    """
    The entries of one of the owner's accounts, newest first.

    @param before: only those of transfers with a smaller number.

    @raise NotFound: the owner has no such account.
    """
    number = own_account(tx, owner, number)
    money = tx.fetch(Account, number).money
    end = None if before is None else transfer_key(before)
    found = tx.beneath(Transfer, number, end=end, reverse=True)
    return Listing.up_to(limit, (row(tx, number, money, key, transfer) for key, transfer in found))


def bookings(tx: ReadTransaction, *, limit: int, before: int | None) -> Listing[Booking]:
    """
    What treasurers have booked, newest first.

    @param before: only transfers with a smaller number.
    """
    end = None if before is None else transfer_key(before)
    each = (tx.beneath(Transfer, part, end=end, reverse=True) for part in parts(tx, CASH))
    return Listing.up_to(limit, (_booking(tx, key, transfer) for key, transfer in merge(*each, key=itemgetter(0), reverse=True)))


def _booking(tx: ReadTransaction, key: str, transfer: Transfer) -> Booking:
    (side,) = (entry for entry in transfer.entries if not entry.account.startswith(CASH))
    account = tx.fetch(Account, side.account)
    amount = account.money.text(side.units)
    reversal = tx.get(Reversal, key)
    undone = None if reversal is None else reversal.transfer
    return Booking(int(key), transfer.at, transfer.kind, amount, account.currency, account.owner, transfer.by, undone, transfer.memo)


def counterparts(tx: ReadTransaction) -> Listing[CounterpartRow]:
    """What each counterpart has in each currency: the sum of its parts."""
    sums: dict[tuple[str, str, int], int] = {}
    for _, account in tx.scan(Account, prefix="@"):
        whose = account.owner, account.currency, account.digits
        sums[whose] = sums.get(whose, 0) + account.balance
    rows = sorted(sums.items())
    return Listing([CounterpartRow(name, code, currency(code, digits).text(units)) for (name, code, digits), units in rows])


def trial_balance(tx: ReadTransaction, currencies: Currencies, *, limit: int = MAX_LISTED, after: str = "") -> Roster[CurrencySum]:
    """
    The sum of all balances, by currency.

    @param after: only those of currencies behind this one.
    """
    default = currencies.default
    sums = sorted(({(default.code, default.digits): 0} | _sums(tx)).items())
    shown = (CurrencySum(code, currency(code, digits).text(units)) for (code, digits), units in sums if code > after)
    return Roster.up_to(limit, shown)


def balance(tx: ReadTransaction) -> bool:
    """Whether the books balance: the sum over all accounts is zero in each currency."""
    return not any(_sums(tx).values())


def _sums(tx: ReadTransaction) -> dict[tuple[str, int], int]:
    """The sum of all balances in units, by the code and the digits of the currency."""
    sums: dict[tuple[str, int], int] = {}
    for _, account in tx.scan(Account):
        money = account.currency, account.digits
        sums[money] = sums.get(money, 0) + account.balance
    return sums


def row(tx: ReadTransaction, number: str, money: Currency, key: str, transfer: Transfer) -> HistoryRow:
    """An entry of an account, as its owner sees it."""
    entry, other_entry = transfer.sides(number)
    other = tx.fetch(Account, other_entry.account)
    return HistoryRow(
        int(key),
        transfer.at,
        transfer.kind,
        money.text(entry.units),
        money.code,
        money.text(entry.balance),
        other.owner,
        transfer.memo,
    )

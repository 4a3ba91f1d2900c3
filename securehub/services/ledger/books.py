"""
Rules that look into the books: an account's history, and whether all of it adds up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from securehub.money import Currencies, Currency
from securehub.reply import Listing, Reply, Roster, Row, table
from securehub.services.ledger.accounts import own_account
from securehub.services.ledger.records import Account, Title, Transfer, Wallet, transfer_key
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
        if self.held.strip("0."):
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
    rows: list[HistoryRow] = []
    for key, transfer in tx.beneath(Transfer, number, end=end, limit=limit + 1, reverse=True):
        if len(rows) == limit:
            return Listing(rows, more=True)
        rows.append(row(tx, number, money, key, transfer))
    return Listing(rows)


def trial_balance(tx: ReadTransaction, currencies: Currencies) -> Listing[CurrencySum]:
    """The sum of all balances, by currency."""
    sums = {currencies.default.code: 0}
    moneys: dict[str, Currency] = {currencies.default.code: currencies.default}
    for _, account in tx.scan(Account):
        code = account.currency
        sums[code] = sums.get(code, 0) + account.balance
        moneys.setdefault(code, account.money)
    return Listing([CurrencySum(code, moneys[code].text(units)) for code, units in sorted(sums.items())])


def row(tx: ReadTransaction, number: str, money: Currency, key: str, transfer: Transfer) -> HistoryRow:
    """An entry of an account, as its owner sees it."""
    payer, payee = transfer.entries
    entry, other_entry = (payer, payee) if payer.account == number else (payee, payer)
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


def balance(tx: ReadTransaction, currencies: Currencies) -> bool:
    """Whether the books balance: the sum over all accounts is zero in each currency."""
    return not any(int(row.sum.replace(".", "")) for row in trial_balance(tx, currencies).items)

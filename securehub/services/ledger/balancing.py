"""
What is true of the books after every commit; the store's tools check it line by line.
"""

from __future__ import annotations

from collections import Counter

from securehub.services.ledger.records import Account, Transfer
from securehub.store.records import decoder

_account = decoder(Account)
_transfer = decoder(Transfer)


class Balanced:
    """
    For each currency the balances of all accounts add up to zero; the entries of each transfer do; and no balance changes but by what the
    transfers of the same commit say.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[str, int]] = {}
        self._sums: Counter[str] = Counter()
        self._newest = ""
        self._moved: Counter[str] = Counter()
        self._entered: Counter[str] = Counter()
        self._begun = False
        self._complaint: str | None = None

    def change(self, collection: str, key: str, record: bytes | None) -> None:
        """See L{securehub.store.verification.Invariant}."""
        if collection == Account.collection:
            self._change_account(key, None if record is None else _account(record))
        elif collection == Transfer.collection and record is not None:
            self._add_transfer(key, _transfer(record))

    def complaint(self) -> str | None:
        """See L{securehub.store.verification.Invariant}."""
        complaint = self._complaint or self._unbalanced() or self._unexplained()
        self._begun = True
        self._moved.clear()
        self._entered.clear()
        return complaint

    def _change_account(self, number: str, account: Account | None) -> None:
        currency, before = self._accounts.get(number, (account.currency if account else "", 0))
        balance = account.balance if account else 0
        self._sums[currency] += balance - before
        self._moved[number] += balance - before
        if account is None:
            self._accounts.pop(number, None)
        else:
            self._accounts[number] = account.currency, balance

    def _add_transfer(self, number: str, transfer: Transfer) -> None:
        if sum(entry.units for entry in transfer.entries):
            self._complaint = f"the entries of transfer {int(number)} do not add up to zero"
        # What is put again (a memo that is erased, say) moves nothing again.
        if number > self._newest:
            self._newest = number
            for entry in transfer.entries:
                self._entered[entry.account] += entry.units

    def _unbalanced(self) -> str | None:
        for currency, units in self._sums.items():
            if units:
                return f"the books do not balance: all accounts in {currency} add up to {units} units, not to zero"
        return None

    def _unexplained(self) -> str | None:
        """What a snapshot begins with has the balances of a whole history, of which it need not have all transfers."""
        if not self._begun:
            return None
        for number in {*self._moved, *self._entered}:
            moved, entered = self._moved[number], self._entered[number]
            if moved != entered:
                return f"the balance of account {number} changes by {moved} units, and its entries say {entered}"
        return None

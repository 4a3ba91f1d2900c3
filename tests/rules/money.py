"""
A ledger in which two members have an account, for tests of rules about money.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from securehub.services.ledger import books, movement
from securehub.services.ledger.records import Account
from securehub.services.ledger.watching import Movement, Watcher
from tests.rules.setting import CURRENCIES, Rules, amount
from tests.store.setting import everything


def noting(told: set[str]) -> Watcher:
    """A watcher that notes which money has moved; in a set, as a rule may be run again."""

    def watch(tx: Any, movement: Movement) -> list[str]:
        told.add(f"{movement.kind} {movement.units} from {movement.payer} to {movement.payee}")
        return []

    return watch


class Money(Rules):
    """A ledger with alice and bob in it."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.open("alice")
        self.bob = self.open("bob")

    def tearDown(self) -> None:
        """Whatever was played, the sums are zero, and each account is the sum of its entries."""
        for row in self.ask(books.trial_balance, CURRENCIES).items:
            self.assertEqual(set(row.sum) - set(".0"), set(), row)
        for number, account in self.ask(everything, Account):
            if account.floor is not None:
                rows = self.ask(books.history_of, account.owner, number, limit=1000, before=None).items
                self.assertEqual(len(rows), account.entries)
                if rows:
                    self.assertEqual(rows[0].balance, account.money.text(account.balance))
                self.assertEqual(sum(Decimal(row.amount) for row in rows), Decimal(account.balance).scaleb(-account.digits))

    def deposit(self, to: str, units: str) -> movement.Deposited:
        return self.do(movement.deposit, to, amount(units), "", "treasurer", at=self.at)

    def withdraw(self, source: str, units: str) -> movement.Withdrawn:
        return self.do(movement.withdraw, source, amount(units), "", "treasurer", at=self.at)

    def pay(self, payer: str, to: str, units: str, memo: str = "", source: str | None = None) -> movement.Transferred:
        return self.do(movement.pay, payer, to, amount(units), memo, source, at=self.at)

    def refused_pay(self, refusal: Any, text: str, payer: str, to: str, units: str, source: str | None = None) -> None:
        self.heard()
        self.refused(refusal, text, movement.pay, payer, to, amount(units), "", source, at=self.at)
        self.assertEqual(self.heard(), [])

    def balance(self, owner: str, number: str | None = None) -> str:
        return self.ask(books.balance_of, owner, number).balance

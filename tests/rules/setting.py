"""
The store on which rules are tried, and what most of them need.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, TypeVar

from twisted.trial.unittest import SynchronousTestCase

from securehub.hub import Hub
from securehub.money import Amount, Currencies
from securehub.refusals import Refusal
from securehub.remembering import Kept
from securehub.services.auth import Auth
from securehub.services.auth.tokens import Token
from securehub.services.budget import Budget
from securehub.services.chat import Chat
from securehub.services.ledger import Ledger
from securehub.services.ledger.accounts import Numbering, open_account
from securehub.services.loyalty import Loyalty
from securehub.services.orders import Orders
from securehub.services.support import Support
from securehub.store.records import R, Record
from securehub.store.suspicious import SuspiciousStore
from tests.store.setting import BEGIN, Setting, put

T = TypeVar("T")

RECORDS = (*Hub.core_records, *Auth.records, *Ledger.records, *Budget.records, *Chat.records, *Loyalty.records)
RECORDS = tuple(dict.fromkeys((*RECORDS, *Orders.records, *Support.records)))
NUMBERING = Numbering("999", "000")
CURRENCIES = Currencies.parse("USD:2 HOURS:1 YEN:0 GOLD:6", "USD")


class Rules(SynchronousTestCase):
    """
    Rules on a suspicious store in memory.

    @ivar at: the time that rules are given.
    """

    def setUp(self) -> None:
        self.setting = Setting(SuspiciousStore, records=RECORDS)
        self.random = Random(1)
        self.at: datetime = BEGIN

    def do(self, rule: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a rule that changes something."""
        return self.setting.transact(rule, *args, **kwargs)

    def ask(self, rule: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a rule that only looks."""
        return self.setting.read(rule, *args, **kwargs)

    def refused(self, refusal: type[Refusal], text: str, rule: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """The rule is refused with that text in it, and nothing has changed."""
        before = self.setting.store.number
        raised = self.assertRaises(refusal, self.setting.transact, rule, *args, **kwargs)
        self.assertIn(text, str(raised))
        self.assertEqual(self.setting.store.number, before)

    def open(self, owner: str, name: str = "main", currency: str = "USD", limit: int = 16) -> str:
        """Open an account; gives its number."""
        return self.do(open_account, owner, name, CURRENCIES[currency], NUMBERING, limit=limit, at=self.at)

    def token(self, family: str | None = None) -> Token:
        """A token that nobody has seen."""
        return Token.fresh(self.random, family)

    def put(self, key: str, record: Record) -> None:
        """Put a record, by no rule."""
        self.do(put, key, record)

    def kept(self, cls: type[R]) -> list[tuple[str, R]]:
        """All records of a class, by key, whether they are ever scanned or not."""

        def find(tx: Any) -> list[tuple[str, R]]:
            place = tx._places[cls]
            return [(key, place.decode(raw)) for key, raw in place.collection.items()]

        return self.ask(find)

    def pages(self, remembered: Callable[..., list[Kept]], username: str, limit: int) -> list[Kept]:
        """All that a service keeps about a member, page by page."""
        found: list[Kept] = []
        while page := self.ask(remembered, username, found[-1].key if found else "", limit):
            self.assertLessEqual(len(page), limit)
            found += page
        return found

    def forget_all(self, forget: Callable[..., str | None], username: str) -> int:
        """Let a service forget a member, step by step; gives in how many."""
        steps, after = 1, self.do(forget, username, "")
        while after is not None:
            steps, after = steps + 1, self.do(forget, username, after)
        return steps

    def heard(self) -> list[tuple[str, Any]]:
        """What was announced since this was asked last."""
        heard = list(self.setting.announcer.heard)
        self.setting.announcer.heard.clear()
        return heard


def amount(text: str) -> Amount:
    return Amount.parse(text)

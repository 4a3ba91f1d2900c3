"""
What a budget shows of itself, and forgets.
"""

from __future__ import annotations

from datetime import UTC, date
from functools import partial

from securehub.services.budget import entries, goals, memory, plans, reports, sorting, statements
from securehub.services.budget.entries import Draft
from securehub.services.budget.feeding import feed
from securehub.services.budget.goals import Goals
from securehub.services.budget.records import Book, Entry, Month, Origin, entry_key, month_key, origin_key
from securehub.services.budget.sorting import Patterns
from securehub.services.budget.statements import Imported
from securehub.services.ledger import batches, movement
from securehub.services.ledger.accounts import unname
from securehub.services.ledger.batches import Payment
from tests.rules.setting import CURRENCIES, Rules, amount

USD = CURRENCIES["USD"]
ENTRIES = 2 * memory.AT_ONCE + 3


class MemoryTests(Rules):
    """Alice has entered a lot."""

    def setUp(self) -> None:
        super().setUp()
        self.open("alice")
        for place in range(ENTRIES):
            draft = Draft(date(2026, 1 + place % 12, 1), "expense", f"item {place}", "wants", "food")
            self.do(entries.add, "alice", draft, amount("1"), USD)
        self.do(plans.set_plan, "alice", plans.whole_plan(6000, 2000, 2000), USD, month="2026-11")
        self.do(goals.set_goal, "alice", "boat", amount("500"), None, None, USD, today=date(2026, 11, 19))
        self.do(sorting.add_rule, "alice", "wants", "bob", "", "")
        self.do(sorting.add_rule, "alice", "needs", "carol", "", "")

    def test_remembered(self) -> None:
        """Page by page it is the same as at once, and only the member's own."""
        self.do(entries.add, "alicia", Draft(date(2026, 1, 1), "income", "x"), amount("1"), USD)
        whole = self.ask(memory.remembered, "alice", "", 1000)
        self.assertEqual([each.kind for each in whole], ["book", *["entry"] * ENTRIES, "goal", "rule", "rule"])
        self.assertEqual(whole[0].values["plans"], ["60/20/20 from 2026-11 on"])
        self.assertEqual((whole[1].values["item"], whole[1].values["amount"], whole[-3].values["name"]), ("item 0", "1.00", "boat"))
        for count in (1, 2, 50):
            self.assertEqual(self.pages(memory.remembered, "alice", count), whole)
        self.assertEqual(self.ask(memory.remembered, "nobody", "", 100), [])

    def test_forget(self) -> None:
        """In steps, all of it; to do it again is no error."""
        self.do(movement.deposit, "alice", amount("5"), "wages", "operator", at=self.at)
        watchers = (partial(feed, zone=UTC, currency=USD),)
        self.do(batches.pay_many, "alice", (Payment(self.open("bob"), amount("1")),), "", None, at=self.at, zone=UTC, watchers=watchers)
        self.assertEqual([key for key, _ in self.kept(Origin)], [origin_key("alice", "transfer/2")])
        self.assertEqual(self.forget_all(memory.forget, "alice"), 3)
        self.assertEqual(self.kept(Origin), [])
        self.assertIsNone(self.do(memory.forget, "alice", ""))
        self.ask(memory.refuse_to_forget, "alice")
        self.assertEqual(self.ask(memory.remembered, "alice", "", 100), [])
        keys = (
            (Month, month_key("alice", "2026-01")),
            (Entry, entry_key("alice", 1)),
            *((kind, "alice") for kind in (Book, Goals, Patterns)),
        )
        self.assertEqual({self.setting.get(kind, key) for kind, key in keys}, {None})

    def test_forget_what_was_imported(self) -> None:
        """With the entries go the marks of the rows that they were, also of those whose entries were removed before; no others'."""
        rows = [f"2026-11-{1 + number % 28:02d},-{number + 1}" for number in range(memory.AT_ONCE + 3)]
        for owner in ("alice", "alicia"):
            for some in (rows[: statements.MAX_ROWS], rows[statements.MAX_ROWS :]):
                self.do(statements.import_, owner, "\n".join(["Date,Amount", *some]), "bank", "wants", None, USD)
        self.do(entries.remove, "alice", ENTRIES + 1)
        self.forget_all(memory.forget, "alice")
        left = [key.partition("/")[0] for key, _ in self.ask(lambda tx: list(tx.scan(Imported)))]
        self.assertEqual(left, ["alicia"] * len(rows))


class InOtherBudgetsTests(Rules):
    """What alice paid bob, and he her, has entered his budget, more than one step of it; and what he paid carol."""

    def setUp(self) -> None:
        super().setUp()
        for owner in ("alice", "bob", "carol"):
            self.open(owner)
            self.do(movement.deposit, owner, amount("500"), "", "operator", at=self.at)
        self.open("alice", "second")
        for bucket in ("income", "needs"):
            for payee in ("alice", "carol"):
                self.do(sorting.add_rule, "bob", bucket, payee, "", "")
        for place in range(memory.AT_ONCE + 5):
            self.pay("alice", "bob", f"operation {place}")
        self.pay("bob", "alice", "for her operation")
        self.pay("bob", "carol", "cake")
        self.pay("carol", "bob", "thanks")

    def pay(self, payer: str, to: str, memo: str) -> None:
        watchers = (partial(feed, zone=UTC, currency=USD),)
        self.do(batches.pay_many, payer, (Payment(to, amount("1")),), memo, None, at=self.at, zone=UTC, watchers=watchers)

    def items(self) -> list[str]:
        return [row.item for row in self.ask(entries.entries_of, "bob", None, limit=1000, before=None).items]

    def test_memos(self) -> None:
        """They go with alice from the entries of others, as from the transfers; amounts stay, and what has nothing to do with her."""
        report = self.ask(reports.report_of, "bob", "2026-11", USD)
        self.assertEqual(self.items()[:4], ["thanks", "cake", "for her operation", f"operation {memory.AT_ONCE + 4}"])
        self.do(entries.remove, "bob", 1)
        self.do(unname, "alice")
        steps = self.forget_all(memory.forget, "alice")
        self.assertEqual((self.items(), steps), (["thanks", "cake", "to alice", *["from alice"] * (memory.AT_ONCE + 4)], 2))
        self.assertEqual(self.ask(reports.report_of, "bob", "2026-11", USD).actual, report.actual)

    def test_many_accounts(self) -> None:
        """However many accounts there are, a step touches no more than it may, and none is left out."""
        numbers = [self.open("alice", f"account {place}", limit=999) for place in range(3 * memory.AT_ONCE)]
        self.pay("alice", numbers[-1], "for the last")
        watchers = (partial(feed, zone=UTC, currency=USD),)
        self.do(movement.pay, "alice", "bob", amount("1"), "from the last", numbers[-1], at=self.at, watchers=watchers)
        self.assertEqual(self.items()[0], "from the last")
        steps = self.forget_all(memory.forget, "alice")
        self.assertEqual((self.items()[0], steps), ("from alice", 5))

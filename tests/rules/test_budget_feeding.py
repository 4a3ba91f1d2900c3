"""
What enters budgets by itself, and by members' own rules.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from securehub.refusals import BadArgument, LimitExceeded, NotFound
from securehub.services.budget import entries, reports, sorting
from securehub.services.budget.entries import MAX_CATEGORIES, Draft, EntryRow
from securehub.services.budget.feeding import feed
from securehub.services.budget.records import Entry, Month, Origin
from securehub.services.budget.sorting import Pattern, Payment
from securehub.services.ledger import batches, reversal
from securehub.services.ledger import movement as ledger
from securehub.services.ledger.records import Account
from tests.rules.setting import CURRENCIES, Rules, amount

USD = CURRENCIES["USD"]


class Movement(NamedTuple):
    """What a watcher of the ledger is told."""

    number: int
    at: datetime
    kind: str
    payer: str
    payee: str
    units: int
    reference: str = ""
    memo: str = ""
    currency: str = "USD"
    source: str = "999000000000000014"
    target: str = "999000000000000027"


class FeedingTests(Rules):
    """Movements of money become entries, in the transaction in which they happen."""

    zone = ZoneInfo("UTC")

    def setUp(self) -> None:
        super().setUp()
        self.number = 0

    def move(self, kind: str, payer: str, payee: str, units: int, reference: str = "", memo: str = "", **other: str) -> tuple[str, ...]:
        self.number += 1
        moved = Movement(self.number, self.at, kind, payer, payee, units, reference, memo, **other)
        return self.do(feed, moved, zone=self.zone, currency=USD)

    def rule(self, owner: str, bucket: str, payee: str = "", text: str = "", category: str = "") -> None:
        self.do(sorting.add_rule, owner, bucket, payee, text, category)

    def entries(self, owner: str = "alice") -> list[EntryRow]:
        return self.ask(entries.entries_of, owner, None, limit=100, before=None).items

    def shown(self, owner: str = "alice") -> list[tuple[str, str, str | None, str]]:
        return [(row.item, row.amount, row.bucket, row.category) for row in self.entries(owner)]

    def test_order(self) -> None:
        """It is a want of the payer's; the seller's budget is the seller's business."""
        self.assertEqual(self.move("order", "alice", "bakery", 1250, "order/41"), ())
        self.assertEqual(self.shown(), [("order 41", "12.50", "wants", "")])
        self.assertEqual((self.entries()[0].origin, self.entries()[0].date), ("order/41", "2026-11-19"))
        self.assertEqual(self.entries("bakery"), [])

    def test_refund(self) -> None:
        """It takes the order out again, out of the month in which it was; a part of it a part."""
        self.move("order", "alice", "bakery", 1250, "order/41")
        self.move("order", "alice", "bakery", 300, "order/42")
        self.at = datetime(2026, 12, 1, tzinfo=UTC)
        self.move("refund", "bakery", "alice", 250, "order/41")
        self.assertEqual([row.amount for row in self.entries()], ["3.00", "10.00"])
        self.move("refund", "bakery", "alice", 1000, "order/41")
        self.move("refund", "bakery", "alice", 1000, "order/41")
        self.assertEqual([row.amount for row in self.entries()], ["3.00"])
        month = self.ask(reports.report_of, "alice", "2026-11", USD)
        self.assertEqual((month.actual.wants, month.entries), ("3.00", 1))
        self.move("refund", "bakery", "alice", 100, "order/42")
        self.assertEqual(self.ask(reports.report_of, "alice", "2026-11", USD).entries, 1)
        self.move("refund", "bakery", "alice", 200, "order/42")
        self.assertEqual([self.kept(kind) for kind in (Month, Entry, Origin)], [[], [], []])

    def test_removed_by_hand(self) -> None:
        """What its owner has taken out is not taken out twice."""
        self.move("order", "alice", "bakery", 1250, "order/41")
        self.do(entries.remove, "alice", 1)
        self.move("refund", "bakery", "alice", 1250, "order/41")
        self.assertEqual(self.entries(), [])

    def test_order_by_rule(self) -> None:
        """The member's own rules win, also to leave it out."""
        self.rule("alice", "needs", payee="bakery", category="bread")
        self.rule("alice", "ignore", payee="arcade")
        self.move("order", "alice", "bakery", 1250, "order/41")
        self.move("order", "alice", "arcade", 500, "order/42")
        self.assertEqual(self.shown(), [("order 41", "12.50", "needs", "bread")])

    def test_transfers(self) -> None:
        """They enter by rules alone, on either side by its own."""
        self.move("transfer", "alice", "bob", 500, memo="lunch")
        self.assertEqual((self.entries(), self.entries("bob")), ([], []))
        self.rule("alice", "wants", text="LUNCH", category="food")
        self.rule("bob", "income", payee="alice")
        self.move("transfer", "alice", "bob", 500, memo="for lunch\nand tea")
        self.move("transfer", "alice", "bob", 600, memo="rent")
        self.assertEqual(self.shown(), [("for lunch / and tea", "5.00", "wants", "food")])
        self.assertEqual(self.shown("bob"), [("rent", "6.00", None, ""), ("for lunch / and tea", "5.00", None, "")])

    def test_deposit(self) -> None:
        """By rules about @cash; the counterpart keeps no budget."""
        self.rule("alice", "income", payee="@cash")
        self.rule("alice", "needs", payee="@cash")
        self.move("deposit", "@cash", "alice", 10_000, memo="wages")
        self.move("withdrawal", "alice", "@cash", 4_000, memo="rent")
        found = [(row.kind, row.amount, row.item) for row in self.entries()]
        self.assertEqual(found, [("expense", "40.00", "rent"), ("income", "100.00", "wages")])

    def test_many(self) -> None:
        """A payment to as many as there may be fits into a transaction, even if all of it enters the budgets of both sides."""
        watcher = partial(feed, zone=self.zone, currency=USD)
        payments = [batches.Payment(f"member{place}", amount("1")) for place in range(batches.MOST_PAYEES)]
        self.open("alice")
        self.rule("alice", "income", payee="@cash")
        self.do(ledger.deposit, "alice", amount("50"), "", "treasurer", at=self.at, watchers=(watcher,))
        self.rule("alice", "wants", text="share")
        for to, _ in payments:
            self.open(to)
            self.rule(to, "income", payee="alice")
        paid = self.do(batches.pay_many, "alice", payments, "your share", None, at=self.at, zone=self.zone, watchers=(watcher,))
        self.assertEqual(paid.warnings[-1], f"wants in 2026-11: Over budget by {len(payments) - 15}.00 USD")
        self.assertEqual([len(self.entries(owner)) for owner in ("alice", "member0", "member19")], [1 + len(payments), 1, 1])

    def test_whose_movements_are_told(self) -> None:
        """Those of members who have rules, and no others."""
        account = self.open("alice")
        for number, watched in ((1, True), (2, True)):
            self.rule("alice", "wants", payee=f"p{number}")
            self.assertEqual(self.setting.get(Account, account).watched, watched)
        for number, watched in ((1, True), (2, False)):
            self.do(sorting.remove_rule, "alice", number)
            self.assertEqual(self.setting.get(Account, account).watched, watched)

    def test_reversal(self) -> None:
        """It takes out what came of the transfer that it reverses, on both sides."""
        self.rule("alice", "wants", payee="bob")
        self.rule("bob", "income", payee="alice")
        self.move("transfer", "alice", "bob", 500)
        self.move("order", "alice", "bakery", 700, "order/1")
        self.move("reversal", "bob", "alice", 500, "transfer/1")
        self.assertEqual((self.shown(), self.shown("bob")), ([("order 1", "7.00", "wants", "")], []))

    def test_refund_of_income(self) -> None:
        """What a seller's rules have entered as income goes out again, too."""
        self.rule("bob", "income", payee="alice")
        self.move("order", "alice", "bob", 700, "order/1")
        self.assertEqual([amount for _, amount, *_ in self.shown("bob")], ["7.00"])
        self.move("refund", "bob", "alice", 300, "order/1")
        self.assertEqual([[amount for _, amount, *_ in self.shown(name)] for name in ("alice", "bob")], [["4.00"], ["4.00"]])

    def test_to_oneself(self) -> None:
        """Between own accounts it may be put aside, and is no income."""
        self.rule("alice", "income", payee="alice")
        self.rule("alice", "savings", payee="999000000000000043")
        self.move("transfer", "alice", "alice", 500, target="999000000000000043")
        self.assertEqual(self.shown(), [("to alice", "5.00", "savings", "")])

    def test_currencies(self) -> None:
        """A budget has one; what moves in others is not entered."""
        self.move("order", "alice", "bakery", 1250, "order/41", currency="HOURS")
        self.assertEqual(self.entries(), [])

    def test_warning(self) -> None:
        """The payer is told in the payment's own reply, and nobody is told of the payee's budget."""
        self.do(entries.add, "alice", Draft(self.at.date(), "income", ""), amount("10"), USD)
        self.assertEqual(self.move("order", "alice", "bakery", 300, "order/1"), ())
        self.assertEqual(self.move("order", "alice", "bakery", 1, "order/2"), ("wants in 2026-11: Over budget by 0.01 USD",))

    def test_day(self) -> None:
        """That of the hub's time zone."""
        self.zone = ZoneInfo("Pacific/Auckland")
        self.at = datetime(2026, 11, 30, 18, 2, tzinfo=UTC)
        self.move("order", "alice", "bakery", 300, "order/1")
        self.assertEqual(self.entries()[0].date, "2026-12-01")

    def test_full(self) -> None:
        """A budget that takes no more never stops a payment."""
        for number in range(MAX_CATEGORIES):
            self.do(entries.add, "alice", Draft(self.at.date(), "expense", "x", "wants", f"c{number}"), amount("1"), USD)
        self.rule("alice", "wants", payee="bakery", category="one more")
        self.move("order", "alice", "bakery", 300, "order/1")
        self.assertEqual(self.shown()[0], ("order 1", "3.00", "wants", ""))
        self.assertIn("not entered", self.move("order", "alice", "bakery", 10**18, "order/2")[0])


class RuleTests(Rules):
    """What a member's own rule catches."""

    def test_first_one(self) -> None:
        """The first rule that fits decides."""
        rules = (Pattern(1, "needs", "", "rent", ""), Pattern(2, "wants", "bob", "", ""))
        for payment, number in (
            (Payment(False, ("bob",), "Rent for May"), 1),
            (Payment(False, ("bob",), "beer"), 2),
            (Payment(False, ("carol",), "beer"), None),
            (Payment(True, ("bob",), "rent"), None),
        ):
            found = sorting.first_catch(rules, payment)
            self.assertEqual(found and found.number, number)

    def test_both(self) -> None:
        """Where a rule says payee and text, both must fit."""
        rule = Pattern(1, "needs", "ACME GmbH", "invoice", "")
        self.assertTrue(sorting.catches(rule, Payment(False, ("acme gmbh",), "Invoice 17")))
        self.assertFalse(sorting.catches(rule, Payment(False, ("acme",), "Invoice 17")))
        self.assertFalse(sorting.catches(rule, Payment(False, ("acme gmbh",), "17")))

    def test_ignore(self) -> None:
        """In either direction."""
        rule = Pattern(1, "ignore", "bob", "", "")
        self.assertTrue(sorting.catches(rule, Payment(True, ("bob",), "")))
        self.assertTrue(sorting.catches(rule, Payment(False, ("bob",), "")))

    def test_bounds(self) -> None:
        self.refused(BadArgument, "payee= or a text=", sorting.add_rule, "alice", "wants", "", "", "food")
        for number in range(sorting.MAX_RULES):
            self.do(sorting.add_rule, "alice", "wants", f"p{number}", "", "")
        self.refused(LimitExceeded, f"{sorting.MAX_RULES} are allowed", sorting.add_rule, "alice", "wants", "x", "", "")
        self.do(sorting.remove_rule, "alice", 7)
        self.refused(NotFound, "you have no rule 7", sorting.remove_rule, "alice", 7)
        self.assertEqual(self.do(sorting.add_rule, "alice", "wants", "x", "", "").rule, sorting.MAX_RULES + 1)

    def test_preview(self) -> None:
        """Over all accounts in the budget's currency, the newest first, with the rule that wins already."""
        self.open("alice")
        other = self.open("alice", "other")
        time = self.open("alice", "time", "HOURS")
        self.open("bob")
        for to, units, memo in (("alice", "100", "wages"), (other, "50", "more wages")):
            self.do(ledger.deposit, to, amount(units), memo, "treasurer", at=self.at)
        self.do(ledger.pay, "alice", "bob", amount("5"), "lunch", None, at=self.at)
        self.do(ledger.pay, "alice", "bob", amount("6"), "Lunch", other, at=self.at)
        self.do(ledger.deposit, time, amount("8"), "wages of a day", "treasurer", at=self.at)
        self.do(sorting.add_rule, "alice", "wants", "", "LUN", "")

        def caught(bucket: str, payee: str = "", text: str = "", limit: int = 20) -> list[tuple[int, str, int | None]]:
            found = self.ask(sorting.preview, "alice", bucket, payee, text, USD, limit=limit)
            return [(row.transfer, row.amount, row.rule) for row in found.items]

        self.assertEqual(caught("wants", payee="bob"), [(4, "-6.00", 1), (3, "-5.00", 1)])
        self.assertEqual(caught("income", text="wages"), [(2, "50.00", None), (1, "100.00", None)])
        self.assertEqual(caught("ignore", text="wages", limit=1), [(2, "50.00", None)])
        self.assertEqual(caught("savings", payee="carol"), [])

    def test_preview_by_number(self) -> None:
        """What names an account by its number catches the same as it will."""
        self.open("alice")
        number = self.open("bob")
        self.do(ledger.deposit, "alice", amount("100"), "", "treasurer", at=self.at)
        self.do(ledger.pay, "alice", "bob", amount("5"), "lunch", None, at=self.at)
        found = self.ask(sorting.preview, "alice", "wants", number, "", USD, limit=20)
        self.assertEqual([row.transfer for row in found.items], [2])

    def test_preview_between_own_accounts(self) -> None:
        """It goes out to a bucket, if a rule says so, and is nobody's income."""
        self.open("alice")
        other = self.open("alice", "other")
        self.do(ledger.deposit, "alice", amount("100"), "", "treasurer", at=self.at)
        self.do(ledger.pay, "alice", other, amount("5"), "put aside", None, at=self.at)
        for bucket, caught in (("savings", ["-5.00"]), ("income", [])):
            found = self.ask(sorting.preview, "alice", bucket, "", "aside", USD, limit=20)
            self.assertEqual([row.amount for row in found.items], caught)

    def test_preview_of_what_went_back(self) -> None:
        """What is undone or refunded is no payment to any rule, so none is said to catch it."""
        self.open("alice")
        self.open("bob")
        self.do(ledger.deposit, "alice", amount("100"), "", "treasurer", at=self.at)
        self.do(ledger.pay, "alice", "bob", amount("5"), "lunch", None, at=self.at)
        self.do(reversal.reverse, 2, "lunch", "treasurer", at=self.at, zone=UTC)
        for owner, bucket in (("alice", "income"), ("bob", "wants")):
            self.assertEqual(self.ask(sorting.preview, owner, bucket, "", "lunch", USD, limit=20).items, [], owner)

    def test_preview_is_bounded(self) -> None:
        """Only so many entries are looked at, a fair share in each account, and the rules that there are only for what is shown."""
        self.patch(sorting, "PREVIEWED", 4)
        self.open("alice")
        other = self.open("alice", "other")
        for to in ("alice", "alice", "alice", other):
            self.do(ledger.deposit, to, amount("1"), "wages", "treasurer", at=self.at)
        self.do(sorting.add_rule, "alice", "income", "", "wages", "")
        looked_at: list[Payment] = []
        first_catch = sorting.first_catch

        def noted(rules: tuple[Pattern, ...], payment: Payment) -> Pattern | None:
            looked_at.append(payment)
            return first_catch(rules, payment)

        self.patch(sorting, "first_catch", noted)
        found = self.ask(sorting.preview, "alice", "income", "", "wages", USD, limit=1)
        # The store tries each rule twice.
        self.assertEqual(([row.transfer for row in found.items], found.more, len(looked_at)), ([4], True, 2))
        found = self.ask(sorting.preview, "alice", "income", "", "wages", USD, limit=20)
        self.assertEqual(([row.transfer for row in found.items], found.more), ([4, 3, 2], False))

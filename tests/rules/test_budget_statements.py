"""
Statements from elsewhere become entries, each row once.
"""

from __future__ import annotations

from datetime import date

from securehub.refusals import LimitExceeded
from securehub.services.budget import entries, goals, reports, sorting, statements
from tests.rules.setting import CURRENCIES, Rules, amount

USD = CURRENCIES["USD"]


class ImportTests(Rules):
    """What an import enters, and what a second one does not."""

    def send(self, statement: str, account: str = "", leftover: str = "wants") -> tuple[int, int, int]:
        """Import, after a preview that says the same."""
        shown = self.ask(statements.preview, "alice", statement, account, leftover, None, USD)
        done = self.do(statements.import_, "alice", statement, account, leftover, None, USD)
        self.assertEqual((done.entered, done.known, done.ignored), (shown.entered, shown.known, shown.ignored))
        return done.entered, done.known, done.ignored

    def entries(self) -> list[entries.EntryRow]:
        return self.ask(entries.entries_of, "alice", None, limit=1000, before=None).items

    def test_again(self) -> None:
        """A statement that overlaps with another enters only what is new."""
        first = "Date,Amount,Text\n2026-11-01,-3,Coffee\n2026-11-01,-3,Coffee\n2026-11-02,-4,Tea\n"
        second = "Date,Amount,Text\n2026-11-01,-3,Coffee\n2026-11-01,-3,Coffee\n2026-11-02,-4,Tea\n2026-11-02,-4,Tea\n2026-11-03,9,Pay\n"
        self.assertEqual(self.send(first), (3, 0, 0))
        self.assertEqual(self.send(first), (0, 3, 0))
        self.assertEqual(self.send(second), (2, 3, 0))
        self.assertEqual(len(self.entries()), 5)

    def test_two_accounts(self) -> None:
        """The same row of another account is another one."""
        text = "Date,Amount,Text\n2026-11-01,-3,Coffee\n"
        self.assertEqual(self.send(text, "bank"), (1, 0, 0))
        self.assertEqual(self.send(text, "card"), (1, 0, 0))
        self.assertEqual(self.send(text, "bank"), (0, 1, 0))

    def test_bank_says_it_twice(self) -> None:
        """An id that stands twice in one file is one row."""
        self.assertEqual(self.send("Date,Amount,ID\n2026-11-01,-3,7\n2026-11-01,-3,7\n"), (1, 1, 0))

    def test_removed(self) -> None:
        """What was removed by hand does not come back."""
        text = "Date,Amount,Text\n2026-11-01,-3,Coffee\n"
        self.send(text)
        self.do(entries.remove, "alice", 1)
        self.assertEqual(self.send(text), (0, 1, 0))
        self.assertEqual(self.entries(), [])

    def test_sorted_by_rules(self) -> None:
        """By payee or text; what came in and what went, each by its own."""
        self.do(sorting.add_rule, "alice", "needs", "ACME GmbH", "", "power")
        self.do(sorting.add_rule, "alice", "ignore", "", "to savings account", "")
        self.do(sorting.add_rule, "alice", "income", "", "gift", "gifts")
        text = (
            "Date,Amount,Payee,Text\n2026-11-01,-30,acme gmbh,November\n2026-11-02,-5,,To savings account\n"
            "2026-11-03,20,Granny,a gift\n2026-11-04,7,Shop,\n2026-11-05,-1,Shop,\n"
        )
        self.assertEqual(self.send(text, leftover="savings"), (4, 0, 1))
        found = [(row.item, row.bucket, row.category) for row in reversed(self.entries())]
        self.assertEqual(found[:2], [("acme gmbh: November", "needs", "power"), ("Granny: a gift", None, "gifts")])
        self.assertEqual(found[2:], [("Shop", None, ""), ("Shop", "savings", "")])
        # Ignored is not imported: without that rule it comes.
        self.do(sorting.remove_rule, "alice", 2)
        self.assertEqual(self.send(text), (1, 4, 0))
        # What is entered already is not ignored besides.
        self.do(sorting.add_rule, "alice", "ignore", "Shop", "", "")
        self.assertEqual(self.send(text), (0, 5, 0))

    def test_as_large_as_can_be(self) -> None:
        """Each row in a month of its own, and for a goal: still one transaction. One row more is refused."""
        self.do(goals.set_goal, "alice", "bicycle", amount("1000"), None, None, USD, today=date(2026, 11, 19))
        self.do(sorting.add_rule, "alice", "savings", "", "box", "bicycle")
        lines = [f"{2000 + number // 12}-{number % 12 + 1:02d}-01,-1,box {number}" for number in range(statements.MAX_ROWS + 1)]
        self.assertEqual(self.send("\n".join(["Date,Amount,Text", *lines[:-1]])), (statements.MAX_ROWS, 0, 0))
        self.assertEqual(self.ask(goals.goals_of, "alice", USD, today=date(2026, 11, 19)).items[0].saved, f"{statements.MAX_ROWS}.00")
        too_many = "\n".join(["Date,Amount,Text", *lines])
        self.refused(LimitExceeded, "61 rows; 60 are taken", statements.import_, "alice", too_many, "", "wants", None, USD)

    def test_all_or_nothing(self) -> None:
        """A month that takes no more categories refuses the whole statement."""
        for number in range(entries.MAX_CATEGORIES):
            draft = entries.Draft(date(2026, 11, 1), "expense", "x", "wants", f"c{number}")
            self.do(entries.add, "alice", draft, amount("1"), USD)
        self.do(sorting.add_rule, "alice", "needs", "", "tea", "one more")
        text = "Date,Amount,Text\n2026-11-01,-3,Coffee\n2026-11-02,-4,Tea\n"
        self.refused(LimitExceeded, "categories", statements.import_, "alice", text, "", "wants", None, USD)
        self.assertEqual(self.ask(reports.report_of, "alice", "2026-11", USD).actual.wants, "100.00")

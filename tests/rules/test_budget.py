"""
The budget's rules: every cent is somewhere, months are kept as they were, and sums are those of the entries.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securehub.refusals import BadArgument, Conflict, LimitExceeded, NotFound
from securehub.services import times
from securehub.services.budget import bars, entries, goals, plans, reports, statuses, words
from securehub.services.budget.entries import MAX_CATEGORIES, Draft
from securehub.services.budget.plans import Parts
from securehub.services.budget.records import BUCKETS, Book, Month
from tests.rules.setting import CURRENCIES, Rules, amount
from tests.store.setting import get
from tests.world import World

USD = CURRENCIES["USD"]
TODAY = date(2026, 11, 19)


class BudgetRules(Rules):
    """A budget of alice's."""

    def income(self, units: str, day: date = TODAY) -> entries.Entered:
        return self.do(entries.add, "alice", Draft(day, "income", "salary"), amount(units), USD)

    def expense(self, units: str, bucket: str, category: str = "", day: date = TODAY, owner: str = "alice") -> entries.Entered:
        return self.do(entries.add, owner, Draft(day, "expense", "thing", bucket, category), amount(units), USD)

    def report(self, month: str = "2026-11") -> reports.Report:
        return self.ask(reports.report_of, "alice", month, USD)

    def rows(self, **bounds: Any) -> list[entries.EntryRow]:
        return self.ask(entries.entries_of, "alice", bounds.get("month"), limit=bounds.get("limit", 100), before=None).items


class SplitTests(SynchronousTestCase):
    """An income is divided to the last unit."""

    def test_ties(self) -> None:
        """What is left goes to the largest remainder; of equal ones to needs, then to wants."""
        self.assertEqual(plans.split(1), (1, 0, 0))
        self.assertEqual(plans.split(7), (4, 2, 1))
        self.assertEqual(plans.split(1, Parts(3_333, 3_333, 3_334)), (0, 0, 1))
        self.assertEqual(plans.split(2, Parts(3_333, 3_334, 3_333)), (1, 1, 0))
        self.assertEqual(plans.split(10, Parts(2_500, 2_500, 5_000)), (3, 2, 5))

    @given(st.integers(0, 10**17), st.integers(0, 10_000), st.integers(0, 10_000))
    def test_every_unit(self, units: int, one: int, other: int) -> None:
        """Nothing is lost, and no part is a whole unit away from its percentage."""
        low, high = sorted((one, other))
        plan = Parts(low, high - low, 10_000 - high)
        parts = plans.split(units, plan)
        self.assertEqual(sum(parts), units)
        for part, share in zip(parts, plan, strict=True):
            self.assertLess(abs(part * 10_000 - units * share), 10_000)
            self.assertGreaterEqual(part, 0)


class StatusTests(SynchronousTestCase):
    """The four texts that programs compare."""

    def test_texts(self) -> None:
        self.assertEqual(statuses.spending(76_200, 75_000, USD), "Over budget by 12.00 USD")
        self.assertEqual(statuses.spending(75_000, 75_000, USD), "Within recommended budget")
        self.assertEqual(statuses.saving(29_500, 30_000, USD), "Below recommended savings by 5.00 USD")
        self.assertEqual(statuses.saving(30_000, 30_000, USD), "Meeting or exceeding savings goal")
        self.assertEqual(statuses.spending(3, 1, CURRENCIES["YEN"]), "Over budget by 2 YEN")


class BarTests(SynchronousTestCase):
    """Bars are as long as they should be, and hide nothing."""

    def test_gauge(self) -> None:
        self.assertEqual(bars.gauge(5, 10, width=10), "#####.....")
        self.assertEqual(bars.gauge(20, 10, width=10), "#####!!!!!")
        self.assertEqual(bars.gauge(20, 10, "+", width=10), "#####+++++")
        self.assertEqual(bars.gauge(0, 0, width=4), "....")
        self.assertEqual(bars.gauge(10, 10, width=4), "####")

    def test_little(self) -> None:
        """A cent spent shows, and a cent left does, too."""
        self.assertEqual(bars.gauge(1, 10**9, width=4), "#...")
        self.assertEqual(bars.gauge(10**9 - 1, 10**9, width=4), "###.")
        self.assertEqual(bars.gauge(10**9 + 1, 10**9, width=4), "###!")

    def test_stacked(self) -> None:
        self.assertEqual(bars.stacked([("n", 50), ("w", 30), ("s", 20)], 100, 10), "nnnnnwwwss")
        self.assertEqual(bars.stacked([("n", 1), ("w", 1), ("s", 1)], 3, 10), "nnnwwwwsss")
        self.assertEqual(bars.stacked([("n", 0)], 0, 10), "")


class FormTests(SynchronousTestCase):
    """What may be written."""

    def test_percentage(self) -> None:
        for written, hundredths in (("0", 0), ("50", 5_000), ("33.3", 3_330), ("33.34", 3_334), ("100.00", 10_000)):
            self.assertEqual(words.percentage(written), hundredths)
            self.assertEqual(words.percentage(plans.percent(hundredths)), hundredths)
        for wrong in ("", "-1", "100.01", "101", "1e1", "33.333", "50%", ".5", "5.", "\u0663"):
            self.assertRaises(BadArgument, words.percentage, wrong)

    def test_days_and_months(self) -> None:
        self.assertEqual(times.day("2028-02-29"), date(2028, 2, 29))
        for wrong in ("", "2026-02-29", "2026-1-01", "20261119", "2026-11-19T00", "0000-01-01", "2026-11-1\u0669"):
            self.assertRaises(BadArgument, times.day, wrong)
        self.assertEqual([words.month(word) for word in ("2026-01", "2026-12")], ["2026-01", "2026-12"])
        for wrong in ("", "2026-13", "2026-00", "2026-11-01", "26-11", "0000-01", "November"):
            self.assertRaises(BadArgument, words.month, wrong)


class MonthTests(BudgetRules):
    """What a month's record says is what its entries add up to."""

    def test_sums(self) -> None:
        """After any play of entering and removing, with nothing left over when all is removed."""
        chance = random.Random(3)
        left: list[int] = []
        for _ in range(150):
            if left and chance.random() < 0.4:
                self.do(entries.remove, "alice", left.pop(chance.randrange(len(left))))
            else:
                day = date(2026, chance.randint(9, 11), 5)
                if chance.random() < 0.3:
                    entered = self.income(f"{chance.randint(1, 999)}.{chance.randint(0, 9)}", day)
                else:
                    entered = self.expense(str(chance.randint(1, 99)), chance.choice(BUCKETS), chance.choice(["", "a", "b"]), day)
                left.append(entered.entry)
            self.check_months()
        for number in left:
            self.do(entries.remove, "alice", number)
        for month in ("2026-09", "2026-10", "2026-11"):
            self.assertIsNone(self.ask(get, Month, f"alice/{month}"))

    def check_months(self) -> None:
        for month in ("2026-09", "2026-10", "2026-11"):
            rows, report = self.rows(month=month), self.report(month)
            self.assertEqual(report.entries, len(rows))
            expected: dict[tuple[str, str], float] = {}
            for row in rows:
                if row.category:
                    place = (row.bucket or "", row.category)
                    expected[place] = expected.get(place, 0) + float(row.amount)
            self.assertEqual({(each.bucket, each.category): float(each.amount) for each in report.categories}, expected)
            for bucket in BUCKETS:
                self.assertAlmostEqual(
                    float(getattr(report.actual, bucket)), sum(float(row.amount) for row in rows if row.bucket == bucket)
                )
            self.assertAlmostEqual(float(report.income), sum(float(row.amount) for row in rows if row.kind == "income"))

    def test_others(self) -> None:
        """Nobody sees or removes an entry of somebody else."""
        self.expense("5", "wants", owner="bob")
        self.assertEqual(self.rows(), [])
        self.refused(NotFound, "there is no entry 1", entries.remove, "alice", 1)

    def test_numbers(self) -> None:
        """Entries count up from 1 for each member, and a number is never used again."""
        self.expense("5", "wants", owner="bob")
        self.assertEqual([self.expense("5", "wants").entry, self.expense("5", "wants").entry], [1, 2])
        self.do(entries.remove, "alice", 2)
        self.assertEqual(self.expense("5", "wants").entry, 3)

    def test_categories_are_bounded(self) -> None:
        for number in range(MAX_CATEGORIES):
            self.expense("1", "wants", f"c{number}")
        draft = Draft(TODAY, "expense", "thing", "wants", "one more")
        self.refused(LimitExceeded, f"{MAX_CATEGORIES} categories", entries.add, "alice", draft, amount("1"), USD)
        self.expense("1", "wants", "c0")

    def test_sums_are_bounded(self) -> None:
        """In a currency of 6 decimals, too, where two entries may have more digits."""
        draft = Draft(TODAY, "income", "windfall")
        self.do(entries.add, "alice", draft, amount("999999999999.999999"), CURRENCIES["GOLD"])
        self.refused(LimitExceeded, "18 digits", entries.add, "alice", draft, amount("0.000001"), CURRENCIES["GOLD"])

    def test_currency(self) -> None:
        """A budget keeps the currency in which it was begun, whatever the hub's is later."""
        self.income("10")
        self.do(entries.add, "alice", Draft(TODAY, "income", "more"), amount("1.25"), CURRENCIES["YEN"])
        self.assertEqual((self.report().income, self.report().currency), ("11.25", "USD"))


class PlanTests(BudgetRules):
    """What was recommended for a month stays recommended."""

    def set_plan(self, month: str, *parts: int) -> None:
        self.do(plans.set_plan, "alice", Parts(*parts), USD, month=month)

    def test_later_plans(self) -> None:
        for month in (9, 10, 11, 12):
            self.income("1000", date(2026, month, 1))
        before = [self.report("2026-09"), self.report("2026-10")]
        self.set_plan("2026-11", 6_000, 2_000, 2_000)
        self.assertEqual([self.report("2026-09"), self.report("2026-10")], before)
        self.assertEqual(self.report("2026-11").recommended.needs, "600.00")
        self.assertEqual(self.report("2026-12").recommended.needs, "600.00")
        self.set_plan("2026-12", 7_000, 3_000, 0)
        self.assertEqual(self.report("2026-11").recommended.needs, "600.00")
        self.assertEqual(self.report("2026-12").recommended.needs, "700.00")

    def test_twice_in_a_month(self) -> None:
        """The last one counts, and one is kept."""
        self.set_plan("2026-11", 6_000, 2_000, 2_000)
        self.set_plan("2026-11", 5_500, 2_500, 2_000)
        self.assertEqual(len(self.ask(get, Book, "alice").plans), 1)
        self.assertEqual(self.report().plan.needs, "55")

    def test_whole(self) -> None:
        """To a hundredth of a percent."""
        self.assertEqual(plans.whole_plan(3_333, 3_333, 3_334), (3_333, 3_333, 3_334))
        self.assertRaises(BadArgument, plans.whole_plan, 3_333, 3_333, 3_333)


class WarningTests(BudgetRules):
    """Who overspends is told."""

    def test_over(self) -> None:
        self.income("100")
        self.assertEqual(self.expense("50", "needs").warnings, [])
        self.assertEqual(self.expense("0.01", "needs").warnings, ["needs in 2026-11: Over budget by 0.01 USD"])
        self.assertEqual(self.expense("1000", "savings").warnings, [])

    def test_no_income(self) -> None:
        """Whoever keeps no budget is not nagged."""
        self.assertEqual(self.expense("50", "wants").warnings, [])


class GoalTests(BudgetRules):
    """What a goal needs each month."""

    def goal(self, units: str, due: date | None, saved: str | None = None) -> goals.GoalSet:
        there = None if saved is None else amount(saved)
        return self.do(goals.set_goal, "alice", "bicycle", amount(units), due, there, USD, today=TODAY)

    def test_monthly(self) -> None:
        """In the months that are left, this one and the last one included, rounded up to the cent."""
        self.assertEqual(self.goal("100", date(2026, 11, 30)).monthly, "100.00")
        self.assertEqual(self.goal("100", date(2027, 1, 1)).monthly, "33.34")
        self.assertEqual(self.goal("100", date(2027, 11, 1), "99.99").monthly, "0.01")
        self.assertEqual(self.goal("100", date(2027, 11, 1), "101").monthly, "0.00")
        self.assertIsNone(self.goal("100", None).monthly)

    def test_overdue(self) -> None:
        """All of it, this month."""
        self.goal("100", date(2026, 11, 30))
        row = self.ask(goals.goals_of, "alice", USD, today=date(2027, 2, 1)).items[0]
        self.assertEqual((row.months, row.monthly), (1, "100.00"))

    def test_another_goal_of_that_name(self) -> None:
        """What counted for a goal that was given up is not taken from a later one."""
        self.goal("100", None)
        self.expense("10", "savings", "bicycle")
        self.do(goals.remove, "alice", "bicycle")
        self.goal("100", None, "5")
        self.do(entries.remove, "alice", 1)
        self.assertEqual(self.ask(goals.goals_of, "alice", USD, today=TODAY).items[0].saved, "5.00")

    def test_sums_are_bounded(self) -> None:
        """What is saved adds up over all months, each of which is within bounds."""
        self.goal("1", None, "999999999999999")
        for number in range(9):
            self.expense("999999999999999", "savings", "bicycle", date(2026, number + 1, 1))
        draft = Draft(TODAY, "expense", "thing", "savings", "bicycle")
        self.refused(LimitExceeded, "18 digits", entries.add, "alice", draft, amount("999999999999999"), USD)

    def test_today(self) -> None:
        """The day itself is no day that is past."""
        self.assertEqual(self.goal("100", TODAY).due, TODAY.isoformat())
        yesterday = TODAY - timedelta(days=1)
        self.refused(Conflict, "is past", goals.set_goal, "alice", "car", amount("1"), yesterday, None, USD, today=TODAY)

    def test_less_was_saved(self) -> None:
        """No goal has less than nothing, whatever its owner has said and taken out."""
        self.goal("100", None)
        self.expense("10", "savings", "bicycle")
        self.goal("100", None, "4")
        self.do(entries.remove, "alice", 1)
        self.assertEqual(self.ask(goals.goals_of, "alice", USD, today=TODAY).items[0].saved, "0.00")

    def test_bounded(self) -> None:
        for number in range(goals.MAX_GOALS):
            self.do(goals.set_goal, "alice", f"goal {number}", amount("1"), None, None, USD, today=TODAY)
        self.refused(
            LimitExceeded, f"{goals.MAX_GOALS} are allowed", goals.set_goal, "alice", "another", amount("1"), None, None, USD, today=TODAY
        )
        self.assertEqual(self.do(goals.set_goal, "alice", "goal 7", amount("2"), None, None, USD, today=TODAY).target, "2.00")


class TimeZoneTests(SynchronousTestCase):
    """Days and months are those of the hub's time zone."""

    def test_today(self) -> None:
        """At 18:02 UTC on the 19th it is the 20th in Auckland; eleven days on, it is December there and November elsewhere."""
        for zone, day, month in (("Pacific/Auckland", "2026-11-20", "2026-12"), ("UTC", "2026-11-19", "2026-11")):
            world = World(time_zone=ZoneInfo(zone))
            alice = world.member("alice")
            self.assertEqual(alice.call("budget.income", amount=1)["result"]["date"], day)
            world.elapse(11 * 24 * 3600)
            self.assertEqual(alice.call("budget.report")["result"]["month"], month)

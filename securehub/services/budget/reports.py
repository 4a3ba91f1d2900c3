"""
Reports: what a month should have been, what it was, and how both compare. As text with bars, as JSON with the same figures.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from securehub.money import Currency
from securehub.reply import Listing, Reply, Row, shown, table
from securehub.services.budget import statuses
from securehub.services.budget.bars import WIDTH, gauge, stacked
from securehub.services.budget.plans import Parts, money_of, percent, plan_for, split
from securehub.services.budget.records import BUCKETS, Book, Month, month_key
from securehub.store.transaction import ReadTransaction


class Buckets(msgspec.Struct, frozen=True, gc=False):
    """A figure for each bucket."""

    needs: str
    wants: str
    savings: str


class Analysis(msgspec.Struct, frozen=True, gc=False):
    """What is said about each bucket."""

    needs_status: str
    wants_status: str
    savings_status: str


class CategoryRow(Row, frozen=True):
    """What a category of one's own had."""

    category: str
    bucket: str
    amount: str


class Report(Reply, frozen=True):
    """
    A month of a budget.

    @ivar recommended: the income, divided by the plan.
    @ivar actual: what was spent, or saved.
    @ivar difference: actual less recommended.
    @ivar balance: the income less all three buckets.
    @ivar plan: in percent of the income, as it counted for that month.
    @ivar percent: actual in percent of the income; null without an income.
    @ivar savings_rate: the savings in percent of the income; null without an income.
    @ivar categories: the largest first.
    @ivar entries: how many the month has.
    """

    month: str
    currency: str
    income: str
    recommended: Buckets
    actual: Buckets
    analysis: Analysis
    difference: Buckets
    balance: str
    plan: Buckets
    percent: Buckets | None
    savings_rate: str | None
    categories: list[CategoryRow]
    entries: int

    def lines(self) -> Iterable[str]:
        width = max(len(self.income), len(self.balance))
        yield f"month         {self.month}"
        yield f"income        {self.income.rjust(width)} {self.currency}"
        yield f"balance       {self.balance.rjust(width)} {self.currency}"
        yield f"savings rate  {f'{self.savings_rate} %' if self.savings_rate else '-'}"
        yield ""
        yield from self._bucket_lines()
        if self.categories:
            yield ""
            yield from self._category_lines()

    def _bucket_lines(self) -> Iterable[str]:
        head = ["bucket", "plan", "recommended", "actual", "of income", "", "status"]
        rows = []
        for bucket in BUCKETS:
            plan, recommended, actual = (getattr(each, bucket) for each in (self.plan, self.recommended, self.actual))
            part = f"{getattr(self.percent, bucket)} %" if self.percent else "-"
            status = getattr(self.analysis, f"{bucket}_status")
            beyond = "+" if bucket == "savings" else "!"
            rows.append([bucket, f"{plan} %", recommended, actual, part, gauge(_figure(actual), _figure(recommended), beyond), status])
        return table([head, *rows], {1, 2, 3, 4})

    def _category_lines(self) -> Iterable[str]:
        largest = max(_figure(each.amount) for each in self.categories)
        rows = [[each.category, each.bucket, each.amount, stacked([("#", _figure(each.amount))], largest)] for each in self.categories]
        return table([["category", "bucket", "amount", ""], *rows], {2})


class MonthRow(Row, frozen=True):
    """
    One month.

    @ivar needs: what was spent; so are the others.
    @ivar balance: the income less all three.
    @ivar savings_rate: the savings in percent of the income; null without an income.
    """

    month: str
    income: str
    needs: str
    wants: str
    savings: str
    balance: str
    currency: str
    savings_rate: str | None


class Months(Listing[MonthRow], frozen=True):
    """Months that have entries, the newest first."""

    def lines(self) -> Iterable[str]:
        if not self.items:
            return []
        largest = max(max(_figure(row.income), sum(_figure(getattr(row, bucket)) for bucket in BUCKETS)) for row in self.items)
        head = ["month", "income", *BUCKETS, "balance", "currency", "saved %", "n needs, w wants, s savings"]
        rows = [[*map(shown, msgspec.structs.astuple(row)), _bar(row, largest)] for row in self.items]
        return table([head, *rows], {1, 2, 3, 4, 5, 7})


def report_of(tx: ReadTransaction, owner: str, name: str, currency: Currency) -> Report:
    """
    The report of a month, be there anything in it or not.

    @param currency: of a book that is not yet begun.
    """
    book = tx.get(Book, owner)
    month = tx.get(Month, month_key(owner, name)) or Month()
    money = book.money if book else currency
    plan = plan_for(book, name)
    recommended = split(month.income, plan)
    actual = Parts(month.needs, month.wants, month.savings)
    percents = [_percent(units, month.income) for units in actual]
    categories = sorted(month.categories, key=lambda each: (-each.units, each.category, each.bucket))
    return Report(
        month=name,
        currency=money.code,
        income=money.text(month.income),
        recommended=_buckets(recommended, money),
        actual=_buckets(actual, money),
        analysis=Analysis(
            statuses.spending(actual.needs, recommended.needs, money),
            statuses.spending(actual.wants, recommended.wants, money),
            statuses.saving(actual.savings, recommended.savings, money),
        ),
        difference=_buckets(Parts(*(is_ - should for is_, should in zip(actual, recommended, strict=True))), money),
        balance=money.text(month.income - month.spent),
        plan=Buckets(*map(percent, plan)),
        percent=Buckets(*map(_measured, percents)) if month.income else None,
        savings_rate=_measured(percents[2]) if month.income else None,
        categories=[CategoryRow(each.category, each.bucket, money.text(each.units)) for each in categories],
        entries=month.entries,
    )


def months_of(tx: ReadTransaction, owner: str, currency: Currency, *, count: int, before: str | None = None) -> Months:
    """
    The months of a member that have entries, the newest first.

    @param currency: of a book that is not yet begun.
    @param count: at most so many.
    @param before: only months before this one.
    """
    money = money_of(tx, owner, currency)
    end = None if before is None else month_key(owner, before)
    found = tx.scan(Month, f"{owner}/", end=end, limit=count + 1, reverse=True)
    return Months.up_to(count, (_month_row(key.rpartition("/")[2], month, money) for key, month in found))


def _month_row(name: str, month: Month, money: Currency) -> MonthRow:
    return MonthRow(
        month=name,
        income=money.text(month.income),
        needs=money.text(month.needs),
        wants=money.text(month.wants),
        savings=money.text(month.savings),
        balance=money.text(month.income - month.spent),
        currency=money.code,
        savings_rate=_measured(_percent(month.savings, month.income)) if month.income else None,
    )


def _buckets(parts: Parts, money: Currency) -> Buckets:
    return Buckets(*map(money.text, parts))


def _percent(part: int, whole: int) -> int:
    """A part in hundredths of a percent, rounded half up; 0 of nothing."""
    return (2 * part * 10_000 + whole) // (2 * whole) if whole else 0


def _measured(hundredths: int) -> str:
    """Hundredths of a percent, always with both decimals: C{30.90}."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _figure(text: str) -> int:
    """An amount's text as a whole number, for comparing it with others of the same currency."""
    return int(text.replace(".", ""))


def _bar(row: MonthRow, largest: int) -> str:
    return stacked([(bucket[0], _figure(getattr(row, bucket))) for bucket in BUCKETS], largest, WIDTH)
